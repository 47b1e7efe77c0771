# Changes: tom_aux-seg on the demo's dolls and the parsing maps of the demo's segmenter, 1000 iterations.
# Why: the try-on of `make demo`, warped by the GMM that it has trained before.
# Costs: 1000 iterations of 4 dolls, about 3 minutes on two cores with bfloat16 (`make demo` says how).
_base_ = ["./tom_aux-seg_128x96_2k_paper-doll.py", "../_base_/datasets/demo-parse_paper-doll.py"]
model = dict(
    warper=dict(
        config="configs/tryon/gmm_aux-seg_mask-rcnn-parse_128x96_2k_paper-doll.py",
        checkpoint="work_dirs/gmm_aux-seg_mask-rcnn-parse_128x96_2k_paper-doll/iter_2000.pth",
    )
)
train_dataloader = dict(dataset=_base_.train_dolls)
val_dataloader = dict(dataset=_base_.test_dolls)
test_dataloader = val_dataloader

# 1000 iterations: 500 at 5e-4, 500 falling to zero.
max_iters = 1000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type="LinearLR", by_epoch=False, begin=500, end=max_iters + 1, start_factor=1.0, end_factor=0.0)
]
