# Changes: Adam with learning rate 0.0164 instead of SGD.
# Why: Table 1 of Sarda & Sun, their weakest row (box AP50 .238, mask AP50 .205).
# Costs: as SGD, plus a second moment: 0.18 GB more optimizer state.
_base_ = "./mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py"
optim_wrapper = dict(optimizer=dict(_delete_=True, type="Adam", lr=0.0164, weight_decay=0.0001, fused=True))
