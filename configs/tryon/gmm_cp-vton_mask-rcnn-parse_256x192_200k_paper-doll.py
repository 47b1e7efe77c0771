# Changes: gmm_cp-vton with parsing maps that Mask R-CNN predicts.
# Why: the ablation of true parsing against predicted, for the warp.
# Costs: as gmm_cp-vton; before it the segmenter, and a pass of it over all photos.
_base_ = ["./gmm_cp-vton_256x192_200k_paper-doll.py", "../_base_/datasets/mask-rcnn-parse_paper-doll.py"]
train_dataloader = dict(dataset=dict(parse=_base_.train_parse))
val_dataloader = dict(dataset=dict(parse=_base_.test_parse))
test_dataloader = val_dataloader
