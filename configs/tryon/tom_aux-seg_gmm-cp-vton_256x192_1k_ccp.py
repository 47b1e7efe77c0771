# Changes: tom_cp-vton with a second decoder on the U-Net's encoder.
# Why: Ayush et al.'s auxiliary learning in TOM alone, on real photographs.
# Costs: 1.5 GMAC a pair and 5.5 M parameters more than tom_cp-vton, whose GMM it uses.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(loss_perceptual=None, warper=dict(config="configs/tryon/gmm_cp-vton_256x192_1k_ccp.py"))
default_hooks = dict(checkpoint=dict(interval=250))
