"""What mmdet lacks for clothing segmentation: data sets, pipeline steps, a parsing branch, metrics, augmented tests."""

from seg_vton.segmentation.quick_import import quick_import

with quick_import():  # before all that imports them
    import mmdet.datasets  # noqa: F401

# Each registers what it has.
from seg_vton.segmentation import datasets, half, masks, metrics, painting, panoptic, transforms, tta  # noqa: F401
