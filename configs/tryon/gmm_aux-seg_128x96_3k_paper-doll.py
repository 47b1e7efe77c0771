# Changes: gmm_cp-vton with an auxiliary decoder, half as wide as at 256 x 192, on the two extractors' features.
# Why: Ayush et al.'s first stage on two cores.
# Costs: about half as much again as gmm_cp-vton.
_base_ = [
    "../_base_/models/gmm_aux-seg.py",
    "../_base_/datasets/paper-doll-tryon_128x96.py",
    "../_base_/schedules/adam_3k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(image_size=(128, 96), base_channels=32, aux_head=dict(base_channels=32, max_channels=128))
default_hooks = dict(checkpoint=dict(interval=500))
