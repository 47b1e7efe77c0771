"""What hides a garment in a photo, painted over with what is around it."""

import cv2
import numpy as np

from seg_vton.labels import DEEPFASHION15, get_space

GAP = 0.22
"""What hides the garment is filled up to this width, as a share of the square root of the garment's area."""

# What is worn or held over an upper garment; background, legs and trousers beside it never are.
_HIDING = {"hair", "bag", "belt", "neckwear", "scarf", "glove", "hair+headwear", "accessories"}
_SKIN = {"skin", "left-arm", "right-arm", "arms", "hands"}
_RADIUS = 3  # pixels around a painted one that its color is taken from
_EDGE = 5  # pixels: labels are off by half of it at their edges


def hidden_parts(mask: np.ndarray, label_map: np.ndarray, space: str = DEEPFASHION15.name) -> np.ndarray:
    """Where an arm, hair, a bag, a belt or a scarf hides the garment: between parts of it that are close together.

    bool `(H, W)`. Skin counts with garment above and below it: necklines and legs do not. `mask` is the garment's, bool
    `(H, W)`; `label_map` has uint8 ids `(H, W)` of `space`.
    """
    width = max(3, round(GAP * np.sqrt(np.count_nonzero(mask))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    padded = cv2.copyMakeBorder(mask.view(np.uint8), width, width, width, width, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[width:-width, width:-width].astype(bool)
    between = np.logical_or.accumulate(mask, axis=0) & np.logical_or.accumulate(mask[::-1], axis=0)[::-1]
    hiding, skin = (
        np.isin(label_map, [label for label, name in enumerate(get_space(space).classes) if name in names])
        for names in (_HIDING, _SKIN)
    )
    return closed & ~mask & (hiding | (between & skin))


def fill_hidden(photo: np.ndarray, mask: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Paints the hidden parts, bool `(H, W)`, with what is around them (Telea 2004, `cv2.inpaint`).

    RGB uint8 `(H, W, 3)`: the photo where the garment (`mask`) is, but for the edges of hidden parts; the garment's
    colors everywhere else.
    """
    # Inpainting takes in what is around, so there the garment's nearest color stands in for arm, hair and background.
    # Pixels at the edges of labels are painted too, and nothing is taken from them.
    edge = np.ones((_EDGE, _EDGE), np.uint8)
    source = cv2.erode(mask.view(np.uint8), edge).astype(bool)
    source = source if source.any() else mask
    _, nearest = cv2.distanceTransformWithLabels(
        (~source).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colors[nearest[source]] = photo[source]
    painted = cv2.dilate(hidden.view(np.uint8), edge)
    filled = cv2.inpaint(colors[nearest], painted, _RADIUS, cv2.INPAINT_TELEA)
    return np.where((painted.astype(bool) | ~mask)[..., None], filled, photo)
