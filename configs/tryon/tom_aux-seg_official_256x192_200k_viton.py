# Changes: tom_aux-seg_gmm-cp-vton_official with garments that gmm_aux-seg_official warped beforehand.
# Why: tom_aux-seg on the published code as it runs.
# Costs: as tom_aux-seg; before it tools/test.py GMM CHECKPOINT --split train --out data/viton/train/gmm_aux-seg, and test.
_base_ = "./tom_aux-seg_gmm-cp-vton_official_256x192_200k_viton.py"
warps = dict(folders=dict(warped_cloth="gmm_aux-seg/warp-cloth", warped_mask="gmm_aux-seg/warp-mask"))
train_dataloader = dict(dataset=warps)
val_dataloader = dict(dataset=warps)
test_dataloader = val_dataloader
