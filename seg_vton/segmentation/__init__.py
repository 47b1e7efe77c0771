"""What mmdet lacks for clothing segmentation: data sets, pipeline steps, a parsing branch, metrics, augmented tests."""

from seg_vton.segmentation.quick_import import quick_import

with quick_import():  # before all that imports them
    import mmdet.datasets  # noqa: F401

from seg_vton.segmentation import half
from seg_vton.segmentation.datasets import ClothingDataset
from seg_vton.segmentation.masks import BatchedTargetsMaskHead
from seg_vton.segmentation.metrics import InstanceAP
from seg_vton.segmentation.painting import InstanceVisualizer
from seg_vton.segmentation.panoptic import PanopticMaskRCNN, SemanticFPNHead
from seg_vton.segmentation.transforms import ResizeWhereNeeded, SemanticFromMasks
from seg_vton.segmentation.tta import InstanceTTAModel

__all__ = [
    "BatchedTargetsMaskHead",
    "ClothingDataset",
    "InstanceAP",
    "InstanceTTAModel",
    "InstanceVisualizer",
    "PanopticMaskRCNN",
    "ResizeWhereNeeded",
    "SemanticFPNHead",
    "SemanticFromMasks",
    "half",
]
