# Changes: tom_aux-seg_gmm-cp-vton with garments warped by gmm_aux-seg.
# Why: Ayush et al.'s full method on VITON-HD.
# Costs: as tom_aux-seg_gmm-cp-vton.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/viton-hd.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(warper=dict(config="configs/tryon/gmm_aux-seg_256x192_200k_viton-hd.py"))
