# Changes: garments sampled half a pixel off (align_corners=False), a learning rate that never falls.
# Why: the published code as it runs on today's PyTorch; files that it wrote before PyTorch 1.3 want model.align_corners=True.
# Costs: as gmm_cp-vton.
_base_ = "./gmm_cp-vton_256x192_200k_paper-doll.py"
model = dict(align_corners=False)
param_scheduler = []  # the published scheduler is made and never stepped
