# Changes: 128 x 96 pixels, half the channels, five times the learning rate, 3000 iterations.
# Why: a whole GMM training that two cores finish in minutes, for ablations.
# Costs: 3000 iterations of 4 dolls: 6 passes over the data, 0.3 GMAC a doll forward.
_base_ = "./gmm_cp-vton_256x192_200k_paper-doll.py"
image_size = (128, 96)
small = dict(image_size=image_size, pose_radius=2)  # half of the published 5, rounded down
model = dict(image_size=image_size, base_channels=32)
train_dataloader = dict(dataset=small)
val_dataloader = dict(dataset=small)
test_dataloader = val_dataloader

# 3000 iterations: 1500 at 5e-4, 1500 falling to zero.
max_iters = 3000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=1500, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
default_hooks = dict(checkpoint=dict(interval=500))
