# Changes: the packaged parser of street photos goes on with dolls: its weights, the dolls' size, one epoch; two stages stay frozen.
# Why: the demo's segmenter, and the shape of a row that fine-tunes the parser on data of your own.
# Costs: 250 iterations of 4 dolls, five and a half minutes on two slow cores; `make demo` takes 288 dolls of 1000.
_base_ = "./mask-rcnn_r50-c4_panoptic-fpn-slim_adamw-lr0.0002_448px_12e_ccp.py"
load_from = "seg_vton/pretrained/segmenter.safetensors"
model = dict(backbone=dict(init_cfg=None))
data_root = "data/paper-doll/"
image_scale = (192, 256)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = image_scale
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_scale
train_dataloader = dict(
    num_workers=1,
    dataset=dict(data_root=data_root, data_prefix=dict(img="images/train/"), pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(data_root=data_root, data_prefix=dict(img="images/val/"), pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(dataset="paper-doll", ann_file=data_root + "annotations/instances_val.json")
test_evaluator = val_evaluator
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=20, end=250, eta_min=0),
]
