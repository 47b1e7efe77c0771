# The paper's training: SGD with momentum 0.9, linear warm-up over 500 iterations, 2 epochs at one learning rate.
max_epochs = 2
train_cfg = dict(type="ResumableEpochBasedTrainLoop", max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
param_scheduler = [dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500)]
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="SGD", lr=0.009, momentum=0.9, weight_decay=0.0001, fused=True)
)
auto_scale_lr = dict(enable=False, base_batch_size=2)
