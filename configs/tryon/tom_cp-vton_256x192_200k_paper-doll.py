# Changes: CP-VTON's TOM on the paper doll, without the perceptual loss, so that it needs no VGG19.
# Why: the baseline of Ayush et al.'s table on the paper doll.
# Costs: 200k iterations of 4 pairs, 8.5 GMAC a pair forward and the GMM's; meant for a GPU.
_base_ = [
    "../_base_/models/tom.py",
    "../_base_/datasets/paper-doll-tryon.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(
    loss_perceptual=None,
    warper=dict(
        config="configs/tryon/gmm_cp-vton_256x192_200k_paper-doll.py",
        checkpoint="work_dirs/gmm_cp-vton_256x192_200k_paper-doll/iter_200000.pth",
    ),
)
val_evaluator = dict(stage="tom")
test_evaluator = val_evaluator
