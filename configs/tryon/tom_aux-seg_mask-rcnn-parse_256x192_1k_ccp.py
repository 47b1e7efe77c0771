# Changes: tom_aux-seg with parsing maps that Mask R-CNN predicts, and the gmm_aux-seg trained on them.
# Why: the same for the try-on.
# Costs: as tom_aux-seg; before it tools/parse.py over all photos.
_base_ = ["./tom_aux-seg_256x192_1k_ccp.py", "../_base_/datasets/mask-rcnn-parse_ccp.py"]
model = dict(
    warper=dict(
        config="configs/tryon/gmm_aux-seg_mask-rcnn-parse_256x192_1k_ccp.py",
        checkpoint="work_dirs/gmm_aux-seg_mask-rcnn-parse_256x192_1k_ccp/iter_1000.pth",
    )
)
train_dataloader = dict(dataset=dict(parse=_base_.train_parse))
val_dataloader = dict(dataset=dict(parse=_base_.test_parse))
test_dataloader = val_dataloader
