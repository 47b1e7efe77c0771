# Changes: half-width ResNet-18 from scratch, 64 channels, 32 RoIs, one box regression for all classes, AdamW with a cosine.
# Why: a whole training that two cores finish in minutes; no weights to download.
# Costs: 5 epochs of 250 iterations of 4 dolls, about 9 minutes on two cores.
_base_ = [
    "../_base_/models/mask-rcnn_r50_fpn.py",
    "../_base_/datasets/paper-doll.py",
    "../_base_/schedules/sgd_2e.py",
    "../_base_/default_runtime.py",
]
channels = 64
model = dict(
    backbone=dict(depth=18, base_channels=32, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=channels),
    rpn_head=dict(in_channels=channels, feat_channels=channels, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels, finest_scale=28),
        bbox_head=dict(in_channels=channels, fc_out_channels=256, reg_class_agnostic=True),
        mask_roi_extractor=dict(out_channels=channels, finest_scale=28),
        mask_head=dict(in_channels=channels, conv_out_channels=channels),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=400, max_per_img=200),
        rcnn=dict(sampler=dict(num=32, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100)),
)
max_epochs = 5
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
train_dataloader = dict(batch_size=4)
# 1250 iterations: 50 of warm-up, then half a cosine from 0.001 to zero.
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, by_epoch=False, begin=0, end=50),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=50, end=1250, eta_min=0),
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=0.001, weight_decay=0.05), clip_grad=dict(max_norm=10)
)
auto_scale_lr = dict(base_batch_size=4)
