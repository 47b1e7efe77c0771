# Changes: tom_aux-seg with garments warped by gmm_cp-vton.
# Why: the row with auxiliary learning in TOM alone, on DressCode's upper-body garments.
# Costs: as tom_aux-seg; it uses the GMM of tom_cp-vton.
_base_ = ["./tom_cp-vton_256x192_200k_dresscode-upper.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
