# Changes: gmm_cp-vton without the known warps: the paper's L1 of the warped garment alone, for twice as long.
# Why: what the known warps are worth.
# Costs: 2000 iterations of 4 pairs.
_base_ = "./gmm_cp-vton_256x192_1k_ccp.py"
model = dict(loss_theta=None)

# 2000 iterations: 1000 at 5e-4, 1000 falling to zero.
max_iters = 2000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=1000, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
