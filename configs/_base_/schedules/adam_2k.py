# A training for two cores: 2000 iterations, the first half at 5e-4; then the rate falls linearly to zero.
_base_ = "./adam_200k.py"
max_iters = 2000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=max_iters // 2, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
