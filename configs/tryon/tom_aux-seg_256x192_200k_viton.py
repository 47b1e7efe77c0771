# Changes: tom_aux-seg_gmm-cp-vton with garments warped by gmm_aux-seg.
# Why: Ayush et al., auxiliary learning in both stages (FID 18.93, SSIM .712, MS-SSIM .767, PSNR 15.19).
# Costs: as tom_aux-seg_gmm-cp-vton.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/viton.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(warper=dict(config="configs/tryon/gmm_aux-seg_256x192_200k_viton.py"))
