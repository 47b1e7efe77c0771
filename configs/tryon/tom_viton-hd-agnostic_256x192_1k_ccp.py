# Changes: tom_cp-vton on VITON-HD's agnostic image and pose maps, warped by gmm_viton-hd-agnostic.
# Why: the representation of VITON-HD and later methods on real photographs.
# Costs: as tom_cp-vton.
_base_ = "./tom_cp-vton_256x192_1k_ccp.py"
pipeline = [dict(type="VITONHDAgnostic") if step.type == "CPVTONAgnostic" else step for step in _base_.pipeline]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = val_dataloader
model = dict(person_channels=21, warper=dict(config="configs/tryon/gmm_viton-hd-agnostic_256x192_1k_ccp.py"))
