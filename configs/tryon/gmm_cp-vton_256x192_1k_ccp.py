# Changes: CP-VTON's GMM on pairs made of Clothing Co-Parsing, their known warps as a second target, 1000 iterations.
# Why: the try-on on real photographs on two cores; L1 alone lets pale garments, white on white, fold (see the l1-only row).
# Costs: 1000 iterations of 4 pairs: 6 passes over the data, 4.7 GMAC a pair forward.
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(loss_theta=dict(type="L1Loss", loss_weight=4.0))
default_hooks = dict(checkpoint=dict(interval=250))
