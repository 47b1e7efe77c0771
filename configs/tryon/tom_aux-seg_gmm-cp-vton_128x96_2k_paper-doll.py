# Changes: tom_aux-seg with garments warped by gmm_cp-vton.
# Why: the row with auxiliary learning in TOM alone, on two cores.
# Costs: as tom_aux-seg; it uses the GMM of tom_cp-vton.
_base_ = ["./tom_cp-vton_128x96_2k_paper-doll.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=dict(_base_.aux_head, base_channels=32, max_channels=128))
