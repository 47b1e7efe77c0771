"""The 3:4 windows in which the models see a person and a garment.

VITON's photos show a person from the head to the thighs, its in-shop pictures a garment that nearly fills the width or
the height. What a user brings is of any shape and is cut to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from seg_vton.parsing.label_map import Regions

ASPECT = 3 / 4
"""Width by height of the models' images."""

FILL = 0.88
"""Share of a window's width or height that a garment fills; the paper doll's in-shop pictures have the same."""

_ABOVE, _BELOW, _BESIDE = 0.08, 0.12, 0.04  # shares of the window left free around head, trunk and arms
_WHOLE = 0.85  # from this share of the largest window on, that is taken: the photo is framed already
_SPECK = 0.02  # parts of a mask below this share of it do not count
_UPPER_BODY = (*range(9), 11, 14, 15, 16, 17)  # of OpenPose's 18: head, arms, hips


class Box(NamedTuple):
    """A window of a picture, in whole pixels; `right` and `bottom` are the first outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns, of a box that lies in its picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scaled(self, scale: float) -> Box:
        """The same window in the picture resized by `scale`, rounded."""
        return Box(*(round(scale * side) for side in self))


def extent(mask: np.ndarray) -> Box:
    """The bounding box of a mask without its specks.

    Args:
        mask: bool `(H, W)`, not empty.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    parts = stats[1:]
    left, top, width, height = parts[parts[:, 4] >= _SPECK * parts[:, 4].sum(), :4].T
    return Box(int(left.min()), int(top.min()), int((left + width).max()), int((top + height).max()))


def person_box(regions: Regions, joints: np.ndarray | None) -> Box:
    """The window from above the head to below the hips and the upper garments.

    It holds head, upper garments and the body beside them; with joints also arms and hips. A photo that is framed like
    this already is taken as large as 3:4 allows.

    Args:
        regions: head, upper garment (not empty) and body, bool `(H, W)` in the photo's frame.
        joints: `(18, 2)` or `(18, 3)`, x and y in pixels in OpenPose's order, 0 or less where missing; or None.

    Returns:
        A box of 3:4, to a pixel, that lies in the photo. Where the photo is too narrow or too low for one with all of
        the person, the box has the photo's whole width or height.
    """
    photo_height, photo_width = regions.upper.shape
    seen = extent(regions.head | regions.upper)
    beside = regions.body.copy()
    beside[: seen.top], beside[seen.bottom :] = False, False
    sides = extent(beside | regions.upper)
    corners = [[sides.left, seen.top], [sides.right, seen.bottom], *_found(joints, regions.upper.shape)]
    (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
    largest = min(photo_height, photo_width / ASPECT)
    height = max((bottom - top) / (1 - _ABOVE - _BELOW), (right - left) / (1 - 2 * _BESIDE) / ASPECT)
    height = largest if height >= _WHOLE * largest else height
    rows, columns = min(round(height), photo_height), min(round(height * ASPECT), photo_width)
    x = round(np.clip((left + right - columns) / 2, 0, photo_width - columns))
    y = round(np.clip(top - _ABOVE * rows, 0, photo_height - rows))
    return Box(x, y, x + columns, y + rows)


def _found(joints: np.ndarray | None, size: tuple[int, int]) -> Sequence[Sequence[float]]:
    """The joints of head, arms and hips that are there, drawn into the photo where they lie outside."""
    if joints is None:
        return []
    upper = joints[list(_UPPER_BODY), :2]
    return np.clip(upper[(upper > 0).all(1)], 0, size[::-1]).tolist()


def garment_box(mask: np.ndarray) -> Box:
    """The window around a garment, which fills `FILL` of its width or height and lies in the middle.

    A picture of 3:4 in which the garment already fills most of the width or the height is taken whole.

    Args:
        mask: bool `(H, W)`, not empty.

    Returns:
        A box of 3:4, to a pixel; it may reach beyond the picture.
    """
    height, width = mask.shape
    garment = extent(mask)
    rows, columns = garment.size
    if abs(width - ASPECT * height) <= 1 and max(rows / height, columns / width) >= _WHOLE * FILL:
        return Box(0, 0, width, height)
    side = max(rows, columns / ASPECT) / FILL
    size = round(side), round(ASPECT * side)
    x, y = round((garment.left + garment.right - size[1]) / 2), round((garment.top + garment.bottom - size[0]) / 2)
    return Box(x, y, x + size[1], y + size[0])


def cut_out(picture: np.ndarray, box: Box, fill: int) -> np.ndarray:
    """A window of a picture; what lies outside has the value `fill`.

    Args:
        picture: `(H, W)` or `(H, W, C)`.
        box: the window; it may reach beyond the picture.
        fill: level of the pixels outside.

    Returns:
        A new array `(*box.size)` or `(*box.size, C)` of the picture's type.
    """
    height, width = picture.shape[:2]
    window = np.full((*box.size, *picture.shape[2:]), fill, picture.dtype)
    rows = slice(max(box.top, 0), min(box.bottom, height))
    columns = slice(max(box.left, 0), min(box.right, width))
    inside = slice(rows.start - box.top, rows.stop - box.top), slice(columns.start - box.left, columns.stop - box.left)
    window[inside] = picture[rows, columns]
    return window
