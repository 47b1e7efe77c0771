# Changes: 128 x 96 pixels, half the channels, five times the learning rate, 2000 iterations.
# Why: a whole TOM training that two cores finish in minutes, for ablations.
# Costs: 2000 iterations of 4 dolls: 4 passes over the data, 0.6 GMAC a doll forward and the GMM's.
_base_ = "./tom_cp-vton_256x192_200k_paper-doll.py"
small = dict(image_size=(128, 96), pose_radius=2)  # half of the published 5, rounded down
model = dict(
    base_channels=32,
    warper=dict(
        config="configs/tryon/gmm_cp-vton_128x96_3k_paper-doll.py",
        checkpoint="work_dirs/gmm_cp-vton_128x96_3k_paper-doll/iter_3000.pth",
    ),
)
train_dataloader = dict(dataset=small)
val_dataloader = dict(dataset=small)
test_dataloader = val_dataloader

# 2000 iterations: 1000 at 5e-4, 1000 falling to zero.
max_iters = 2000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=1000, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
default_hooks = dict(checkpoint=dict(interval=500))
