# Changes: nothing; all other GMM rows differ from this one: CP-VTON's GMM on VITON.
# Why: Ayush et al., the baseline of their table, with tom_cp-vton.
# Costs: 200k iterations of 4 pairs, 4.7 GMAC a pair forward; not run here (the data is withdrawn).
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/viton.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
