# Changes: tom_aux-seg_gmm-cp-vton with parsing maps that Mask R-CNN predicts, and the gmm_cp-vton trained on them.
# Why: the same with auxiliary learning in TOM alone.
# Costs: as tom_aux-seg_gmm-cp-vton; before it tools/parse.py over all photos.
_base_ = ["./tom_aux-seg_gmm-cp-vton_256x192_1k_ccp.py", "../_base_/datasets/mask-rcnn-parse_ccp.py"]
model = dict(
    warper=dict(
        config="configs/tryon/gmm_cp-vton_mask-rcnn-parse_256x192_1k_ccp.py",
        checkpoint="work_dirs/gmm_cp-vton_mask-rcnn-parse_256x192_1k_ccp/iter_1000.pth",
    )
)
train_dataloader = dict(dataset=dict(parse=_base_.train_parse))
val_dataloader = dict(dataset=dict(parse=_base_.test_parse))
test_dataloader = val_dataloader
