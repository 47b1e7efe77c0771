# CP-VTON's Geometric Matching Module: 5 x 5 control points, L1 between the warped garment and the one on the person.
# As the paper has it; `align_corners=False`, which shifts the published grid, is in the rows named `official`.
model = dict(
    type="GMM",
    image_size=(256, 192),
    grid_size=5,
    align_corners=True,
    loss_warp=dict(type="L1Loss", loss_weight=1.0),
    data_preprocessor=dict(type="TryOnDataPreprocessor"),
)
