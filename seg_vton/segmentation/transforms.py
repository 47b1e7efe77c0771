"""Steps of the data pipeline: one that does less work than mmdet's for the same result, and targets for a label map."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import Resize
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks

from seg_vton.errors import UserError
from seg_vton.labels import IGNORE_INDEX
from seg_vton.parsing.instances import space_of
from seg_vton.parsing.label_map import merge_truth
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


@TRANSFORMS.register_module()
class SemanticFromMasks(BaseTransform):
    """Makes the target of a semantic head, `gt_seg_map`, of the instance masks at their present size.

    `gt_seg_map` is uint8 `(H, W)`: 0 the background, i + 1 the data set's class i, 255 in crowd regions. Where masks
    overlap the layers of the classes' label space decide, see `seg_vton.parsing.label_map`. It stands after the steps
    that move pixels and before those that drop instances, as `FilterAnnotations` does: these would be background.

    Raises:
        UserError: items have no class names, which mmdet's data sets give with `return_classes=True`.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the map to an item that has `gt_masks`, `gt_bboxes_labels` and `gt_ignore_flags`."""
        if "text" not in results:
            raise UserError("SemanticFromMasks needs the names of the classes: give the data set return_classes=True")
        space = space_of(results["text"])
        ids = np.array([space.id_of(name) for name in results["text"]])
        masks, crowd = results["gt_masks"].to_ndarray().astype(bool), results["gt_ignore_flags"].astype(bool)
        truth = merge_truth(masks, ids[results["gt_bboxes_labels"]], crowd, space.name)
        own = np.full(IGNORE_INDEX + 1, IGNORE_INDEX, np.uint8)  # from the space's ids to the classes' order
        own[0], own[ids] = 0, np.arange(1, len(ids) + 1)
        results["gt_seg_map"], results["ignore_index"] = own[truth], IGNORE_INDEX
        return results
