# Changes: tom_aux-seg_gmm-cp-vton with garments warped by gmm_aux-seg.
# Why: Ayush et al.'s full method on real photographs.
# Costs: as tom_aux-seg_gmm-cp-vton.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(loss_perceptual=None, warper=dict(config="configs/tryon/gmm_aux-seg_256x192_1k_ccp.py"))
default_hooks = dict(checkpoint=dict(interval=250))
