"""How well regions agree: the predicted segmentation's mIoU and the warped mask's IoU."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from seg_vton.errors import UserError
from seg_vton.labels import IGNORE_INDEX, get_space

CONVENTIONS = {
    "mIoU": "IoU of each class over the pixels of all images, mean over the classes that occur in the truth; pixels "
    "without a label left out",
    "warped-mask IoU": "warped garment mask (0.5 and above) against the person's upper garment; mean over images",
}
"""What each number is, by the name that tables use."""


def confusion(predicted: Tensor, target: Tensor, space: str) -> Tensor:
    """Pixels by true class (row) and predicted class (column).

    Args:
        predicted: integer ids of the label space, `(H, W)`.
        target: integer ids of the label space, or `IGNORE_INDEX`, `(H, W)`.
        space: the label space's name.

    Returns:
        int64 `(K, K)`.

    Raises:
        UserError: the prediction has ids that the space has not.
    """
    count = len(get_space(space).classes)
    if int(predicted.max()) >= count:
        raise UserError(
            f"the model predicts the label {int(predicted.max())}, but the data's label space {space} has {count}: "
            "give the auxiliary head and the data set the same label space in the config"
        )
    return multiclass_confusion_matrix(predicted, target, count, ignore_index=IGNORE_INDEX, validate_args=False)


def class_ious(matrix: np.ndarray) -> list[float | None]:
    """Intersection over union of each class from a confusion matrix `(K, K)`; None for a class without true pixels."""
    hits, true, predicted = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    return [float(hit / (t + p - hit)) if t else None for hit, t, p in zip(hits, true, predicted, strict=True)]


def mask_iou(predicted: Tensor, target: Tensor) -> float | None:
    """Intersection over union of two masks in [0, 1] of one shape, cut at 0.5; None where both are empty."""
    predicted, target = predicted >= 0.5, target >= 0.5
    union = int((predicted | target).sum())
    return int((predicted & target).sum()) / union if union else None
