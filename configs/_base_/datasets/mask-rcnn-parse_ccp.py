# Parsing maps of the photo pairs as a segmenter predicts them in the whole photographs: tools/parse.py data/ccp/photos --out
# data/ccp-parsed --write label-map, then pairs_from_photos with --predicted data/ccp-parsed. The segmenter in the package was
# trained on the photographs of the pairs to train on.
_base_ = "./ccp-tryon.py"
folders = dict(predicted_parse="image-parse-predicted")
train_dataloader = dict(dataset=dict(folders=folders, pipeline=_base_.predicted_train_pipeline))
val_dataloader = dict(dataset=dict(folders=folders, pipeline=_base_.predicted_test_pipeline))
test_dataloader = val_dataloader
