"""The upper garment of a person: which pixels, what hides it, and laying it out on white."""

from typing import Literal

import cv2
import numpy as np

from seg_vton.data.photo_pairs.warp import inverse_map, sample
from seg_vton.labels import DEEPFASHION15, get_space, unions

Choice = Literal["union", "single"]

OTHERS = 0.1
"""With `single`: the largest share of the upper garments that the others may have."""

SPECK = 0.01
"""Parts of the garment up to this share of it are specks of the labels and left out."""


def upper_garment(label_map: np.ndarray, choice: Choice, space: str = DEEPFASHION15.name) -> np.ndarray | None:
    """The garment that is tried on, bool `(H, W)` without specks; None where `single` finds several garments.

    Args:
        label_map: uint8 `(H, W)` ids of `space`.
        choice: `union` takes all upper garments (top, dress, outer) as one: what CP-VTON replaces and what a person's
            `parse_cloth` shows. `single` takes the class with the most pixels, where the others have no more than
            `OTHERS` of the union.
        space: name of the label space.
    """
    ids = unions(space).upper
    areas = np.bincount(label_map.ravel(), minlength=len(get_space(space).classes))[list(ids)]
    if choice == "single":
        if areas.max() < (1 - OTHERS) * areas.sum():
            return None
        ids = (ids[int(areas.argmax())],)
    mask = np.isin(label_map, ids)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > SPECK * np.count_nonzero(mask)
    large[0] = False  # the background
    return large[parts] if count > 1 else mask


def lay_out(photo: np.ndarray, mask: np.ndarray, theta: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Moves the garment to its own frame, on white: RGB uint8 `(H, W, 3)` and its mask, bool `(H, W)`.

    Args:
        photo: RGB uint8 `(h, w, 3)`, the person's frame at any resolution.
        mask: bool `(h, w)`, the garment.
        theta: `(50,)`, the warp from the person's frame to the garment's.
        size: (height, width) of the garment's picture.
    """
    scale = np.array([photo.shape[1] / size[1], photo.shape[0] / size[0]], np.float32)
    places = (inverse_map(theta, size) + np.float32(0.5)) * scale - np.float32(0.5)  # a pixel's middle stays one
    # Weighted by the mask, so that no background mixes with the garment's edge.
    weighted = np.dstack([photo * mask[..., None], mask * np.float32(1)]).astype(np.float32)
    sampled = sample(weighted, places)
    share = sampled[..., 3:]
    color = sampled[..., :3] / np.maximum(share, 1e-6)
    cloth = np.where(share > 0, color * share + 255 * (1 - share), 255)
    return cloth.round().clip(0, 255).astype(np.uint8), share[..., 0] >= 0.5
