# VITON's parsing maps as the paper's segmenter predicts them, beside the photos. For SPLIT in train and test: tools/parse.py
# configs/segmentation/mask-rcnn_r50_carafe-fpn_sgd-lr0.009_5e_deepfashion.py CHECKPOINT data/viton/SPLIT/image
# --out data/viton/SPLIT/image-parse-mask-rcnn --write label-map
_base_ = "./viton.py"
folders = dict(predicted_parse="image-parse-mask-rcnn")
train_dataloader = dict(dataset=dict(folders=folders, pipeline=_base_.predicted_train_pipeline))
val_dataloader = dict(dataset=dict(folders=folders, pipeline=_base_.predicted_test_pipeline))
test_dataloader = val_dataloader
