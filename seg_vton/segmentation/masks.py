"""How instance masks lie in memory, and how they travel from the loader's workers to the mask head's targets.

`BitmapMasks` holds a byte a pixel, NumPy's arrays go through a pipe, and a photograph at the paper's size has eight
megabytes of masks: copying them took longer than reading the photograph. Here they go a bit a pixel, up to the GPU.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from multiprocessing.reduction import ForkingPickler
from typing import Any

import cv2
import numpy as np
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


def row_major(masks: BitmapMasks) -> BitmapMasks:
    """The masks (N, H, W) with their rows in one piece each: themselves if it is so already.

    pycocotools decodes column by column, and all that reads such masks by rows is slow: a flip takes six times as long.
    """
    if masks.masks.flags.c_contiguous:
        return masks
    if masks.masks.dtype == np.uint8 and all(mask.flags.f_contiguous for mask in masks.masks):
        rows = np.stack([cv2.transpose(mask.T) for mask in masks.masks])  # five times as fast as NumPy
    else:
        rows = np.ascontiguousarray(masks.masks)
    return BitmapMasks(rows, masks.height, masks.width)


class PackedMasks(BitmapMasks):
    """Masks of 0 and 1 that are kept as bits until somebody asks for their pixels, which are then kept instead.

    Args:
        bits: uint8 (N, H, W / 8 rounded up), as `np.packbits` makes them of rows.
        height: H.
        width: W.
        dtype: of the pixels, uint8 or bool.
    """

    def __init__(self, bits: np.ndarray, height: int, width: int, dtype: str) -> None:
        self.bits, self.height, self.width, self.dtype = bits, height, width, dtype

    @cached_property
    def masks(self) -> np.ndarray:
        """The pixels (N, H, W)."""
        bits, self.bits = self.bits, None  # who changes the pixels must not find the old ones there
        return np.unpackbits(bits, axis=2, count=self.width).view(self.dtype)

    def __len__(self) -> int:
        """The number of masks."""
        return len(self.masks if self.bits is None else self.bits)

    def pad(self, out_shape: tuple[int, int], pad_val: int = 0) -> BitmapMasks:
        """See `BitmapMasks.pad`."""
        if pad_val or self.bits is None:
            return super().pad(out_shape, pad_val)
        (height, width), (count, rows, columns) = out_shape, self.bits.shape
        bits = np.zeros((count, height, (width + 7) // 8), np.uint8)
        bits[:, :rows, :columns] = self.bits
        return PackedMasks(bits, height, width, self.dtype)


def pixels_on(device: torch.device, masks: Sequence[BitmapMasks]) -> Tensor:
    """The masks of a batch, all of one size, as one tensor (N, H, W).

    A GPU gets them as bits where they are bits, and the process does not wait for it.
    """
    if device.type != "cuda" or any(getattr(each, "bits", None) is None for each in masks):
        return torch.from_numpy(np.concatenate([each.masks for each in masks])).to(device)
    bits = torch.from_numpy(np.concatenate([each.bits for each in masks])).pin_memory()
    return unpack_bits(bits.to(device, non_blocking=True), masks[0].width)


def unpack_bits(bits: Tensor, width: int) -> Tensor:
    """`np.unpackbits` of rows on any device: uint8 (N, H, W / 8 rounded up) to (N, H, W)."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
    return (bits[..., None] >> shifts & 1).flatten(2)[..., :width]


def _pack(masks: BitmapMasks) -> tuple[Callable[..., BitmapMasks], tuple[Any, ...]]:
    """For multiprocessing's pickler: a bit a pixel where a pixel is 0 or 1, else as pickle does it."""
    pixels = masks.masks
    if pixels.dtype not in (np.uint8, np.bool_) or pixels.max(initial=0) > 1:
        return masks.__reduce_ex__(4)
    bits = np.packbits(row_major(masks).masks, axis=2)
    return PackedMasks, (bits, masks.height, masks.width, pixels.dtype.name)


# What multiprocessing offers for the types it sends; saving and copying masks elsewhere stay as they are.
ForkingPickler.register(BitmapMasks, _pack)


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
