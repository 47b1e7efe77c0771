# CP-VTON's Geometric Matching Module: 5 x 5 control points, L1 between the warped garment and the one on the person.
# As the paper has it; the rows named `official` have `align_corners=False`, which the published code means on PyTorch from 1.3
# on. Checkpoints trained with PyTorch 0.4, which that code names, want True.
model = dict(
    type="GMM",
    image_size=(256, 192),
    grid_size=5,
    align_corners=True,
    loss_warp=dict(type="L1Loss", loss_weight=1.0),
    data_preprocessor=dict(type="TryOnDataPreprocessor"),
)
