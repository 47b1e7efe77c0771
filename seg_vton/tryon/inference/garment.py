"""A garment of any photo as the in-shop picture that the models expect: cut out, on white, framed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15
from seg_vton.parsing.label_map import regions
from seg_vton.pictures.crop import Box, crop
from seg_vton.pictures.inpainting import fill_hidden, hidden_parts

GIVEN, SEGMENTER, BACKGROUND = "given mask", "segmenter", "plain background"
"""Where a garment's mask comes from."""

FACE, HEAD, HEAD_WITH_LOWER, LOWER = 0.01, 0.1, 0.03, 0.1
"""Shares of what the segmenter finds from which somebody wears the garment: see `is_worn`."""

LEAST_SHARE = 0.01
"""The smallest garment, as a share of its photo."""

FILL = 0.88
"""Share of its window's width or height that a garment fills; the paper doll's in-shop pictures have the same."""

_WHOLE = 0.75  # a picture of 3:4 whose garment fills so much is framed already
_SPECK = 0.02  # parts of a mask below this share of it do not count
_FACE = (DEEPFASHION15.id_of("face"),)
_WORN_WITH = tuple(map(DEEPFASHION15.id_of, ("skirt", "leggings", "pants", "footwear")))
_BORDER = 0.02  # width of the border that the background's color is taken from, as a share of the shorter side
_EVEN = 9.0  # CIELAB: a background is plain when nine tenths of the border differ less from its middle
_SEEN = 4.0  # CIELAB: what differs less from a perfectly even background cannot be told from it
_SIDE = 1024  # pixels of the longer side at which a background is looked at and hidden parts are painted in


@dataclass(frozen=True, eq=False)
class Garment:
    """A garment in its window.

    Attributes:
        picture: RGB uint8 `(H, W, 3)` of the models' aspect, white where the garment is not.
        mask: bool `(H, W)`.
        source: of the mask: `GIVEN`, `SEGMENTER` or `BACKGROUND`.
        box: the window in the garment's photo as `prepare_garment` got it; it may reach beyond it.
        warnings: what the user should know.
    """

    picture: np.ndarray
    mask: np.ndarray
    source: str
    box: Box
    warnings: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.picture.nbytes + self.mask.nbytes


def prepare_garment(
    photo: np.ndarray, label_map: np.ndarray, mask: np.ndarray | None = None, aspect: float = 3 / 4
) -> Garment:
    """Cuts a garment out, sets it on white and frames it.

    The mask is the given one. Else, where somebody wears the garment (`is_worn`), it is the upper garments that the
    segmenter sees; else, before a plain background, what differs from that; else what the segmenter takes for an upper
    garment.

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        label_map: uint8 ids of `deepfashion15` `(H, W)`, what the segmenter sees in the photo.
        mask: bool `(H, W)`, or None.
        aspect: width by height of the models' images.

    Returns:
        The garment at the photo's resolution.

    Raises:
        UserError: there is no garment, or the given mask is empty or of another size; the message says what to do.
    """
    if mask is not None and mask.shape != photo.shape[:2]:
        raise UserError(
            f"the garment mask is {mask.shape[1]}x{mask.shape[0]} and the photo {photo.shape[1]}x{photo.shape[0]} "
            "(width x height): give a mask of the same size, made of this photo"
        )
    found, source, warnings = (mask, GIVEN, []) if mask is not None else _find_garment(photo, label_map)
    if np.count_nonzero(found) < LEAST_SHARE * found.size:
        hint = "its white part is too small" if source == GIVEN else "there is nothing before the plain background"
        raise UserError(f"no garment in the photo ({source}: {hint}): {_ADVICE}")
    if source == SEGMENTER:
        photo, found = _without_arms(photo, found, label_map)
    box = garment_box(found, aspect)
    mask = crop(found.astype(np.uint8), box, cv2.BORDER_CONSTANT).astype(bool)
    picture = np.where(mask[..., None], crop(photo, box, cv2.BORDER_CONSTANT), np.uint8(255))
    return Garment(picture, mask, source, box, tuple(warnings))


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


def _without_arms(photo: np.ndarray, mask: np.ndarray, label_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paints the garment in where arms, hair and bags hide it, as in the pairs that are made from photos."""
    height, width = mask.shape
    scale = min(1, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    hidden = hidden_parts(small, cv2.resize(label_map, size, interpolation=cv2.INTER_NEAREST))
    painted = fill_hidden(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), small, hidden)
    new = cv2.resize(hidden.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool) & ~mask
    large = cv2.resize(painted, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(new[..., None], large, photo), mask | new


_ADVICE = "give a photo of an upper garment, or its mask with --garment-mask"


def _find_garment(photo: np.ndarray, label_map: np.ndarray) -> tuple[np.ndarray, str, list[str]]:
    """Mask, source and warnings."""
    seen = regions(label_map, DEEPFASHION15.name)
    has_upper = np.count_nonzero(seen.upper) >= LEAST_SHARE * label_map.size
    if has_upper and is_worn(label_map):
        return seen.upper, SEGMENTER, _mixed(label_map, seen.upper)
    before_plain = plain_background_mask(photo)
    if before_plain is not None:
        return before_plain, BACKGROUND, _other_things(label_map, before_plain)
    if has_upper:
        return seen.upper, SEGMENTER, _mixed(label_map, seen.upper)
    raise UserError(
        f"no garment in the photo: the segmenter finds {_names(label_map)}, and the background is not plain. {_ADVICE}"
    )


def is_worn(label_map: np.ndarray) -> bool:
    """Whether a person is in a garment's photo: a face, much of a head, or some of a head and a lower body.

    Less is no sign: segmenters take a lying garment's collar for hair, its hem for a skirt and a pale one for skin.

    Args:
        label_map: uint8 ids of `deepfashion15` `(H, W)`.
    """
    shares = np.bincount(label_map.ravel(), minlength=len(DEEPFASHION15.classes))[1:].astype(float)
    shares /= max(shares.sum(), 1)
    face, head, lower = (shares[np.array(ids) - 1].sum() for ids in (_FACE, DEEPFASHION15.unions.head, _WORN_WITH))
    return bool(face >= FACE or head >= HEAD or (head >= HEAD_WITH_LOWER and lower >= LOWER))


def _names(label_map: np.ndarray) -> str:
    """What a label map has, the largest first."""
    counts = np.bincount(label_map.ravel(), minlength=len(DEEPFASHION15.classes))[1:]
    names = [DEEPFASHION15.classes[i + 1] for i in np.argsort(-counts, kind="stable") if counts[i]]
    return ", ".join(names) or "nothing"


def _mixed(label_map: np.ndarray, upper: np.ndarray) -> list[str]:
    """A warning where the upper garments are several."""
    worn = np.where(upper, label_map, 0)
    several = len(np.unique(worn[worn > 0])) > 1
    return [f"the garment is all of {_names(worn)}: the segmenter sees them together"] if several else []


def _other_things(label_map: np.ndarray, mask: np.ndarray) -> list[str]:
    """A warning where the segmenter takes most of what is before a plain background for no upper garment."""
    within = np.where(mask, label_map, 0)
    upper = np.count_nonzero(np.isin(within, DEEPFASHION15.unions.upper))
    if np.count_nonzero(within) - upper <= max(upper, 0.25 * np.count_nonzero(mask)):
        return []
    return [f"the segmenter takes what is before the plain background for {_names(within)}: is it an upper garment?"]


def plain_background_mask(photo: np.ndarray) -> np.ndarray | None:
    """The largest thing before a plain background.

    The background is what is of the border's color and connected to the border; how much the border's own color
    varies says what counts as the same.

    Args:
        photo: RGB uint8 `(H, W, 3)`.

    Returns:
        bool `(H, W)`, without holes, empty where there is nothing; None where the background is not plain.
    """
    height, width = photo.shape[:2]
    scale = min(1, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    distance, spread = _border_distance(small)
    if spread > _EVEN:
        return None
    thing = _largest_inside(distance > max(_SEEN, 2 * spread))
    return cv2.resize(thing.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def _border_distance(photo: np.ndarray) -> tuple[np.ndarray, float]:
    """How much each pixel differs from the border's median color in CIELAB, and nine tenths of the border at most."""
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    width = max(1, round(_BORDER * min(photo.shape[:2])))
    border = np.ones(photo.shape[:2], bool)
    border[width:-width, width:-width] = False
    distance = np.linalg.norm(lab - np.median(lab[border], axis=0), axis=2)
    return distance, float(np.quantile(distance[border], 0.9))


def _largest_inside(different: np.ndarray) -> np.ndarray:
    """The largest part of what the background does not reach from the border, bool `(H, W)`."""
    _, parts = cv2.connectedComponents((~different).astype(np.uint8), connectivity=4)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    inside = ~(np.isin(parts, np.unique(border[border > 0])) & ~different)
    _, things, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    if len(stats) == 1:
        return np.zeros_like(inside)
    return things == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
