"""Intersection over union of label maps, for both halves: from confusion matrices that add up over images."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from seg_vton.errors import UserError
from seg_vton.labels import IGNORE_INDEX, LabelSpace

BOUNDARY_WIDTH = 0.02
"""How far a mask's boundary reaches inwards, in diagonals of the image: what Cheng et al. take for COCO."""


def confusion_matrix(predicted: Tensor, truth: Tensor, space: LabelSpace) -> np.ndarray:
    """Counts pixels by true and predicted label: int64 `(K, K)`, row the truth, column the prediction.

    Both are integer ids of `space` of one shape; in the truth `IGNORE_INDEX` is not counted. `UserError` where the
    prediction has other ids.
    """
    count = len(space.classes)
    if int(predicted.max()) >= count:
        raise UserError(
            f"the model predicts the label {int(predicted.max())}, but the data's label space {space.name} has "
            f"{count}: give the auxiliary head and the data set the same label space in the config"
        )
    counted = truth != IGNORE_INDEX
    # Not torchmetrics' function of these two lines, which takes seconds to import.
    cells = truth[counted].long() * count + predicted[counted].long()
    return torch.bincount(cells, minlength=count**2).reshape(count, count).cpu().numpy()


def boundary_counts(predicted: np.ndarray, truth: np.ndarray, count: int) -> np.ndarray:
    """Counts the pixels near the outlines of each class, for Boundary IoU (Cheng et al., CVPR 2021) of label maps.

    int64 `(2, K)`: pixels within `BOUNDARY_WIDTH` inside the outline of a class in both maps, and in either. The maps
    are uint8 ids `(H, W)`, `count` of them; where the truth is `IGNORE_INDEX` nothing is counted.
    """
    width, counted = max(1, round(BOUNDARY_WIDTH * float(np.hypot(*truth.shape)))), truth != IGNORE_INDEX
    counts = np.zeros((2, count), np.int64)
    for label in np.union1d(predicted, truth[counted]):
        near = []
        for label_map in (predicted, truth):
            mask = np.pad((label_map == label).astype(np.uint8), 1)  # the image's edge is an outline too
            inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=width)
            near.append((mask > inner)[1:-1, 1:-1] & counted)
        counts[:, label] = np.count_nonzero(near[0] & near[1]), np.count_nonzero(near[0] | near[1])
    return counts


def summarize(confusion: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Numbers from a confusion matrix `(K, K)` over all pixels of all photos, id 0 the background; `names` has K names.

    A class that does not occur in the truth has no IoU and is in no mean, as in the try-on's mIoU; what is wrongly
    predicted as such a class counts against the true ones.

    Returns:
        `metrics`: `mIoU` (mean over the classes, the background included), `mIoU_foreground` (without it),
        `pixel_accuracy`, `mean_accuracy` (mean over the classes of the truth of the share of their pixels found) and
        `foreground_accuracy` (share of the pixels of all classes but the background). `per_class`: by name `iou`,
        `accuracy`, `pixels` (of the truth) and `predicted_pixels`. All in [0, 1]; None where there is nothing to judge.
    """
    hits, truth, predicted = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    union = truth + predicted - hits
    ious = [share(h, u) if t else None for h, u, t in zip(hits, union, truth, strict=True)]
    accuracies = [share(h, t) for h, t in zip(hits, truth, strict=True)]
    columns = zip(names, ious, accuracies, truth.tolist(), predicted.tolist(), strict=True)
    return {
        "metrics": {
            "mIoU": mean(ious),
            "mIoU_foreground": mean(ious[1:]),
            "pixel_accuracy": share(hits.sum(), truth.sum()),
            "mean_accuracy": mean(accuracies),
            "foreground_accuracy": share(hits[1:].sum(), truth[1:].sum()),
        },
        "per_class": {
            name: {"iou": iou, "accuracy": accuracy, "pixels": pixels, "predicted_pixels": found}
            for name, iou, accuracy, pixels, found in columns
        },
    }


def share(part: int, whole: int) -> float | None:
    """A part of a whole in [0, 1], or None of nothing."""
    return float(part / whole) if whole else None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of those that are not None, or None of nothing."""
    existing = [value for value in values if value is not None]
    return sum(existing) / len(existing) if existing else None
