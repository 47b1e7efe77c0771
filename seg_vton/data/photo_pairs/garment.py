"""The upper garment of a person: which pixels, what hides it, and laying it out on white."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from seg_vton.data.photo_pairs.warp import inverse_map, sample
from seg_vton.labels import DEEPFASHION15, unions

Choice = Literal["union", "single"]
CHOICES: tuple[Choice, ...] = ("union", "single")

OTHERS = 0.1
"""With `single`: the largest share of the upper garments that the others may have."""

SPECK = 0.01
"""Parts of the garment up to this share of it are specks of the labels and left out."""

GAP = 0.22
"""What hides the garment is filled up to this width, as a share of the square root of the garment's area."""

_UPPER = unions(DEEPFASHION15.name).upper
# What is worn or held over an upper garment; background, legs and trousers beside it never are.
_SKIN = DEEPFASHION15.id_of("skin")
_HIDING = tuple(DEEPFASHION15.id_of(name) for name in ("hair", "bag", "belt", "neckwear"))
_INPAINT_RADIUS = 3
_EDGE = 5


def upper_garment(label_map: np.ndarray, choice: Choice) -> np.ndarray | None:
    """The garment that is tried on.

    Args:
        label_map: uint8 `(H, W)` ids of `deepfashion15`.
        choice: `union` takes all upper garments (top, dress, outer) as one: what CP-VTON replaces and what a person's
            `parse_cloth` shows. `single` takes the class with the most pixels, where the others have no more than
            `OTHERS` of the union.

    Returns:
        bool `(H, W)`, without specks; None where `single` finds several garments.
    """
    areas = np.bincount(label_map.ravel(), minlength=len(DEEPFASHION15.classes))[list(_UPPER)]
    ids = _UPPER
    if choice == "single":
        if areas.max() < (1 - OTHERS) * areas.sum():
            return None
        ids = (_UPPER[int(areas.argmax())],)
    return _without_specks(np.isin(label_map, ids))


def _without_specks(mask: np.ndarray) -> np.ndarray:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > SPECK * np.count_nonzero(mask)
    large[0] = False  # the background
    return large[parts] if count > 1 else mask


def hidden_parts(mask: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """Where an arm, hair, a bag, a belt or a scarf hides the garment: between parts of it that are close together.

    Args:
        mask: bool `(H, W)`, the garment.
        label_map: uint8 `(H, W)` ids of `deepfashion15`.

    Returns:
        bool `(H, W)`. Skin counts with garment above and below it: necklines and legs do not.
    """
    width = max(3, round(GAP * np.sqrt(np.count_nonzero(mask))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    padded = cv2.copyMakeBorder(mask.view(np.uint8), width, width, width, width, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[width:-width, width:-width].astype(bool)
    between = np.logical_or.accumulate(mask, axis=0) & np.logical_or.accumulate(mask[::-1], axis=0)[::-1]
    return closed & ~mask & (np.isin(label_map, _HIDING) | (between & (label_map == _SKIN)))


def fill_hidden(photo: np.ndarray, mask: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Paints the hidden parts with what is around them (Telea 2004, `cv2.inpaint`).

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        mask: bool `(H, W)`, the garment.
        hidden: bool `(H, W)`.

    Returns:
        RGB uint8 `(H, W, 3)`: the photo where the garment is, but for the edges of hidden parts; the garment's colours
        everywhere else.
    """
    # Inpainting takes in what is around, so there the garment's nearest colour stands in for arm, hair and background.
    # Labels are a pixel or two off at their edges: those pixels are painted too, and nothing is taken from them.
    edge = np.ones((_EDGE, _EDGE), np.uint8)
    source = cv2.erode(mask.view(np.uint8), edge).astype(bool)
    source = source if source.any() else mask
    _, nearest = cv2.distanceTransformWithLabels(
        (~source).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[source]] = photo[source]
    painted = cv2.dilate(hidden.view(np.uint8), edge)
    filled = cv2.inpaint(colours[nearest], painted, _INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.where((painted.astype(bool) | ~mask)[..., None], filled, photo)


def lay_out(photo: np.ndarray, mask: np.ndarray, theta: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Moves the garment to its own frame, on white.

    Args:
        photo: RGB uint8 `(h, w, 3)`, the person's frame at any resolution.
        mask: bool `(h, w)`, the garment.
        theta: `(50,)`, the warp from the person's frame to the garment's.
        size: (height, width) of the garment's picture.

    Returns:
        RGB uint8 `(H, W, 3)` and the garment's mask, bool `(H, W)`.
    """
    scale = np.array([photo.shape[1] / size[1], photo.shape[0] / size[0]], np.float32)
    places = (inverse_map(theta, size) + np.float32(0.5)) * scale - np.float32(0.5)  # a pixel's middle stays one
    # Weighted by the mask, so that no background mixes with the garment's edge.
    weighted = np.dstack([photo * mask[..., None], mask * np.float32(1)]).astype(np.float32)
    sampled = sample(weighted, places)
    share = sampled[..., 3:]
    colour = sampled[..., :3] / np.maximum(share, 1e-6)
    cloth = np.where(share > 0, colour * share + 255 * (1 - share), 255)
    return cloth.round().clip(0, 255).astype(np.uint8), share[..., 0] >= 0.5
