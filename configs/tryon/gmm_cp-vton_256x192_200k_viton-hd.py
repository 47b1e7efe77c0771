# Changes: CP-VTON's GMM on VITON-HD, read down to the paper's size.
# Why: the public successor of VITON.
# Costs: 200k iterations of 4 pairs, 4.7 GMAC a pair forward; not run here (the data is given out on request).
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/viton-hd.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
