# TOM with a second, auxiliary decoder on the features of its U-Net's encoder.
_base_ = ["./tom.py", "./aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
