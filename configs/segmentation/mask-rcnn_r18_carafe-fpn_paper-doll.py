# Changes: CARAFE in the neck (with its convolutional P6) and in the mask head.
# Why: the paper's model, small enough for two cores and the tests.
# Costs: as its FPN twin.
_base_ = ["./mask-rcnn_r18_fpn_paper-doll.py", "../_base_/models/carafe.py"]
model = dict(neck=_base_.carafe_fpn, roi_head=dict(mask_head=dict(upsample_cfg=_base_.carafe)))
