"""A garment's outline and frame in a photo: what is before a plain background, and the window around it."""

import cv2
import numpy as np

from seg_vton.pictures.crop import Box
from seg_vton.pictures.photos import limited

FILL = 0.88
"""Share of its window's width or height that a garment fills; the paper doll's in-shop pictures have the same."""

WORKING_SIDE = 1024
"""Pixels of the longer side at which a background is looked at and hidden parts are painted in."""

_WHOLE = 0.75  # a picture of 3:4 whose garment fills so much is framed already
_SPECK = 0.02  # parts of a mask below this share of it do not count
_BORDER = 0.02  # width of the border that the background's color is taken from, as a share of the shorter side
_EVEN = 9.0  # CIELAB: a background is plain when nine tenths of the border differ less from its middle
_SEEN = 4.0  # CIELAB: what differs less from a perfectly even background cannot be told from it


def garment_box(mask: np.ndarray, aspect: float) -> Box:
    """The window around a garment, which fills `FILL` of its width or height and lies in the middle.

    A picture of the models' aspect in which the garment already fills most of the width or the height is taken whole.

    Args:
        mask: bool `(H, W)`, not empty.
        aspect: width by height of the box.

    Returns:
        The box; it may reach beyond the picture.
    """
    height, width = mask.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    parts = stats[1:][areas >= min(_SPECK * areas.sum(), areas.max())]  # a mask of dust alone has no larger part
    first, last = parts[:, :2].min(0), (parts[:, :2] + parts[:, 2:4]).max(0)
    columns, rows = last - first
    if abs(width - aspect * height) <= 1 and max(rows / height, columns / width) >= _WHOLE:
        return Box(0, 0, width, height)
    side = max(rows, columns / aspect) / FILL
    size = np.array([round(aspect * side), round(side)])
    return Box(*map(int, np.round((first + last - size) / 2)), *map(int, size))


def plain_background_mask(photo: np.ndarray) -> np.ndarray | None:
    """The largest thing before a plain background.

    The background is what is of the border's color and connected to the border; how much the border's own color
    varies says what counts as the same.

    Args:
        photo: RGB uint8 `(H, W, 3)`.

    Returns:
        bool `(H, W)`, without holes, empty where there is nothing; None where the background is not plain.
    """
    lab = cv2.cvtColor(limited(photo, WORKING_SIDE).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    width = max(1, round(_BORDER * min(lab.shape[:2])))
    border = np.ones(lab.shape[:2], bool)
    border[width:-width, width:-width] = False
    distance = np.linalg.norm(lab - np.median(lab[border], axis=0), axis=2)
    spread = float(np.quantile(distance[border], 0.9))
    if spread > _EVEN:
        return None
    different = distance > max(_SEEN, 2 * spread)
    # The thing is what the background does not reach from the border: stripes of its color inside belong to it.
    _, parts = cv2.connectedComponents((~different).astype(np.uint8), connectivity=4)
    reached = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    inside = different | ~np.isin(parts, reached)
    _, things, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    if len(stats) == 1:
        return np.zeros(photo.shape[:2], bool)
    thing = (things == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.float32)
    return cv2.resize(thing, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
