# Changes: gmm_aux-seg with parsing maps that Mask R-CNN predicts.
# Why: the same for the auxiliary decoder, whose target is predicted too.
# Costs: as gmm_aux-seg; before it the segmenter, and a pass of it over all photos.
_base_ = ["./gmm_aux-seg_128x96_3k_paper-doll.py", "../_base_/datasets/mask-rcnn-parse_paper-doll.py"]
train_dataloader = dict(dataset=dict(parse=_base_.train_parse))
val_dataloader = dict(dataset=dict(parse=_base_.test_parse))
test_dataloader = val_dataloader
