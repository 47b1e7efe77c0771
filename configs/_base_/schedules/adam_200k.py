# CP-VTON's training: Adam with 1e-4 and betas .5 and .999 on batches of 4; 100k iterations at one rate, then 100k in
# which it falls linearly to zero. A killed run resumes exactly: data and random numbers follow from seed and iteration.
max_iters = 200_000
train_cfg = dict(type="SeededIterBasedTrainLoop", max_iters=max_iters, val_interval=20_000)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.5, 0.999), fused=True))
# `end` is not reached: the iteration after the last would have the rate zero.
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=100_000, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
auto_scale_lr = dict(enable=False, base_batch_size=4)
