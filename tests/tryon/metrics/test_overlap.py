import numpy as np
import pytest
import torch

from seg_vton.errors import UserError
from seg_vton.tryon.metrics.overlap import class_ious, confusion, mask_iou


def test_confusion_counts_true_by_predicted_and_leaves_unlabeled_pixels_out():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 8, (2, 40, 30))
    true[rng.random(true.shape) < 0.2] = 255
    expected = np.zeros((8, 8), int)
    for t, p in zip(true.ravel(), predicted.ravel(), strict=True):
        if t != 255:
            expected[t, p] += 1
    np.testing.assert_array_equal(confusion(*map(torch.from_numpy, (predicted, true)), "tryon8"), expected)


def test_golden_ious():
    true = torch.tensor([[0, 0, 0, 3], [4, 4, 3, 3]])
    predicted = torch.tensor([[0, 0, 4, 3], [4, 4, 4, 5]])
    ious = class_ious(confusion(predicted, true, "tryon8").numpy())
    assert ious[0] == pytest.approx(2 / 3)
    assert ious[3] == pytest.approx(1 / 3)
    assert ious[4] == pytest.approx(2 / 4)
    assert ious[5] is None  # predicted, but nowhere in the truth
    assert ious[1] is None


def test_ious_are_those_of_sets():
    rng = np.random.default_rng(1)
    true, predicted = rng.integers(0, 7, (2, 50, 20))
    ious = class_ious(confusion(*map(torch.from_numpy, (predicted, true)), "tryon8").numpy())
    for label in range(7):
        a, b = set(np.flatnonzero(true == label)), set(np.flatnonzero(predicted == label))
        assert ious[label] == pytest.approx(len(a & b) / len(a | b))


def test_a_prediction_outside_the_label_space_is_refused():
    with pytest.raises(UserError, match="predicts the label 19, but the data's label space tryon8 has 8"):
        confusion(torch.tensor([[0, 19]]), torch.tensor([[0, 1]]), "tryon8")


def test_mask_iou():
    mask = torch.zeros(1, 4, 4)
    mask[0, :2] = 1
    soft = torch.zeros(1, 4, 4)
    soft[0, 1:3] = 0.5
    soft[0, 3] = 0.49
    assert mask_iou(soft, mask) == pytest.approx(4 / 12)
    assert mask_iou(mask, mask) == 1
    assert mask_iou(torch.zeros(1, 4, 4), mask) == 0
    assert mask_iou(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)) is None
