"""Steps of the data pipeline that do less work than mmdet's for the same result."""

from typing import Any

from mmdet.datasets.transforms import Resize
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks

from seg_vton.segmentation.masks import row_major


@TRANSFORMS.register_module()
class ResizeWhereNeeded(Resize):
    """mmdet's `Resize`, which does not resample masks that have the new size already.

    Photographs of DeepFashion have the size the paper trains at, and mmdet resamples every mask of them all the same,
    a third of the time an item takes. Arguments and results are those of `Resize`.
    """

    def _resize_masks(self, results: dict[str, Any]) -> None:
        masks = results.get("gt_masks")
        if masks is None or (masks.height, masks.width) != tuple(results["img_shape"]):
            super()._resize_masks(results)
        elif isinstance(masks, BitmapMasks):
            results["gt_masks"] = row_major(masks)
