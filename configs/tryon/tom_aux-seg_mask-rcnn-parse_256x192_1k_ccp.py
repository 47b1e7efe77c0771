# Changes: tom_aux-seg with parsing maps that Mask R-CNN predicts, and the gmm_aux-seg trained on them.
# Why: true parsing maps against predicted ones on real photographs, for the try-on.
# Costs: as tom_aux-seg; before it tools/parse.py over all photos.
_base_ = [
    "../_base_/models/tom_aux-seg.py",
    "../_base_/datasets/mask-rcnn-parse_ccp.py",
    "../_base_/schedules/adam_1k.py",
    "../_base_/tryon_runtime.py",
]
model = dict(loss_perceptual=None, warper=dict(config="configs/tryon/gmm_aux-seg_mask-rcnn-parse_256x192_1k_ccp.py"))
default_hooks = dict(checkpoint=dict(interval=250))
