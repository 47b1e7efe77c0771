# Changes: 5 epochs instead of 2, CARAFE-FPN.
# Why: Table 1 of Sarda & Sun, their best row (box AP50 .802, mask AP50 .752).
# Costs: 2.5 times the 2-epoch row.
_base_ = "./mask-rcnn_r50_carafe-fpn_sgd-lr0.009_2e_deepfashion.py"
max_epochs = 5
train_cfg = dict(max_epochs=max_epochs)
