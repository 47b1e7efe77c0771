# Changes: CP-VTON's TOM on pairs made of Clothing Co-Parsing, no perceptual loss, five times the learning rate, 1000 iterations.
# Why: the try-on on real photographs, for as long as two cores allow; VGG19 would take three quarters of the time.
# Costs: 1000 iterations of 4 pairs: 6 passes over the data, 8.5 GMAC a pair forward and the GMM's.
_base_ = [
    "../_base_/models/tom.py",
    "../_base_/datasets/ccp-tryon.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(loss_perceptual=None, warper=dict(config="configs/tryon/gmm_cp-vton_256x192_1k_ccp.py"))
default_hooks = dict(checkpoint=dict(interval=250))
