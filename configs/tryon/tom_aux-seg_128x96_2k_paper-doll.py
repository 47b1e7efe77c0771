# Changes: a second decoder, half as wide as at 256 x 192; garments warped by gmm_aux-seg.
# Why: Ayush et al.'s full method on two cores.
# Costs: about a third more than tom_cp-vton.
_base_ = ["./tom_cp-vton_128x96_2k_paper-doll.py", "../_base_/models/aux-seg.py"]
model = dict(
    aux_head=dict(_base_.aux_head, base_channels=32, max_channels=128),
    warper=dict(
        config="configs/tryon/gmm_aux-seg_128x96_3k_paper-doll.py",
        checkpoint="work_dirs/gmm_aux-seg_128x96_3k_paper-doll/iter_3000.pth",
    ),
)
