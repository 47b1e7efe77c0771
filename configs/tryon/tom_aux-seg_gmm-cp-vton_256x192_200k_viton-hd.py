# Changes: tom_cp-vton with a second decoder on the U-Net's encoder.
# Why: auxiliary learning in TOM alone on VITON-HD.
# Costs: 1.5 GMAC a pair and 5.5 M parameters more than tom_cp-vton, whose GMM it uses.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/viton-hd.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(warper=dict(config="configs/tryon/gmm_cp-vton_256x192_200k_viton-hd.py"))
