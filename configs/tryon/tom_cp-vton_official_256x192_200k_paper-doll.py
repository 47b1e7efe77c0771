# Changes: an instance norm at the output, garments warped beforehand, a rate that never falls.
# Why: the published code as it runs on today's PyTorch; files that it wrote are to be tested with this one.
# Costs: as tom_cp-vton; before it tools/test.py GMM CHECKPOINT --split train --out data/paper-doll-tryon/train, and for test.
_base_ = "./tom_cp-vton_256x192_200k_paper-doll.py"
model = dict(warper=None, output_norm=True)
warps = dict(folders=dict(warped_cloth="warp-cloth", warped_mask="warp-mask"))
train_dataloader = dict(dataset=warps)
val_dataloader = dict(dataset=warps)
test_dataloader = val_dataloader
param_scheduler = []  # the published scheduler is made and never stepped
