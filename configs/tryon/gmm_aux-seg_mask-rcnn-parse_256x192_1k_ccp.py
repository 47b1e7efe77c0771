# Changes: gmm_aux-seg with parsing maps that Mask R-CNN predicts.
# Why: true parsing maps against predicted ones on real photographs, for the warp.
# Costs: as gmm_aux-seg; before it tools/parse.py over all photos.
_base_ = [
    "../_base_/models/gmm_aux-seg.py",
    "../_base_/datasets/mask-rcnn-parse_ccp.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(loss_theta=dict(type="L1Loss", loss_weight=4.0))
default_hooks = dict(checkpoint=dict(interval=250))
