# Changes: gmm_aux-seg on the demo's dolls and the parsing maps of the demo's segmenter, 2000 iterations.
# Why: the warp of `make demo`, which goes the whole way from drawn dolls to try-on in minutes.
# Costs: 2000 iterations of 4 dolls, about 3 minutes on two cores with bfloat16 (`make demo` says how).
_base_ = ["./gmm_aux-seg_128x96_3k_paper-doll.py", "../_base_/datasets/demo-parse_paper-doll.py"]
train_dataloader = dict(dataset=_base_.train_dolls)
val_dataloader = dict(dataset=_base_.test_dolls)
test_dataloader = val_dataloader

# 2000 iterations: 1000 at 5e-4, 1000 falling to zero.
max_iters = 2000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=1000, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
