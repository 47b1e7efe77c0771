"""CP-VTON's cloth-agnostic person representation (Wang et al., ECCV 2018), bit for bit as its published code makes it.

The published code draws 18 pictures an item, one a joint, and turns each into a tensor. Here a joint is a slice of one
array that is filled already, and levels become floats by a table of 256.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image

from seg_vton.labels import unions
from seg_vton.pose.joints import NUM_JOINTS

RADIUS = 5  # of CP-VTON's squares: 11 x 11 pixels
NUM_CHANNELS = 1 + 3 + NUM_JOINTS
_SHRINK = 16
# The same operations in the same order as torchvision's ToTensor and Normalize(.5, .5), so the same bits.
_UNIT = (np.arange(256, dtype=np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def to_unit(image: np.ndarray) -> np.ndarray:
    """Levels to [-1, 1]: uint8 `(H, W, 3)` or `(H, W)` becomes float32 `(3, H, W)` or `(1, H, W)`."""
    planes = cv2.split(image)
    unit = np.empty((len(planes), *image.shape[:2]), np.float32)
    for plane, levels in zip(unit, planes, strict=True):
        cv2.LUT(levels, _UNIT, dst=plane)
    return unit


def union_mask(parse: np.ndarray, ids: Iterable[int]) -> np.ndarray:
    """Where a parsing map, uint8 `(H, W)`, has one of `ids`: bool `(H, W)`."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = 1
    return cv2.LUT(parse, table).view(bool)


def body_shape(parse: np.ndarray, label_space: str) -> np.ndarray:
    """The blurred silhouette, float32 `(1, H, W)` in [-1, 1]: bilinear to a sixteenth and back, as Pillow does it.

    `parse` has uint8 ids `(H, W)`, both sides at least 16.
    """
    height, width = parse.shape
    silhouette = Image.fromarray(union_mask(parse, unions(label_space).body).view(np.uint8) * np.uint8(255))
    small = silhouette.resize((width // _SHRINK, height // _SHRINK), Image.Resampling.BILINEAR)
    return to_unit(np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)))


def mark_joints(maps: np.ndarray, joints: np.ndarray, radius: int = RADIUS) -> None:
    """Marks each joint in its map by a filled square of 1, cut off at the borders.

    A joint counts as found when x > 1 and y > 1, as in the published code. Corners are cut to whole pixels towards
    zero, as Pillow's `ImageDraw.rectangle` cuts them.

    Args:
        maps: float32 `(18, H, W)` of -1, changed in place.
        joints: float64 `(18, 2)`, x and y in pixels of the maps.
        radius: the side of a square is 2 radius + 1 pixels.
    """
    size = maps.shape[:0:-1]
    first = np.clip(np.trunc(joints - radius), 0, size).astype(int)
    last = np.clip(np.trunc(joints + radius) + 1, 0, size).astype(int)
    for index in np.flatnonzero((joints > 1).all(1)):
        (left, top), (right, bottom) = first[index], last[index]
        maps[index, top:bottom, left:right] = 1


def on_white(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The garment on white, float32 `(3, H, W)`: the image, in [-1, 1], where the mask `(H, W)` is, 1 elsewhere."""
    garment = np.ones_like(image)
    np.copyto(garment, image, where=mask)
    return garment


def cloth_agnostic(
    image: np.ndarray, parse: np.ndarray, joints: np.ndarray | None, label_space: str, radius: int = RADIUS
) -> np.ndarray:
    """The person without what they wear on the upper body.

    Args:
        image: float32 RGB `(3, H, W)` in [-1, 1].
        parse: uint8 ids `(H, W)`.
        joints: float64 `(18, 2)`, x and y in pixels; None for a person without a pose.
        label_space: of `parse`.
        radius: of the squares that mark joints, in pixels.

    Returns:
        float32 `(22, H, W)` in [-1, 1]: body shape 1 (`body_shape`); head 3, the image where it is and -1 elsewhere;
        pose 18 (`mark_joints`), of -1 and 1.
    """
    channels = np.full((NUM_CHANNELS, *parse.shape), -1, np.float32)
    channels[0] = body_shape(parse, label_space)[0]
    np.copyto(channels[1:4], image, where=union_mask(parse, unions(label_space).head))
    if joints is not None:
        mark_joints(channels[4:], joints, radius)
    return channels
