# Changes: an auxiliary decoder, half as wide as at 256 x 192, on the two extractors' features.
# Why: Ayush et al.'s first stage on two cores.
# Costs: about half as much again as gmm_cp-vton.
_base_ = ["./gmm_cp-vton_128x96_3k_paper-doll.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=dict(_base_.aux_head, base_channels=32, max_channels=128))
