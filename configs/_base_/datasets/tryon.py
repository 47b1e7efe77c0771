# What every try-on data set shares: batches of 4 at 256 x 192, training without end, and tests on paired garments, of which
# there is a truth. A data set's own file says where it is, its layout, and which label space its parsing maps have;
# `unpaired` is what `tools/test.py --split test-unpaired` changes in the test set: every person gets another's garment.
_base_ = "./loaders.py"
train_dataloader = dict(
    batch_size=4,
    sampler=dict(type="SeededInfiniteSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="TryOnDataset", split="train", pairs="train_pairs.txt", image_size=(256, 192), aux_label_space="tryon8"
    ),
)
val_dataloader = dict(
    batch_size=4,
    collate_fn=dict(type="default_collate"),
    dataset=dict(type="TryOnDataset", split="test", image_size=(256, 192), aux_label_space="tryon8"),
)
test_dataloader = val_dataloader
# FID and LPIPS need weights: --cfg-options test_evaluator.inception_weights=FILE test_evaluator.alexnet_weights=FILE
val_evaluator = dict(type="TryOnMetrics", split="test")
test_evaluator = val_evaluator
