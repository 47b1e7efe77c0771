# Changes: nothing; all other TOM rows differ from this one: CP-VTON's TOM on VITON.
# Why: Ayush et al., the baseline of their table (FID 20.31, SSIM .698, MS-SSIM .744, PSNR 14.54).
# Costs: 200k iterations of 4 pairs, 8.5 GMAC a pair forward and the GMM's; not run here (the data is withdrawn).
_base_ = [
    "../_base_/models/tom.py",
    "../_base_/datasets/viton.py",
    "../_base_/schedules/adam_200k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(warper=dict(config="configs/tryon/gmm_cp-vton_256x192_200k_viton.py"))
