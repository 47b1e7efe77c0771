# Changes: CP-VTON's GMM on DressCode's upper-body garments.
# Why: a second public set, with other persons, garments and labels.
# Costs: 200k iterations of 4 pairs, 4.7 GMAC a pair forward; not run here (the data is given out on request).
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/dresscode-upper.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
