# The paper doll: drawn figures of 192 x 256 pixels with exact masks; 1000 to train, 100 held out.
# `make demo` draws them: tools/data/paper_doll.py --out data/paper-doll --train 1000 --val 100 --layout coco
_base_ = "./clothing.py"
data_root = "data/paper-doll/"
image_scale = (192, 256)
_base_.train_pipeline[2].scale = image_scale
_base_.test_pipeline[1].scale = image_scale

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, data_prefix=dict(img="images/train/"), pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(data_root=data_root, data_prefix=dict(img="images/val/"), pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="paper-doll", ann_file=data_root + "annotations/instances_val.json")
test_evaluator = val_evaluator
