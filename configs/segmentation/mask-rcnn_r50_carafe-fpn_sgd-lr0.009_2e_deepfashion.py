# Changes: CARAFE in the neck (with its convolutional P6) and in the mask head.
# Why: Table 1 of Sarda & Sun (box AP50 .647, mask AP50 .603); mmdet's mask-rcnn_r50_fpn-carafe_1x_coco with 15 classes.
# Costs: 5.42 M parameters more than FPN.
_base_ = ["./mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py", "../_base_/models/carafe.py"]
model = dict(neck=_base_.carafe_fpn, roi_head=dict(mask_head=dict(upsample_cfg=_base_.carafe)))
