# Changes: CP-VTON's TOM on the paper doll at 128 x 96, half the channels, no perceptual loss, five times the learning rate, 2000 iterations.
# Why: a whole TOM training that two cores finish in minutes, for ablations.
# Costs: 2000 iterations of 4 dolls: 4 passes over the data, 0.6 GMAC a doll forward and the GMM's.
_base_ = [
    "../_base_/models/tom.py",
    "../_base_/datasets/paper-doll-tryon_128x96.py",
    "../_base_/schedules/adam_2k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(
    base_channels=32,
    loss_perceptual=None,
    warper=dict(config="configs/tryon/gmm_cp-vton_128x96_3k_paper-doll.py"),
)
default_hooks = dict(checkpoint=dict(interval=500))
