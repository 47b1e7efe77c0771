# Changes: tom_aux-seg with garments warped by gmm_cp-vton.
# Why: Ayush et al., auxiliary learning in TOM alone (FID 19.87, SSIM .701, MS-SSIM .750, PSNR 14.64).
# Costs: as tom_aux-seg; it uses the GMM of tom_cp-vton.
_base_ = ["./tom_cp-vton_256x192_200k_viton.py", "../_base_/models/aux-seg.py"]
model = dict(aux_head=_base_.aux_head)
