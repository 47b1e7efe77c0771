# Parsing maps of the photo pairs as the half-resolution FPN segmenter predicts them, when a data set is built; kept beside
# the photos. It has been trained on the same photographs that the pairs to train on are made of, not on those to test on.
predicted_parse = dict(
    source="predicted",
    folder="image-parse-mask-rcnn",
    config="configs/segmentation/mask-rcnn_r50_fpn_sgd-lr0.005_half-res_2e_ccp.py",
    checkpoint="work_dirs/mask-rcnn_r50_fpn_sgd-lr0.005_half-res_2e_ccp/epoch_2.pth",
)
train_parse = dict(predicted_parse, targets="predicted")
test_parse = dict(predicted_parse, targets="files")
