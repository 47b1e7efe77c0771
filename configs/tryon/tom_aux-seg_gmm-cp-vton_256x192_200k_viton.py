# Changes: tom_cp-vton with a second decoder on the U-Net's encoder.
# Why: Ayush et al., auxiliary learning in TOM alone (FID 19.87, SSIM .701, MS-SSIM .750, PSNR 14.64).
# Costs: 1.5 GMAC a pair and 5.5 M parameters more than tom_cp-vton, whose GMM it uses.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/viton.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(warper=dict(config="configs/tryon/gmm_cp-vton_256x192_200k_viton.py"))
