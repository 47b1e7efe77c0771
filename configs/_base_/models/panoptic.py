# The pieces of a network that also labels every pixel (Kirillov et al., Panoptic FPN, CVPR 2019), for rows to place: the
# model with its head on Mask R-CNN's pyramid, and the last step of the training pipeline but one, which makes the head's
# targets of the instance masks and needs the classes' names (`return_classes=True` of the data set).
panoptic = dict(
    type="PanopticMaskRCNN",
    data_preprocessor=dict(pad_seg=True, seg_pad_value=255),
    semantic_head=dict(
        type="SemanticFPNHead",
        num_classes=15,
        in_channels=256,
        channels=128,
        upsample_cfg=dict(type="bilinear"),
        norm_cfg=dict(type="GN", num_groups=32),
        loss_seg=dict(type="CrossEntropyLoss", ignore_index=255, avg_non_ignore=True, loss_weight=1.0),
    ),
    test_cfg=dict(instance_masks="roi_head"),
)
make_targets = dict(type="SemanticFromMasks")
