# Changes: tom_cp-vton with parsing maps that Mask R-CNN predicts, and the gmm_cp-vton trained on them.
# Why: the ablation of true parsing against predicted, for the try-on.
# Costs: as tom_cp-vton; before it the segmenter, and a pass of it over all photos.
_base_ = ["./tom_cp-vton_256x192_200k_paper-doll.py", "../_base_/datasets/mask-rcnn-parse_paper-doll.py"]
model = dict(
    warper=dict(
        config="configs/tryon/gmm_cp-vton_mask-rcnn-parse_256x192_200k_paper-doll.py",
        checkpoint="work_dirs/gmm_cp-vton_mask-rcnn-parse_256x192_200k_paper-doll/iter_200000.pth",
    )
)
train_dataloader = dict(dataset=dict(parse=_base_.train_parse))
val_dataloader = dict(dataset=dict(parse=_base_.test_parse))
test_dataloader = val_dataloader
