# Changes: gmm_cp-vton with parsing maps that Mask R-CNN predicts.
# Why: the ablation of true parsing against predicted on real photographs, for the plain warp.
# Costs: as gmm_cp-vton; before it tools/parse.py over all photos.
_base_ = ["./gmm_cp-vton_256x192_1k_ccp.py", "../_base_/datasets/mask-rcnn-parse_ccp.py"]
train_dataloader = dict(dataset=dict(parse=_base_.train_parse))
val_dataloader = dict(dataset=dict(parse=_base_.test_parse))
test_dataloader = val_dataloader
