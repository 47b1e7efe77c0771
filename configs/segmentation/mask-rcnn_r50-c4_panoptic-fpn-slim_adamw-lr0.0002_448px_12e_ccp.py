# Changes: R50 without its last stage, 128 channels, small heads, rare classes weigh more; long side 448, color jitter, AdamW, 12 epochs.
# Why: a parser of street photos that two cores can train and that fits in the package.
# Costs: 2112 iterations of 4 photographs at 2.5 s, an hour and a half on two slow cores; at 448 pixels small accessories get lost.
_base_ = ["./mask-rcnn_r50_panoptic-fpn-balanced_sgd-lr0.005_half-res_2e_ccp.py", "../_base_/datasets/jitter.py"]
channels = 128
strides = [4, 8, 16]
model = dict(
    backbone=dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(0, 1, 2), frozen_stages=2),
    neck=dict(in_channels=[256, 512, 1024], out_channels=channels),
    rpn_head=dict(in_channels=channels, feat_channels=channels),
    semantic_head=dict(in_channels=channels, channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels, featmap_strides=strides),
        bbox_head=dict(in_channels=channels, fc_out_channels=256),
        mask_roi_extractor=dict(out_channels=channels, featmap_strides=strides),
        mask_head=dict(in_channels=channels, conv_out_channels=channels, num_convs=2),
    ),
    train_cfg=dict(rpn_proposal=dict(nms_pre=500, max_per_img=200), rcnn=dict(sampler=dict(num=64, pos_fraction=0.5))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200)),
)
image_scale = (448, 448)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = image_scale
train_pipeline.insert(4, _base_.color_jitter)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_scale
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# 2112 iterations: 100 of warm-up, then half a cosine to zero.
max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=100),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=100, end=2112, eta_min=0),
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=0.0002, weight_decay=0.05, fused=True), clip_grad=dict(max_norm=10)
)
auto_scale_lr = dict(base_batch_size=4)
