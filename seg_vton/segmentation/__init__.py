"""What mmdet lacks for clothing segmentation: data sets, metrics, result files."""

from seg_vton.segmentation.metrics import InstanceAP

__all__ = ["InstanceAP"]
