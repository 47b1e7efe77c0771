"""The person's frame: a crop of the photo in the model's aspect, and what becomes of joints in it."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

Frame = Literal["upper", "body"]
FRAMES: tuple[Frame, ...] = ("upper", "body")

MARGIN = 0.06
"""Around the person, as a share of the height of what is to be seen."""

_UPPER_JOINTS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 16, 17])  # arms, head and hips
# Right and left of OpenPose's 18, swapped.
_MIRRORED = np.array([0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16])


class Box(NamedTuple):
    """A crop in whole pixels of the photo; it may reach over the photo's edges."""

    left: int
    top: int
    width: int
    height: int

    def padded_share(self, shape: tuple[int, int]) -> float:
        """The share of the crop that lies outside a photo of (height, width) `shape`."""
        height = max(0, min(self.top + self.height, shape[0]) - max(self.top, 0))
        width = max(0, min(self.left + self.width, shape[1]) - max(self.left, 0))
        return 1 - height * width / (self.height * self.width)


def person_box(
    head: np.ndarray, upper: np.ndarray, body: np.ndarray, joints: np.ndarray, aspect: float, frame: Frame = "upper"
) -> Box:
    """Chooses the crop around a person.

    `upper` frames them as VITON's photos are framed: head, upper garment, arms and hips, and nothing below but what the
    aspect brings. CP-VTON's GMM moves a control point by half a frame at most, so it can only learn garments that are
    large in the frame. `body` holds the whole person. The crop moves into the photo where it fits there.

    Args:
        head: bool `(H, W)`, of the photo's size; may be empty.
        upper: the upper garment, likewise, not empty.
        body: the silhouette, likewise.
        joints: `(18, 3)` in pixels of the photo, missing ones 0.
        aspect: width over height of the crop.
        frame: what is to be in it.
    """
    masks, which = ([body], slice(None)) if frame == "body" else ([head, upper], _UPPER_JOINTS)
    boxes = np.array([cv2.boundingRect(mask.view(np.uint8)) for mask in masks if mask.any()], float)
    found = joints[which][joints[which, 2] > 0, :2]
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], found])
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    margin = MARGIN * (bottom - top)
    height = max(bottom - top + 2 * margin, (right - left + 2 * margin) / aspect)
    width, height = round(height * aspect), round(height)
    # What the aspect adds above and below goes to the legs mostly: the head stays near the top, as in VITON.
    above = margin + 0.3 * max(0.0, height - (bottom - top) - 2 * margin)
    x, y = round((left + right - width) / 2), round(top - above)
    return Box(_inside(x, width, body.shape[1]), _inside(y, height, body.shape[0]), width, height)


def _inside(start: int, length: int, side: int) -> int:
    """Moves a span into [0, side] where it fits; else it lies over both edges alike."""
    return min(max(start, 0), side - length) if length <= side else (side - length) // 2


def crop(image: np.ndarray, box: Box, border: int) -> np.ndarray:
    """Cuts a crop out of a picture, uint8 `(H, W)` or `(H, W, 3)`.

    `border` is what is beyond the photo's edges: `cv2.BORDER_REPLICATE`, or `cv2.BORDER_CONSTANT` for 0.
    """
    height, width = image.shape[:2]
    top, left = max(0, -box.top), max(0, -box.left)
    bottom, right = max(0, box.top + box.height - height), max(0, box.left + box.width - width)
    inner = image[max(0, box.top) : box.top + box.height, max(0, box.left) : box.left + box.width]
    return cv2.copyMakeBorder(inner, top, bottom, left, right, border)


def move_joints(joints: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Joints `(18, 3)` in pixels of the crop after it is resized to `size` (height, width); 0 where outside."""
    scale = np.array([size[1] / box.width, size[0] / box.height])
    moved = joints.astype(np.float32)
    moved[:, :2] = (joints[:, :2] + 0.5 - (box.left, box.top)) * scale - 0.5  # a pixel's center stays one
    inside = (moved[:, :2] >= 0).all(1) & (moved[:, :2] <= (size[1] - 1, size[0] - 1)).all(1)
    moved[~inside | (joints[:, 2] <= 0)] = 0
    return moved


def mirror_joints(joints: np.ndarray, width: int) -> np.ndarray:
    """Joints `(18, 3)` of the mirrored picture of that width: right becomes left."""
    mirrored = joints[_MIRRORED].copy()
    found = mirrored[:, 2] > 0
    mirrored[found, 0] = width - 1 - mirrored[found, 0]
    return mirrored
