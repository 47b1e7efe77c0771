# Changes: tom_cp-vton with a second decoder, half as wide as at 256 x 192, on the U-Net's encoder.
# Why: auxiliary learning in TOM alone, on two cores.
# Costs: about a third more than tom_cp-vton, whose GMM it uses.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/paper-doll-tryon_128x96.py",
    "../_base_/schedules/adam_2k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(
    base_channels=32,
    loss_perceptual=None,
    aux_head=dict(base_channels=32, max_channels=128),
    warper=dict(config="configs/tryon/gmm_cp-vton_128x96_3k_paper-doll.py"),
)
default_hooks = dict(checkpoint=dict(interval=500))
