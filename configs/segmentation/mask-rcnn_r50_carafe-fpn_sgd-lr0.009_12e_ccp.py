# Changes: CARAFE in the neck (with its convolutional P6) and in the mask head.
# Why: the paper's model on Clothing Co-Parsing.
# Costs: 5.42 M parameters more than FPN; meant for a GPU.
_base_ = ["./mask-rcnn_r50_fpn_sgd-lr0.009_12e_ccp.py", "../_base_/models/carafe.py"]
model = dict(neck=_base_.carafe_fpn, roi_head=dict(mask_head=dict(upsample_cfg=_base_.carafe)))
