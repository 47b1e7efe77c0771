# Changes: tom_cp-vton with an instance norm at the output, VGG fed [-1, 1], garments warped beforehand, a rate that never falls.
# Why: the published code as it runs on today's PyTorch; files that it wrote are to be tested with this one.
# Costs: as tom_cp-vton; before it tools/test.py GMM CHECKPOINT --split train --out data/viton/train, and the same for test.
_base_ = [
    "../_base_/models/tom.py",
    "../_base_/datasets/viton.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(output_norm=True, loss_perceptual=dict(input_range="published"))
warps = dict(folders=dict(warped_cloth="warp-cloth", warped_mask="warp-mask"))
train_dataloader = dict(dataset=warps)
val_dataloader = dict(dataset=warps)
test_dataloader = val_dataloader
param_scheduler = []  # the published scheduler is made and never stepped
