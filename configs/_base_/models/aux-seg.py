# The auxiliary decoder of Ayush et al. for either stage: the segmentation of the person who wears the garment, with a
# cross-entropy that weighs background and skin more. The paper leaves classes, weights and the decoder open: these are ours.
aux_head = dict(
    type="AuxSegHead",
    label_space="tryon8",
    class_weight=dict(background=1.5, skin=1.5),
    loss_weight=1.0,
)
