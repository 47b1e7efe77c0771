# Changes: gmm_cp-vton_official with an auxiliary decoder on the two extractors' features.
# Why: gmm_aux-seg on the published code as it runs.
# Costs: as gmm_aux-seg.
_base_ = ["./gmm_cp-vton_official_256x192_200k_paper-doll.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
