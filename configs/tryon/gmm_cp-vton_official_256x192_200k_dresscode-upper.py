# Changes: garments sampled half a pixel off (align_corners=False), a learning rate that never falls.
# Why: the published code as it runs; published GMM checkpoints are to be tested with this file.
# Costs: as gmm_cp-vton.
_base_ = "./gmm_cp-vton_256x192_200k_dresscode-upper.py"
model = dict(align_corners=False)
param_scheduler = []  # the published scheduler is made and never stepped
