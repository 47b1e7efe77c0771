"""What a segmenter found in one photo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from seg_vton.labels import DEEPFASHION15, SPACES, LabelSpace, convert, register_space
from seg_vton.parsing.label_map import Regions, enlarged, fuse_maps, merge_instances, regions

if TYPE_CHECKING:  # files of what was found are read without it
    from torch import Tensor

SCORE_THR = 0.3
"""Instances below this score are in no label map: a missing garment spoils a try-on more than a doubtful one."""

MAPS = ("fused", "semantic", "instances")
"""What a label map can be made of: the semantic map with accessories as instances, that map or merged instances."""


class EnlargedMasks:
    """N masks in the frame of a photo of `shape` (height, width), kept in the smaller one that it was looked at in.

    Each is enlarged when it is asked for, edges smoothed, so that no more than one takes as many bytes as the photo has
    pixels. Indexed and looped over as an array `(N, H, W)` is, which `np.asarray` makes of it. `small` is bool
    `(N, h, w)`.
    """

    dtype = np.dtype(bool)

    def __init__(self, small: np.ndarray, shape: tuple[int, int]) -> None:
        self._small, self.shape = small, (len(small), *shape)

    def __len__(self) -> int:
        """Number of masks."""
        return len(self._small)

    def __iter__(self) -> Iterator[np.ndarray]:
        """One mask after the other."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, which: int | slice | np.ndarray | tuple[Any, ...]) -> np.ndarray | EnlargedMasks:
        """The mask of an index, bool `(H, W)`; of others' choice the masks, in its order; pixels as of an array."""
        if isinstance(which, tuple):
            return np.asarray(self)[which]
        if not isinstance(which, int | np.integer):
            return EnlargedMasks(self._small[which], self.shape[1:])
        levels = self._small[which].astype(np.uint8) * 255
        return cv2.resize(levels, self.shape[:0:-1], interpolation=cv2.INTER_LINEAR) >= 128

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All masks at once, N times the photo's pixels in bytes."""
        masks = np.empty(self.shape, bool)
        for target, mask in zip(masks, self, strict=True):
            target[:] = mask
        return masks if dtype is None else masks.astype(dtype)


@dataclass(frozen=True, eq=False)
class Parsing:
    """N instances in the frame of a photo of H x W pixels, by falling score."""

    boxes: np.ndarray  # float32 `(N, 4)`: left, top, right, bottom in pixels
    scores: np.ndarray  # float32 `(N,)` in [0, 1]
    labels: np.ndarray  # int64 `(N,)`, ids of `space`, from 1 on
    # bool `(N, H, W)`: an array, or `EnlargedMasks` of a photo that was looked at smaller
    masks: np.ndarray | EnlargedMasks
    space: LabelSpace = DEEPFASHION15  # label space of the segmenter's classes, see `space_of`
    # uint8 ids `(R, H, W)` of `space`, the best of each pixel first, where the segmenter labels pixels too, else None
    ranked: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of instances."""
        return len(self.scores)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the photo in pixels."""
        return self.masks.shape[1:]

    @property
    def semantic(self) -> np.ndarray | None:
        """The semantic map, uint8 ids `(H, W)` of `space`, where the segmenter labels pixels too."""
        return None if self.ranked is None else self.ranked[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """The class name of each instance."""
        return tuple(self.space.classes[label] for label in self.labels)

    def __getitem__(self, which: np.ndarray) -> Parsing:
        """The instances chosen by an index or bool array, in its order."""
        chosen = {name: getattr(self, name)[which] for name in ("boxes", "scores", "labels", "masks")}
        return replace(self, **chosen)

    def best_per_class(self) -> Parsing:
        """The instance of the highest score of each class, as DeepFashion has one mask for each class and photo.

        Of equal scores the first is taken.
        """
        _, first = np.unique(self.labels, return_index=True)
        return self[np.sort(first)]

    def resized(self, shape: tuple[int, int]) -> Parsing:
        """The instances in the frame of the same photo of another height and width, their masks `EnlargedMasks`."""
        if shape == self.shape:
            return self
        height, width = shape
        factors = np.array([width / self.shape[1], height / self.shape[0]] * 2, np.float32)
        ranked = None if self.ranked is None else np.stack([enlarged(labels, shape) for labels in self.ranked])
        masks = EnlargedMasks(np.asarray(self.masks), shape)
        return replace(self, boxes=self.boxes * factors, masks=masks, ranked=ranked)

    @property
    def best_map(self) -> str:
        """What `label_map` is made of unless told: 'fused' where the segmenter labels pixels too, else 'instances'."""
        return MAPS[0] if self.ranked is not None else MAPS[-1]

    def label_map(self, space: str | None = None, fill_holes: bool = True, source: str | None = None) -> np.ndarray:
        """One label for each pixel, uint8 ids `(H, W)` of `space`; `seg_vton.parsing.label_map` has the rules.

        Args:
            space: name of the label space wanted, to which the segmenter's must convert; None for the segmenter's own.
            fill_holes: give small holes in the body the labels around them, where instances are merged.
            source: what it is made of, one of `MAPS`; None for `best_map`. The first two need `ranked`.
        """
        source = source or self.best_map
        if source == "instances":
            label_map = merge_instances(self.masks, self.labels, self.scores, fill_holes, self.space.name)
        elif source == "semantic":
            label_map = self.semantic.copy()
        else:
            label_map = fuse_maps(self.ranked, self.masks, self.labels, self.scores, self.space.name)
        return label_map if space is None else convert(label_map, self.space.name, space)

    def regions(self, fill_holes: bool = True) -> Regions:
        """CP-VTON's head, upper garment and body shape, each bool `(H, W)`; `fill_holes` as in `label_map`."""
        return regions(self.label_map(fill_holes=fill_holes), self.space.name)


def space_of(classes: Sequence[str]) -> LabelSpace:
    """The label space of a segmenter's class list (without the background), whatever its order.

    It is `deepfashion15` where all of them are its; the registered space that has just these; else a space of the
    list's own, in its order, called by the names. That converts to no other and knows no head or upper garment: for
    that, register a space of these classes (`seg_vton.labels.register_space`).
    """
    if set(classes) <= set(DEEPFASHION15.classes[1:]):
        return DEEPFASHION15
    known = (space for space in SPACES.values() if set(space.classes[1:]) == set(classes))
    return next(known, None) or register_space(f"own({', '.join(classes)})", ("background", *classes), (), ())


def from_sample(
    instances: Mapping[str, Tensor],
    classes: Sequence[str],
    score_thr: float = 0.0,
    space: LabelSpace | None = None,
    labeled: Mapping[str, Tensor] | None = None,
) -> Parsing:
    """Takes mmdet's predictions over: the instances by falling score; equal scores keep the detector's order.

    Args:
        instances: `bboxes` (N, 4) as x1, y1, x2, y2 in pixels of the original image, `scores` (N,), `labels` (N,) and
            `masks` (N, H, W) boolean, on any device.
        classes: the detector's class names, in its order.
        score_thr: instances below this score are left out.
        space: a label space that has these classes; None for `space_of` them.
        labeled: of a model that labels pixels too: `ranked` `(R, H, W)`, the best labels of each pixel, or the first
            alone as `sem_seg`; 0 is the background, i + 1 the detector's class i.
    """
    scores = instances["scores"].float().cpu().numpy()
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= score_thr]
    space = space or space_of(classes)
    ids = np.array([space.id_of(name) for name in classes], np.int64)
    chosen = {key: instances[key].cpu().numpy()[order] for key in ("bboxes", "labels", "masks")}
    ranked = None if labeled is None else labeled.get("ranked", labeled.get("sem_seg")).cpu().numpy()
    return Parsing(
        boxes=chosen["bboxes"].astype(np.float32),
        scores=scores[order],
        labels=ids[chosen["labels"]],
        masks=chosen["masks"].astype(bool),
        space=space,
        ranked=None if ranked is None else np.append(0, ids).astype(np.uint8)[ranked],
    )
