# Changes: nothing; the row that all others differ from: R50-FPN, SGD, learning rate 0.009, 2 epochs.
# Why: Table 1 of Sarda & Sun, their best FPN baseline (box AP50 .602, mask AP50 .570).
# Costs: 6816 iterations of 2 images; not run here (the data is gated).
_base_ = [
    "../_base_/models/mask-rcnn_r50_fpn.py",
    "../_base_/datasets/deepfashion.py",
    "../_base_/schedules/sgd_2e.py",
    "../_base_/default_runtime.py",
]
