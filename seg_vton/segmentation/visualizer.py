"""What is painted over the images of a test."""

from typing import Any

import numpy as np
from mmdet.registry import VISUALIZERS
from mmdet.visualization import DetLocalVisualizer


@VISUALIZERS.register_module()
class InstanceVisualizer(DetLocalVisualizer):
    """mmdet's, which leaves label maps out: they would hide the instances, and mmdet has no color for a background."""

    def _draw_sem_seg(self, image: np.ndarray, *_: Any) -> np.ndarray:
        return image
