# The pieces of the CARAFE ablation, for rows to place: `carafe` is the upsampler of the mask head, `carafe_fpn` the neck
# with CARAFE in the top-down path, `nearest_fpn` the same neck with nearest neighbor instead (its extra level P6 is made
# by convolutions, 5.31 M parameters, where FPN takes a max-pool; CARAFE itself has 0.30 M). Settings of Wang et al., ICCV 2019.
carafe_settings = dict(
    type="carafe", up_kernel=5, up_group=1, encoder_kernel=3, encoder_dilation=1, compressed_channels=64
)
carafe = dict(carafe_settings, scale_factor=2)
carafe_fpn = dict(type="FPN_CARAFE", upsample_cfg=carafe_settings)
nearest_fpn = dict(type="FPN_CARAFE", upsample_cfg=dict(type="nearest"))
