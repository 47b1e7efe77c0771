"""How instance masks lie in memory, and how they travel from the loader's workers to the training.

`BitmapMasks` holds a byte a pixel, NumPy's arrays go through a pipe, and a photograph at the paper's size has eight
megabytes of masks: copying them took longer than reading the photograph. Here they go a bit a pixel.
"""

from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

import cv2
import numpy as np
from mmdet.structures.mask import BitmapMasks


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


def _unpack(bits: np.ndarray, count: int, height: int, width: int, dtype: str) -> BitmapMasks:
    pixels = np.unpackbits(bits, count=count * height * width).reshape(count, height, width)
    return BitmapMasks(pixels.view(dtype), height, width)


def _pack(masks: BitmapMasks) -> tuple[Callable[..., BitmapMasks], tuple[Any, ...]]:
    """For multiprocessing's pickler: a bit a pixel where a pixel is 0 or 1, else as pickle does it."""
    pixels = masks.masks
    if pixels.dtype not in (np.uint8, np.bool_) or pixels.max(initial=0) > 1:
        return masks.__reduce_ex__(4)
    bits = np.packbits(row_major(masks).masks.reshape(-1))
    return _unpack, (bits, len(pixels), masks.height, masks.width, pixels.dtype.name)


# What multiprocessing offers for the types it sends; saving and copying masks elsewhere stay as they are.
ForkingPickler.register(BitmapMasks, _pack)
