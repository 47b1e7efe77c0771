# Changes: CP-VTON's TOM on pairs made of Clothing Co-Parsing, no perceptual loss, five times the learning rate.
# Why: the try-on on real photographs, for as long as two cores allow; VGG19 would take three quarters of the time.
# Costs: 1000 iterations of 4 pairs: 6 passes over the data, 8.5 GMAC a pair forward and the GMM's.
_base_ = [
    "../_base_/models/tom.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(
    loss_perceptual=None,
    warper=dict(
        config="configs/tryon/gmm_cp-vton_256x192_1k_ccp.py",
        checkpoint="work_dirs/gmm_cp-vton_256x192_1k_ccp/iter_1000.pth",
    ),
)
val_evaluator = dict(stage="tom")
test_evaluator = val_evaluator

# 1000 iterations: 500 at 5e-4, 500 falling to zero.
max_iters = 1000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=500, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
default_hooks = dict(checkpoint=dict(interval=250))
