# Changes: gmm_cp-vton with garments sampled half a pixel off (align_corners=False) and a learning rate that never falls.
# Why: the published code as it runs on today's PyTorch; files that it wrote before PyTorch 1.3 want model.align_corners=True.
# Costs: as gmm_cp-vton.
_base_ = [
    "../_base_/models/gmm.py",
    "../_base_/datasets/viton.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(align_corners=False)
param_scheduler = []  # the published scheduler is made and never stepped
