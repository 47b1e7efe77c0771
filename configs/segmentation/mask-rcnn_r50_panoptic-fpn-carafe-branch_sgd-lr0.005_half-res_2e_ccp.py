# Changes: CARAFE instead of bilinear upsampling in the semantic head.
# Why: Wang et al. (ICCV 2019) report gains for semantic segmentation too.
# Costs: six CARAFE upsamplers of 128 channels.
_base_ = ["./mask-rcnn_r50_panoptic-fpn_sgd-lr0.005_half-res_2e_ccp.py", "../_base_/models/carafe.py"]
model = dict(semantic_head=dict(upsample_cfg=_base_.carafe))
