# Changes: long side 550, 128 RoIs an image instead of 512 (a photograph has 7 instances), Caffe-style backbone, 2 epochs.
# Why: the CCP row that two cores can train; weights: --cfg-options model.backbone.init_cfg.checkpoint=FILE
# Costs: 704 iterations of 2 images, 34 minutes on two cores with --amp (bfloat16); longer in float32.
_base_ = [
    "../_base_/models/mask-rcnn_r50_fpn.py",
    "../_base_/datasets/ccp.py",
    "../_base_/schedules/sgd_2e.py",
    "../_base_/default_runtime.py",
]
model = dict(
    data_preprocessor=dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False),
    backbone=dict(style="caffe", init_cfg=dict(checkpoint="open-mmlab://detectron2/resnet50_caffe")),
    train_cfg=dict(rcnn=dict(sampler=dict(num=128))),
)
image_scale = (550, 550)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = image_scale
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_scale
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# 704 iterations: 100 of warm-up, 460 at 0.005, 144 at 0.0005.
train_cfg = dict(val_interval=2)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=100),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=704, milestones=[560], gamma=0.1),
]
optim_wrapper = dict(optimizer=dict(lr=0.005))
