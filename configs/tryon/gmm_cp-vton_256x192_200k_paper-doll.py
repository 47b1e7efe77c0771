# Changes: CP-VTON's GMM on the paper doll.
# Why: the paper's full training on data that anyone can draw.
# Costs: 200k iterations of 4 pairs, 4.7 GMAC a pair forward; meant for a GPU.
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/paper-doll-tryon.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
val_evaluator = dict(stage="gmm")
test_evaluator = val_evaluator
