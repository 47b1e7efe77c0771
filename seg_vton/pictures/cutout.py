"""A garment's outline and frame in a photo: what is before its background, and the window around it."""

from typing import NamedTuple

import cv2
import numpy as np

from seg_vton.pictures.crop import Box
from seg_vton.pictures.photos import limited

FILL = 0.88
"""Share of its window's width or height that a garment fills; the paper doll's in-shop pictures have the same."""

WORKING_SIDE = 1024
"""Pixels of the longer side at which edges are fitted and hidden parts are painted in."""

_WHOLE = 0.75  # a picture of 3:4 whose garment fills so much is framed already
_SPECK = 0.02  # parts of a mask below this share of it do not count
_SEARCH_SIDE = 256  # pixels of the longer side at which a garment is looked for
_ROUNDS = 4  # of grabCut
_RIM, _MIDDLE = 0.03, 0.12  # widths around certain background and around the middle, as shares of the shorter side
_THIN = 0.0135  # half the width below which a thing is no part of a garment, as a share of the longer side
_HOLE = 0.02  # share of the garment up to which a hole is filled: prints of the background's color
_USEFUL = (0.02, 0.97)  # an alpha channel is a mask when this share of the photo is opaque
_NOISE = 12.0  # levels of 255: colors that differ less say nothing about an edge
_SEEN = 3.0  # the same: what differs less from what is behind it is not there
# A cut is doubtful when it differs more from its second nearest search, in less colors, or is smaller or at the rim.
_AGREED, _CONTRAST, _SMALL, _FULL = 0.7, 12.0, 0.06, 0.5


def garment_box(mask: np.ndarray, aspect: float) -> Box:
    """The window around a garment, bool `(H, W)` and not empty, which fills `FILL` of it in the middle.

    A picture of the models' aspect (width by height) in which the garment already fills most of the width or the height
    is taken whole. The window may reach beyond the picture.
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


class Cut(NamedTuple):
    """A garment found in a photo."""

    mask: np.ndarray  # bool `(H, W)`; empty where nothing was found
    doubt: str  # why it may be wrong, in words for the user; empty where nothing speaks against it


def alpha_mask(alpha: np.ndarray | None) -> np.ndarray | None:
    """What an alpha channel, uint8 `(H, W)`, says is the garment: bool `(H, W)`; None where it says nothing of use."""
    opaque = None if alpha is None else alpha >= 128
    return opaque if opaque is not None and _USEFUL[0] <= opaque.mean() <= _USEFUL[1] else None


def cut_out(photo: np.ndarray, alpha: np.ndarray | None = None) -> Cut:
    """Finds the garment in a photo of one garment: on a floor, a bed, a hanger, or cut out already.

    An alpha channel that says something is the mask. Else OpenCV's `grabCut` (Rother et al., SIGGRAPH 2004) starts from
    three guesses: the middle of the photo; all but its rim; and what has no color of the rim. What two of the three
    find starts a fourth, which may reach the rim. Of that the largest part stays, without what is thin, a hanger's hook
    or a floor's joint; the edge is then fitted to the photo's pixels, and small holes are filled. The same photo always
    gives the same mask.

    Args:
        photo: RGB uint8 `(H, W, 3)`, each side 32 or more.
        alpha: uint8 `(H, W)`, or None.
    """
    opaque = alpha_mask(alpha)
    if opaque is not None:
        return Cut(opaque, "")
    small = limited(photo, _SEARCH_SIDE)
    # A little noise, always the same: grabCut takes minutes where all pixels are equal.
    small = np.minimum(small, 252) + np.random.default_rng(0).integers(0, 4, small.shape, dtype=np.uint8)
    starts = (_inside(small.shape[:2], _MIDDLE), _inside(small.shape[:2], _RIM), _unlike_rim(small))
    found = [_grab(small, start, rim=True) for start in starts]
    seen = _grab(small, np.sum(found, axis=0) >= 2, rim=False)
    mask = _largest_part(seen)
    agreement = sorted(_iou(mask, _largest_part(one)) for one in found)[1]
    mask, contrast = _fit_edge(limited(photo, WORKING_SIDE), mask)
    if contrast < _SEEN:
        return Cut(np.zeros(photo.shape[:2], bool), "")
    rim = ~_inside(mask.shape, _RIM)
    faults = {
        "it would be tiny, or touch most of the photo's edge": mask.mean() < _SMALL or mask[rim].mean() > _FULL,
        "its colors are close to those of the background": contrast < _CONTRAST,
        "searches from different first guesses disagree": agreement < _AGREED,
    }
    full = cv2.resize(mask.astype(np.float32), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return Cut(full, next((text for text, found in faults.items() if found), ""))


def _inside(shape: tuple[int, ...], share: float) -> np.ndarray:
    """Bool of that (height, width): all but a rim, whose width is a share of the shorter side."""
    width = max(1, round(share * min(shape)))
    inside = np.zeros(shape, bool)
    inside[width:-width, width:-width] = True
    return inside


def _unlike_rim(photo: np.ndarray) -> np.ndarray:
    """Where a picture has none of the colors that are common on its rim."""
    lab = cv2.cvtColor(cv2.GaussianBlur(photo, (0, 0), 1).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rim = lab[~_inside(lab.shape[:2], 0.05)]
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 20, 0.5)
    _, kinds, means = cv2.kmeans(rim, 6, None, stop, 2, cv2.KMEANS_PP_CENTERS)
    nearest = np.full(lab.shape[:2], np.inf, np.float32)
    for kind, mean in enumerate(means):
        of_kind = rim[kinds.ravel() == kind]
        if len(of_kind) >= 0.06 * len(rim):  # less may be a sleeve that reaches it
            spread = np.cov(of_kind.T) + 9 * np.eye(3)  # CIELAB: 3 is what noise and shading make
            away = lab - mean
            nearest = np.minimum(nearest, np.einsum("hwi,ij,hwj->hw", away, np.linalg.inv(spread), away))
    return nearest > 2.5**2


def _grab(photo: np.ndarray, start: np.ndarray, rim: bool) -> np.ndarray:
    """What grabCut finds from a guess; `rim` says whether the photo's rim is certainly background."""
    if not start.any() or start.all():
        return start
    mask = np.where(start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if rim:
        mask[~_inside(mask.shape, _RIM)] = cv2.GC_BGD
    if not (mask == cv2.GC_PR_FGD).any():
        return np.zeros_like(start)
    cv2.setRNGSeed(0)  # it starts from a random clustering
    cv2.grabCut(photo, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (mask == cv2.GC_PR_FGD) | (mask == cv2.GC_FGD)


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask without what is thin, small holes filled."""
    width = 2 * max(1, round(_THIN * max(mask.shape))) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), width, width, width, width, cv2.BORDER_REPLICATE)
    thick = cv2.morphologyEx(framed, cv2.MORPH_OPEN, kernel)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(thick, connectivity=4)
    if len(stats) == 1:
        return np.zeros_like(mask)
    largest = (parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    largest = (cv2.dilate(largest, kernel) & framed)[width:-width, width:-width]  # its corners come back
    _, gaps, stats, _ = cv2.connectedComponentsWithStats(1 - largest, connectivity=4)
    holes = stats[:, cv2.CC_STAT_AREA] < _HOLE * largest.sum()
    holes[0] = False
    return largest.astype(bool) | holes[gaps]


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / max(np.count_nonzero(a | b), 1)


def _fit_edge(photo: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """A smaller mask at the photo's size, bool `(H, W)`: what is near its edge goes to the side whose colors it has.

    Also the median difference of colors across the edge in levels of 255.
    """
    height, width = photo.shape[:2]
    step = max(1.0, height / mask.shape[0])
    soft = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    reach = 2 * round(1.5 * step) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    near = cv2.dilate((soft > 0.5).astype(np.uint8), kernel) - cv2.erode((soft > 0.5).astype(np.uint8), kernel)
    colors, window = photo.astype(np.float32), (4 * reach + 1, 4 * reach + 1)
    means = []
    for side in ((soft > 0.5) & (near == 0), (soft <= 0.5) & (near == 0)):
        weight = cv2.boxFilter(side.astype(np.float32), -1, window)[..., None]
        means.append(cv2.boxFilter(colors * side[..., None], -1, window) / np.maximum(weight, 1e-6))
    across = ((means[0] - means[1]) ** 2).sum(2)
    nearer = ((colors - means[1]) ** 2).sum(2) - ((colors - means[0]) ** 2).sum(2)
    fitted = cv2.medianBlur((nearer / (across + _NOISE**2) + 2 * soft > 1).astype(np.uint8), 5 if step > 1.5 else 3) > 0
    contrast = float(np.sqrt(np.median(across[near > 0]))) if near.any() else 0.0
    return np.where(near > 0, fitted, soft > 0.5), contrast
