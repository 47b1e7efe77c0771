# Changes: CP-VTON's GMM on pairs made of Clothing Co-Parsing, five times the learning rate, 2000 iterations.
# Why: the try-on on real photographs, for as long as two cores allow.
# Costs: 2000 iterations of 4 pairs: 11 passes over the data, 4.7 GMAC a pair forward.
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
val_evaluator = dict(stage="gmm")
test_evaluator = val_evaluator

# 2000 iterations: 1000 at 5e-4, 1000 falling to zero.
max_iters = 2000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=1000, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
default_hooks = dict(checkpoint=dict(interval=250))
