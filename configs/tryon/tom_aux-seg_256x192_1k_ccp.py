# Changes: a second decoder on the U-Net's encoder; garments warped by gmm_aux-seg.
# Why: Ayush et al.'s full method on real photographs.
# Costs: 1.5 GMAC a pair and 5.5 M parameters more than tom_cp-vton.
_base_ = ["./tom_cp-vton_256x192_1k_ccp.py", "../_base_/models/aux-seg.py"]
model = dict(
    aux_head=_base_.aux_head,
    warper=dict(
        config="configs/tryon/gmm_aux-seg_256x192_1k_ccp.py",
        checkpoint="work_dirs/gmm_aux-seg_256x192_1k_ccp/iter_1000.pth",
    ),
)
