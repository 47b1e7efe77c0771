# Changes: tom_aux-seg_gmm-cp-vton with garments warped by gmm_aux-seg.
# Why: Ayush et al.'s full method on two cores.
# Costs: as tom_aux-seg_gmm-cp-vton.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/paper-doll-tryon_128x96.py",
    "../_base_/schedules/adam_2k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(
    base_channels=32,
    loss_perceptual=None,
    aux_head=dict(base_channels=32, max_channels=128),
    warper=dict(config="configs/tryon/gmm_aux-seg_128x96_3k_paper-doll.py"),
)
default_hooks = dict(checkpoint=dict(interval=500))
