"""A garment of any photo as the in-shop picture that the models expect: cut out, on white, framed."""

from dataclasses import dataclass

import cv2
import numpy as np

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15
from seg_vton.parsing.label_map import regions
from seg_vton.pictures.crop import Box, crop
from seg_vton.pictures.cutout import WORKING_SIDE, alpha_mask, cut_out, garment_box
from seg_vton.pictures.images import MASK_THRESHOLD, mask_fault, resized
from seg_vton.pictures.inpainting import fill_hidden, hidden_parts
from seg_vton.pictures.photos import limited

GIVEN, SEGMENTER, CUT, DOUBTFUL = "given mask", "segmenter", "cut-out", "doubtful cut-out"
"""Where a garment's mask comes from; the last two are of `seg_vton.pictures.cutout.cut_out`."""

FACE, HEAD, HEAD_WITH_LOWER, LOWER = 0.01, 0.1, 0.03, 0.1
"""Shares of what the segmenter finds from which somebody wears the garment: see `is_worn`."""

LEAST_SHARE = 0.01
"""The smallest garment, as a share of its photo."""

_FACE = (DEEPFASHION15.id_of("face"),)
_WORN_WITH = tuple(map(DEEPFASHION15.id_of, ("skirt", "leggings", "pants", "footwear")))
_ADVICE = "give a photo of an upper garment, or its mask (tools/try_on.py --garment-mask)"


@dataclass(frozen=True, eq=False)
class Garment:
    """A garment in its window."""

    picture: np.ndarray  # RGB uint8 `(H, W, 3)` of the models' aspect, white where the garment is not
    mask: np.ndarray  # bool `(H, W)`
    source: str  # of the mask: `GIVEN`, `SEGMENTER`, `CUT` or `DOUBTFUL`
    box: Box  # the window in the garment's photo as `prepare_garment` got it; it may reach beyond it
    warnings: tuple[str, ...] = ()  # what the user should know

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.picture.nbytes + self.mask.nbytes

    def files(self, size: tuple[int, int] | None) -> dict[str, np.ndarray]:
        """A data set's `cloth`, RGB uint8, and `cloth-mask`, uint8 of 0 and 255, at (height, width) or as they are."""
        size = size or self.mask.shape
        mask = resized(np.uint8(255) * self.mask, size) >= MASK_THRESHOLD
        return {"cloth": resized(self.picture, size), "cloth-mask": np.uint8(255) * mask}


def prepare_garment(
    photo: np.ndarray,
    label_map: np.ndarray,
    mask: np.ndarray | None = None,
    aspect: float | None = 3 / 4,
    alpha: np.ndarray | None = None,
) -> Garment:
    """Cuts a garment out, sets it on white and frames it, at the photo's resolution.

    The mask is the given one, or else the alpha channel. Else, where somebody wears the garment (`is_worn`), it is the
    upper garments that the segmenter sees; else what is cut out of its background, which needs no segmenter.

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        label_map: uint8 ids of `deepfashion15` `(H, W)`, what the segmenter sees in the photo.
        mask: bool `(H, W)`, or None.
        aspect: width by height of the models' images; None keeps the photo's own frame.
        alpha: uint8 `(H, W)` of a photo that was cut out already, or None.

    Raises:
        UserError: there is no garment, or the given mask is empty; the message says what to do.
    """
    if mask is None:
        found, source, warnings = _find_garment(photo, label_map, alpha)
    else:
        fault = mask_fault(mask)
        found, source, warnings = mask, GIVEN, [f"the given mask {fault}"] if fault else []
    if np.count_nonzero(found) < LEAST_SHARE * found.size:
        hint = "its white part is too small" if source == GIVEN else "nothing stands out from the background"
        raise UserError(f"no garment in the photo ({source}: {hint}): {_ADVICE}")
    if source == SEGMENTER:
        photo, found = _without_arms(photo, found, label_map)
    box = Box(0, 0, *photo.shape[1::-1]) if aspect is None else garment_box(found, aspect)
    mask = crop(found.astype(np.uint8), box, cv2.BORDER_CONSTANT).astype(bool)
    picture = np.where(mask[..., None], crop(photo, box, cv2.BORDER_CONSTANT), np.uint8(255))
    return Garment(picture, mask, source, box, tuple(warnings))


def _without_arms(photo: np.ndarray, mask: np.ndarray, label_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paints the garment in where arms, hair and bags hide it, as in the pairs that are made from photos."""
    small_photo, full = limited(photo, WORKING_SIDE), mask.shape[::-1]
    size = small_photo.shape[1::-1]
    small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    hidden = hidden_parts(small, cv2.resize(label_map, size, interpolation=cv2.INTER_NEAREST))
    painted = fill_hidden(small_photo, small, hidden)
    new = cv2.resize(hidden.astype(np.uint8), full, interpolation=cv2.INTER_NEAREST).astype(bool) & ~mask
    large = cv2.resize(painted, full, interpolation=cv2.INTER_LINEAR)
    return np.where(new[..., None], large, photo), mask | new


def _find_garment(
    photo: np.ndarray, label_map: np.ndarray, alpha: np.ndarray | None
) -> tuple[np.ndarray, str, list[str]]:
    """Mask, source and warnings."""
    upper = regions(label_map, DEEPFASHION15.name).upper
    has_upper = np.count_nonzero(upper) >= LEAST_SHARE * label_map.size
    worn = has_upper and alpha_mask(alpha) is None and is_worn(label_map)
    cut = None if worn else cut_out(photo, alpha)
    if cut is None or (cut.doubt and has_upper):
        several = len(np.unique(label_map[upper])) > 1
        names = _names(np.where(upper, label_map, 0))
        return upper, SEGMENTER, [f"the garment is all of {names}: the segmenter sees them together"] * several
    warnings = []
    if cut.doubt:
        warnings.append(f"the garment may be cut out badly: {cut.doubt}. Look at the panel, or {_ADVICE}")
    within = np.where(cut.mask, label_map, 0)
    seen_upper = np.count_nonzero(upper & cut.mask)
    if np.count_nonzero(within) - seen_upper > max(seen_upper, 0.25 * np.count_nonzero(cut.mask)):
        warnings.append(f"the segmenter takes what is cut out for {_names(within)}: is it an upper garment?")
    return cut.mask, DOUBTFUL if cut.doubt else CUT, warnings


def is_worn(label_map: np.ndarray) -> bool:
    """Whether a person is in a garment's photo: a face, much of a head, or some of a head and a lower body.

    Less is no sign: segmenters take a lying garment's collar for hair, its hem for a skirt and a pale one for skin.
    `label_map` has uint8 ids of `deepfashion15`.
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
