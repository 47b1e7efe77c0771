# GMM with the auxiliary decoder on the features of its two extractors.
_base_ = ["./gmm.py", "./aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
