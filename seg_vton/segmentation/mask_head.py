"""The mask head of a training that does not wait for its GPU once an image."""

import torch
from mmcv.ops import roi_align
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.modules.utils import _pair

from seg_vton.segmentation.masks import pixels_on


@MODELS.register_module()
class BatchedTargetsMaskHead(FCNMaskHead):
    """mmdet's `FCNMaskHead`, which cuts the mask targets of a whole batch in one step, where the model is.

    mmdet takes the boxes of each image to the CPU, copies an instance's mask as a float for each of its boxes, and
    brings the targets back through NumPy. Targets, arguments, parameters and their names are the same.
    """

    def get_targets(
        self,
        sampling_results: list[SamplingResult],
        batch_gt_instances: list[InstanceData],
        rcnn_train_cfg: ConfigDict,
    ) -> Tensor:
        """The target of each positive box in the order of the images, float32 (boxes, *mask_size) of 0 and 1."""
        masks, size = [each.masks for each in batch_gt_instances], _pair(rcnn_train_cfg.mask_size)
        boxes = torch.cat([each.pos_priors for each in sampling_results])
        height, width = masks[0].height, masks[0].width
        alike = all(isinstance(m, BitmapMasks) and (m.height, m.width) == (height, width) for m in masks)
        if not alike or not len(boxes):  # polygons, or masks that the preprocessor did not pad to one size
            return super().get_targets(sampling_results, batch_gt_instances, rcnn_train_cfg)
        first, instances = 0, []
        for sampled, own in zip(sampling_results, masks, strict=True):
            instances.append(sampled.pos_assigned_gt_inds + first)
            first += len(own)
        x, y = boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)
        rois = torch.stack((torch.cat(instances).to(boxes), x[:, 0], y[:, 0], x[:, 1], y[:, 1]), 1)
        pixels = pixels_on(boxes.device, masks)[:, None].to(boxes)
        targets = roi_align(pixels, rois, size, 1.0, 0, "avg", True).squeeze(1)
        return targets if rcnn_train_cfg.get("soft_mask_target", False) else (targets >= 0.5).float()
