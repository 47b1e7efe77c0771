# Changes: tom_cp-vton_official with a second decoder on the U-Net's encoder.
# Why: tom_aux-seg_gmm-cp-vton on the published code as it runs.
# Costs: as tom_aux-seg; it reads the garments that tom_cp-vton_official reads.
_base_ = ["./tom_cp-vton_official_256x192_200k_dresscode-upper.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
