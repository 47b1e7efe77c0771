# Changes: gmm_cp-vton with an auxiliary decoder on the two extractors' features.
# Why: Ayush et al.'s first stage on DressCode's upper-body garments.
# Costs: 1.0 GMAC a pair and 2.7 M parameters more than gmm_cp-vton.
_base_ = [
    "../_base_/models/gmm_aux-seg.py",
    "../_base_/datasets/dresscode-upper.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
