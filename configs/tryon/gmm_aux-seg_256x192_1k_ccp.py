# Changes: gmm_cp-vton with an auxiliary decoder on the two extractors' features.
# Why: Ayush et al.'s first stage on real photographs.
# Costs: 1.0 GMAC a pair and 2.7 M parameters more than gmm_cp-vton.
_base_ = [
    "../_base_/models/gmm_aux-seg.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(loss_theta=dict(type="L1Loss", loss_weight=4.0))
default_hooks = dict(checkpoint=dict(interval=250))
