# What every try-on data set shares: batches of 4 at 256 x 192, training without end, and tests on paired garments, of which
# there is a truth. A data set's own file says where it is, its layout, and which label space its parsing maps have;
# `unpaired` is what `tools/test.py --split test-unpaired` changes in the test set: every person gets another's garment.
_base_ = "./loaders.py"
# mmengine replaces lists: a row that changes a step of the pipeline rebuilds the list from `_base_.pipeline`, and sets it in
# all three data sets. tools/try_on.py runs the test data set's.
pipeline = [
    dict(type="LoadPerson"),
    dict(type="LoadGarment"),
    dict(type="LoadParsing"),
    dict(type="LoadPose"),
    dict(type="FaceFromPose"),
    dict(type="CPVTONAgnostic"),
    dict(type="GarmentTargets"),
    dict(type="AuxTarget", label_space="tryon8"),
    dict(type="PackTryOnInputs"),
]
# With parsing maps that a segmenter predicted: in training all of a person comes from them, as there need be no others. Tests
# give the models a predicted person too, but measure by the data set's own maps.
predicted_train_pipeline = [
    dict(type="LoadPerson"),
    dict(type="LoadGarment"),
    dict(type="LoadParsing", role="predicted_parse"),
    dict(type="LoadPose"),
    dict(type="FaceFromPose"),
    dict(type="CPVTONAgnostic"),
    dict(type="GarmentTargets"),
    dict(type="AuxTarget", label_space="tryon8"),
    dict(type="PackTryOnInputs"),
]
predicted_test_pipeline = [
    dict(type="LoadPerson"),
    dict(type="LoadGarment"),
    dict(type="LoadParsing"),
    dict(type="LoadParsing", role="predicted_parse", key="predicted"),
    dict(type="LoadPose"),
    dict(type="FaceFromPose"),
    dict(type="FaceFromPose", key="predicted"),
    dict(type="CPVTONAgnostic", parsing="predicted"),
    dict(type="GarmentTargets"),
    dict(type="AuxTarget", label_space="tryon8"),
    dict(type="PackTryOnInputs"),
]
train_dataloader = dict(
    batch_size=4,
    sampler=dict(type="SeededInfiniteSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    dataset=dict(type="TryOnDataset", split="train", pairs="train_pairs.txt", image_size=(256, 192), pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=4,
    collate_fn=dict(type="default_collate"),
    dataset=dict(type="TryOnDataset", split="test", image_size=(256, 192), pipeline=pipeline),
)
test_dataloader = val_dataloader
# FID and LPIPS need weights: --cfg-options test_evaluator.inception_weights=FILE test_evaluator.alexnet_weights=FILE
val_evaluator = dict(type="TryOnMetrics", split="test")
test_evaluator = val_evaluator
