# Changes: FPN_CARAFE's neck with nearest-neighbor upsampling.
# Why: control: what the convolutional P6 gains without CARAFE.
# Costs: 5.31 M parameters more than FPN.
_base_ = ["./mask-rcnn_r50_fpn_sgd-lr0.005_half-res_2e_ccp.py", "../_base_/models/carafe.py"]
model = dict(neck=_base_.nearest_fpn)
