# Changes: CP-VTON's TOM on VITON-HD, read down to the paper's size.
# Why: the baseline of Ayush et al.'s table on VITON-HD.
# Costs: 200k iterations of 4 pairs, 8.5 GMAC a pair forward and the GMM's; not run here (the data is given out on request).
_base_ = [
    "../_base_/models/tom.py",
    "../_base_/datasets/viton-hd.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(warper=dict(config="configs/tryon/gmm_cp-vton_256x192_200k_viton-hd.py"))
