# Changes: CP-VTON's GMM on the paper doll at 128 x 96, half the channels, five times the learning rate, 3000 iterations.
# Why: a whole GMM training that two cores finish in minutes, for ablations.
# Costs: 3000 iterations of 4 dolls: 6 passes over the data, 0.3 GMAC a doll forward.
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/paper-doll-tryon_128x96.py",
    "../_base_/schedules/adam_3k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(image_size=(128, 96), base_channels=32)
default_hooks = dict(checkpoint=dict(interval=500))
