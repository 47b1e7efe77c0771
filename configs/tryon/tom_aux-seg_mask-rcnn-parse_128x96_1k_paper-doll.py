# Changes: tom_aux-seg on the demo's dolls and the parsing maps of the demo's segmenter, 1000 iterations.
# Why: the try-on of `make demo`, warped by the GMM that it has trained before.
# Costs: 1000 iterations of 4 dolls, about 3 minutes on two cores with bfloat16; `make demo` trains 300 of them.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/demo-parse_paper-doll.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(
    base_channels=32,
    loss_perceptual=None,
    aux_head=dict(base_channels=32, max_channels=128),
    warper=dict(config="configs/tryon/gmm_aux-seg_mask-rcnn-parse_128x96_2k_paper-doll.py"),
)
default_hooks = dict(checkpoint=dict(interval=500))
