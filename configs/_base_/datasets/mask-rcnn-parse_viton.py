# VITON's parsing maps as the paper's segmenter predicts them, when a data set is built; kept beside the photos. In
# training all of a person comes from them. Tests give the models a predicted person too, but measure by VITON's own maps.
_base_ = "./viton.py"
predicted_parse = dict(
    source="predicted",
    folder="image-parse-mask-rcnn",
    config="configs/segmentation/mask-rcnn_r50_carafe-fpn_sgd-lr0.009_5e_deepfashion.py",
    checkpoint="work_dirs/mask-rcnn_r50_carafe-fpn_sgd-lr0.009_5e_deepfashion/epoch_5.pth",
)
train_dataloader = dict(dataset=dict(parse=dict(predicted_parse, targets="predicted")))
val_dataloader = dict(dataset=dict(parse=dict(predicted_parse, targets="files")))
test_dataloader = val_dataloader
