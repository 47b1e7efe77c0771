# CP-VTON's Try-On Module: L1 and perceptual loss of the try-on, L1 between the composition mask and the warped mask.
# The garment is warped on the fly by the trained GMM that a row names; its checkpoint is where `tools/train.py` leaves it.
# As the paper has it, with VGG fed as it was trained; the published code's output norm and VGG input are in the rows
# named `official`. VGG19's weights are torchvision's: --cfg-options model.loss_perceptual.weights=FILE
model = dict(
    type="TOM",
    output_norm=False,
    loss_l1=dict(type="L1Loss", loss_weight=1.0),
    loss_perceptual=dict(type="PerceptualLoss", weights=None, loss_weight=1.0, input_range="imagenet"),
    loss_mask=dict(type="L1Loss", loss_weight=1.0),
    mask_target="warped_mask",
    data_preprocessor=dict(type="TryOnDataPreprocessor"),
)
