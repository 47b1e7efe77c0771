# Changes: CARAFE in the neck (with its convolutional P6) and in the mask head; the semantic head upsamples bilinearly.
# Why: the paper's model with a parsing map.
# Costs: 5.42 M parameters more than its FPN twin.
_base_ = ["./mask-rcnn_r50_panoptic-fpn_sgd-lr0.005_half-res_2e_ccp.py", "../_base_/models/carafe.py"]
model = dict(neck=_base_.carafe_fpn, roi_head=dict(mask_head=dict(upsample_cfg=_base_.carafe)))
