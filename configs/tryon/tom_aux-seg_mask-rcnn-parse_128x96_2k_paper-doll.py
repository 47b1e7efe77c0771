# Changes: tom_aux-seg with parsing maps that Mask R-CNN predicts, and the gmm_aux-seg trained on them.
# Why: the same with auxiliary learning in both stages.
# Costs: as tom_aux-seg; before it the segmenter, and a pass of it over all photos.
_base_ = ["./tom_aux-seg_128x96_2k_paper-doll.py", "../_base_/datasets/mask-rcnn-parse_paper-doll.py"]
model = dict(
    warper=dict(
        config="configs/tryon/gmm_aux-seg_mask-rcnn-parse_128x96_3k_paper-doll.py",
        checkpoint="work_dirs/gmm_aux-seg_mask-rcnn-parse_128x96_3k_paper-doll/iter_3000.pth",
    )
)
train_dataloader = dict(dataset=dict(parse=_base_.train_parse))
val_dataloader = dict(dataset=dict(parse=_base_.test_parse))
test_dataloader = val_dataloader
