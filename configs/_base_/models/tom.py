# CP-VTON's Try-On Module: L1 and perceptual loss of the try-on, L1 between the composition mask and the warped mask.
# The garment is warped on the fly by the trained GMM whose config a row names; its checkpoint is where `tools/train.py` leaves
# it unless `warper.checkpoint` names another. Rows named `official` have the published code's output norm and VGG input.
model = dict(
    type="TOM",
    output_norm=False,  # the paper does not mention one
    loss_l1=dict(type="L1Loss", loss_weight=1.0),
    # Downloaded when a training starts; without a network --cfg-options model.loss_perceptual.weights=FILE (torchvision's).
    loss_perceptual=dict(type="PerceptualLoss", weights="torchvision://vgg19", loss_weight=1.0, input_range="imagenet"),
    loss_mask=dict(type="L1Loss", loss_weight=1.0),
    mask_target="warped_mask",  # as sampled, soft at its edge; published masks are cut at 128
    data_preprocessor=dict(type="TryOnDataPreprocessor"),
)
