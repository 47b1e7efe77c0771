"""Test-time augmentation of instance segmentation; mmdet's own merges boxes only."""

from typing import Any

import torch
from mmcv.ops import batched_nms
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData

from seg_vton.segmentation.panoptic import ranked_map


@MODELS.register_module()
class InstanceTTAModel(BaseTTAModel):
    """Pools the instances of all views of an image, in the photograph's frame, and keeps one of each by NMS.

    A map of labels is of the mean of the views' probabilities.

    Args:
        tta_cfg: `nms` (type and IoU threshold) and `max_per_img`.
        kwargs: `module`, the detector, and what `BaseTTAModel` takes.
    """

    def __init__(self, tta_cfg: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tta_cfg = tta_cfg
        if hasattr(self.module, "keep_logits"):
            self.module.keep_logits = True

    def merge_preds(self, data_samples_list: list[list[DetDataSample]]) -> list[DetDataSample]:
        """Merges the views of each image.

        Args:
            data_samples_list: for each image its views, each with `pred_instances` of `bboxes` (N, 4) x1, y1, x2, y2 in
                pixels, `scores` (N,), `labels` (N,), `masks` (N, H, W) boolean, and `flip`, `flip_direction`,
                `ori_shape`.

        Returns:
            One sample an image, instances by falling score; all else in it is that of a view that is not flipped.
        """
        samples = []
        for views in data_samples_list:
            pooled = InstanceData.cat([self._unflip(view) for view in views])
            if len(pooled):
                _, keep = batched_nms(pooled.bboxes, pooled.scores, pooled.labels, self.tta_cfg["nms"])
                pooled = pooled[keep[: self.tta_cfg["max_per_img"]]]
            # The ground truth of a flipped view is flipped too, and would be painted so.
            samples.append(next((view for view in views if not view.flip), views[0]).clone())
            samples[-1].pred_instances = pooled
            if "seg_logits" in views[0]:
                turned = (torch.flip(v.seg_logits.seg_logits.softmax(0), _axes(v)) for v in views)
                samples[-1].pred_sem_seg = ranked_map(sum(turned))
                del samples[-1].seg_logits
        return samples

    @staticmethod
    def _unflip(view: DetDataSample) -> InstanceData:
        instances = view.pred_instances.clone()
        if view.flip:
            instances.bboxes = bbox_flip(instances.bboxes, view.ori_shape, view.flip_direction)
            instances.masks = torch.flip(instances.masks, _axes(view))
        return instances


def _axes(view: DetDataSample) -> list[int]:
    """The axes of `(N, H, W)` along which a view is flipped."""
    return {"horizontal": [2], "vertical": [1], "diagonal": [1, 2]}[view.flip_direction] if view.flip else []
