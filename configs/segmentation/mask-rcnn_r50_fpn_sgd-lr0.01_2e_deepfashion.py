# Changes: learning rate 0.01.
# Why: Table 1 of Sarda & Sun (box AP50 .599, mask AP50 .574).
# Costs: as the row with 0.009.
_base_ = "./mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py"
optim_wrapper = dict(optimizer=dict(lr=0.01))
