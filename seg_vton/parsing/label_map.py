"""Instances to one label map, and a label map to CP-VTON's regions.

Masks of instances overlap and leave gaps; a label map has one id for each pixel. Overlaps are resolved by layer where
the label space has layers, in the order in which a person is dressed and seen, then by score inside a layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, IGNORE_INDEX, check_label_map, get_space, unions


class Accessory(str):
    """The name of a class that is better as an instance than in a semantic map: `fuse_maps` believes the instance."""

    __slots__ = ()


LAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    DEEPFASHION15.name: (
        ("skin",),
        ("skirt", "leggings", "pants"),
        ("top", "dress"),
        ("outer",),
        tuple(map(Accessory, ("bag", "neckwear", "belt", "footwear"))),  # trousers reach over shoes
        ("face",),
        tuple(map(Accessory, ("hair", "eyeglass", "headwear"))),
    )
}
"""Classes by label space from the lowest layer to the highest: where masks overlap, the higher is seen.

A space of one's own may be added; without layers, and for classes that are in none, the score alone decides.
"""

RANKS = 3
"""How many labels a semantic head gives each pixel, so that `fuse_maps` need not believe the best."""

HOLE_SHARE = 0.005
"""Holes up to this share of the body's area are filled: gaps between masks, not the space inside a bent arm."""


def accessories(space: str) -> set[str]:
    """The classes of a label space of that name which `LAYERS` has as `Accessory`."""
    return {name for layer in LAYERS.get(space, ()) for name in layer if isinstance(name, Accessory)}


def layers(space: str) -> dict[str, int]:
    """The height of each class that a label space of that name has in `LAYERS`; others are at 0."""
    return {name: height for height, names in enumerate(LAYERS.get(space, ())) for name in names}


def merge_instances(
    masks: np.ndarray,
    labels: Sequence[int],
    scores: Sequence[float],
    fill_holes: bool = True,
    space: str = DEEPFASHION15.name,
) -> np.ndarray:
    """Paints instances over one another: by layer (`LAYERS`), then by score. uint8 `(H, W)`, 0 where no mask is.

    The result does not depend on the order of the instances. At equal layer and score the smaller mask is on top (it is
    the one that would vanish), then the lower label.

    Args:
        masks: bool `(N, H, W)`, or `seg_vton.parsing.instances.EnlargedMasks`; N may be 0.
        labels: N ids of `space`, from 1 on; others are a `UserError`.
        scores: N scores; equal ones are fine (ground truth has 1 everywhere).
        fill_holes: whether `close_holes` is applied.
        space: name of the label space.
    """
    classes = get_space(space).classes
    if len(classes) > IGNORE_INDEX:
        raise UserError(f"a label map holds up to {IGNORE_INDEX} labels and {space} has {len(classes)}")
    strange = sorted({int(label) for label in labels} - set(range(1, len(classes))))
    if strange:
        raise UserError(f"labels {strange} are none of {space}'s 1 to {len(classes) - 1}")
    layer_of = layers(space)
    areas = [np.count_nonzero(mask) for mask in masks]

    def height(index: int) -> tuple[float, ...]:
        label = int(labels[index])
        return layer_of.get(classes[label], 0), float(scores[index]), -areas[index], -label

    label_map = np.zeros(masks.shape[1:], np.uint8)
    for index in sorted(range(len(masks)), key=height):
        label_map[masks[index]] = labels[index]
    return close_holes(label_map) if fill_holes else label_map


def merge_truth(masks: np.ndarray, labels: np.ndarray, crowd: np.ndarray, space: str) -> np.ndarray:
    """The label map of annotated instances, as of `merge_instances`; `IGNORE_INDEX` where there are crowds alone.

    Args:
        masks: bool `(N, H, W)`; N may be 0.
        labels: N ids of `space`, from 1 on.
        crowd: bool `(N,)`: regions whose pixels are not labeled one by one.
        space: name of the label space.
    """
    scores = np.ones(np.count_nonzero(~crowd))
    truth = merge_instances(masks[~crowd], labels[~crowd], scores, fill_holes=False, space=space)
    truth[masks[crowd].any(axis=0) & (truth == 0)] = IGNORE_INDEX
    return truth


def fuse_maps(ranked: np.ndarray, masks: np.ndarray, labels: np.ndarray, scores: np.ndarray, space: str) -> np.ndarray:
    """A semantic map with the instances of accessories in their place, uint8 `(H, W)`.

    A map that labels pixel by pixel is good at the body and at large garments, and loses or smears small things, which
    a detector finds. Accessories are the classes that `LAYERS` has as `Accessory`; in a space without any the map stays
    as it is. Where an accessory has an instance, the instance is all there is of it: other pixels that the map gives
    it get their next best label that is no accessory. An accessory without an instance, or with empty masks alone,
    stays as the map has it.

    Args:
        ranked: uint8 ids `(R, H, W)` of `space`, the labels of each pixel from the best on; where all are accessories
            the background comes next.
        masks: bool `(N, H, W)`, or `seg_vton.parsing.instances.EnlargedMasks`; N may be 0.
        labels: int `(N,)`, ids of `space`.
        scores: `(N,)`.
        space: name of the label space.
    """
    names, classes = accessories(space), get_space(space).classes
    chosen = np.array([classes[i] in names and mask.any() for i, mask in zip(labels, masks, strict=True)], bool)
    fused = merge_instances(masks[chosen], labels[chosen], scores[chosen], fill_holes=False, space=space)
    free = fused == 0
    fused[free] = ranked[0][free]
    doubted = free & np.isin(fused, labels[chosen])
    others = ranked[:, doubted]
    small = np.isin(others, [index for index, name in enumerate(classes) if name in names])
    best = np.take_along_axis(others, small.argmin(axis=0)[None], axis=0)[0]
    fused[doubted] = np.where(small.all(axis=0), 0, best)
    return fused


def enlarged(label_map: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A label map uint8 `(h, w)` at another height and width: of each pixel the nearest label, edges smoothed."""
    if label_map.shape == shape:
        return label_map
    result, best = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    for label in np.unique(label_map):
        part = cv2.resize((label_map == label).astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
        result[part > best] = label
        np.maximum(best, part, out=best)
    return result


def close_holes(label_map: np.ndarray, largest_share: float = HOLE_SHARE) -> np.ndarray:
    """Gives small holes in the body of a label map `(H, W)` the label of the nearest body pixel, in a new array.

    A hole is background that the body encloses: no path leads from it to the image's edge (steps go up, down, left and
    right). Masks from 28 x 28 pixels leave such gaps where garments meet. Larger holes are real background, as seen
    between arm and waist, and stay: `largest_share` is the largest that is filled, as a share of the body's area.
    """
    from scipy.ndimage import distance_transform_edt  # here, since few who import this file need it

    filled = label_map.copy()
    background = (label_map == 0).astype(np.uint8)
    limit = largest_share * (background.size - int(background.sum()))
    count, components, stats, _ = cv2.connectedComponentsWithStats(background, connectivity=4)
    height, width = label_map.shape
    for index in range(1, count):
        x, y, w, h, area = stats[index].tolist()
        enclosed = x > 0 and y > 0 and x + w < width and y + h < height
        if not enclosed or area > limit:
            continue
        window = slice(y - 1, y + h + 1), slice(x - 1, x + w + 1)
        hole = components[window] == index
        rows, columns = distance_transform_edt(label_map[window] == 0, return_distances=False, return_indices=True)
        filled[window][hole] = label_map[window][rows[hole], columns[hole]]
    return filled


class Regions(NamedTuple):
    """CP-VTON's three regions of a person, each bool `(H, W)`."""

    head: np.ndarray  # reserved from the photo
    upper: np.ndarray  # the garments that the in-shop garment replaces
    body: np.ndarray  # silhouette of the dressed person


def regions(label_map: np.ndarray, space: str) -> Regions:
    """The regions of a label map in a space of that name; which labels make them up is in `seg_vton.labels`."""
    check_label_map(label_map, space)
    return Regions(*(np.isin(label_map, ids) for ids in unions(space)))
