# Changes: starts from mmdet's COCO Mask R-CNN instead of ImageNet; the outputs for 80 classes, boxes and masks start at random.
# Why: the baseline of the qualitative figures of Sarda & Sun.
# Costs: as the FPN row, and one download of 170 MB.
_base_ = "./mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py"
load_from = "https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r50_fpn_1x_coco/mask_rcnn_r50_fpn_1x_coco_20200205-d4b0c5d6.pth"
