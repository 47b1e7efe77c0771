# The paper doll's parsing maps as the demo's segmenter predicts them, when a data set is built; kept beside the photos. In
# training all of a person comes from them. Tests give the models a predicted person too, but measure by the true maps.
predicted_parse = dict(
    source="predicted",
    folder="image-parse-mask-rcnn",
    config="configs/segmentation/mask-rcnn_r18_carafe-fpn_paper-doll.py",
    checkpoint="work_dirs/mask-rcnn_r18_carafe-fpn_paper-doll/epoch_7.pth",
)
train_parse = dict(predicted_parse, targets="predicted")
test_parse = dict(predicted_parse, targets="files")
