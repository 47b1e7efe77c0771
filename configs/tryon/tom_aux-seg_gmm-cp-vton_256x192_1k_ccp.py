# Changes: a second decoder on the U-Net's encoder; garments warped by gmm_cp-vton.
# Why: Ayush et al.'s auxiliary learning in TOM alone, on real photographs.
# Costs: as tom_aux-seg; it uses the GMM of tom_cp-vton.
_base_ = ["./tom_cp-vton_256x192_1k_ccp.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
