"""What mmdet lacks for clothing segmentation: data sets, pipeline steps, metrics, test-time augmentation with masks."""

from seg_vton.segmentation import half
from seg_vton.segmentation.datasets import ClothingDataset
from seg_vton.segmentation.metrics import InstanceAP
from seg_vton.segmentation.transforms import ResizeWhereNeeded
from seg_vton.segmentation.tta import InstanceTTAModel

__all__ = ["ClothingDataset", "InstanceAP", "InstanceTTAModel", "ResizeWhereNeeded", "half"]
