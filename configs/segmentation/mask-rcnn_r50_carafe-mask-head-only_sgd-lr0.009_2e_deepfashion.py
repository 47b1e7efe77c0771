# Changes: CARAFE in the mask head alone, FPN as the neck.
# Why: control: the mask head's share of the gain.
# Costs: fewer FLOP than FPN: CARAFE takes the place of the deconvolution.
_base_ = ["./mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py", "../_base_/models/carafe.py"]
model = dict(roi_head=dict(mask_head=dict(upsample_cfg=_base_.carafe)))
