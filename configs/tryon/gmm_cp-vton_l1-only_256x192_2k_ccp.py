# Changes: gmm_cp-vton without the known warps: the paper's L1 of the warped garment alone, for twice as long.
# Why: what the known warps are worth.
# Costs: 2000 iterations of 4 pairs.
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_2k.py",
    "../_base_/tryon_runtime.py",
]
default_hooks = dict(checkpoint=dict(interval=250))
