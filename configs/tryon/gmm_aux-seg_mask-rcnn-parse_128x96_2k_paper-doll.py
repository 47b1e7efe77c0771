# Changes: gmm_aux-seg on the demo's dolls and the parsing maps of the demo's segmenter, 2000 iterations.
# Why: the warp of `make demo`, which goes the whole way from drawn dolls to try-on in minutes.
# Costs: 2000 iterations of 4 dolls, about 3 minutes on two cores with bfloat16; `make demo` trains 500 of them.
_base_ = [
    "../_base_/models/gmm_aux-seg.py",
    "../_base_/datasets/demo-parse_paper-doll.py",
    "../_base_/schedules/adam_2k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(image_size=(128, 96), base_channels=32, aux_head=dict(base_channels=32, max_channels=128))
default_hooks = dict(checkpoint=dict(interval=500))
