# Changes: the CARAFE row's neck with nearest-neighbor upsampling, and FPN's deconvolution in the mask head.
# Why: control: what the convolutional P6 gains without CARAFE.
# Costs: 5.31 M parameters more than FPN.
_base_ = ["./mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py", "../_base_/models/carafe.py"]
model = dict(neck=_base_.nearest_fpn)
