# Changes: an auxiliary decoder on the two extractors' features.
# Why: Ayush et al.'s first stage on real photographs.
# Costs: 1.0 GMAC a pair and 2.7 M parameters more than gmm_cp-vton.
_base_ = ["./gmm_cp-vton_256x192_1k_ccp.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
