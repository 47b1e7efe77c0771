"""IoU of label maps: counts, means, refusals."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seg_vton.errors import UserError
from seg_vton.labels import get_space
from seg_vton.parsing.iou import BOUNDARY_WIDTH, boundary_counts, confusion_matrix, summarize


def counts(predicted, truth, classes):
    space = SimpleNamespace(name="test", classes=tuple(range(classes)))
    return confusion_matrix(torch.from_numpy(predicted), torch.from_numpy(truth), space)


def slow_numbers(predicted, truth, classes):
    """IoU by class, mIoU and pixel accuracy by sets of pixels."""
    ious = {}
    for index in range(classes):
        found = {tuple(p) for p in np.argwhere((predicted == index) & (truth != 255))}
        real = {tuple(p) for p in np.argwhere(truth == index)}
        if real:
            ious[index] = len(found & real) / len(found | real)
    judged = truth != 255
    return ious, sum(ious.values()) / len(ious), np.mean(predicted[judged] == truth[judged])


@pytest.mark.parametrize("seed", range(3))
def test_against_sets_of_pixels(seed):
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, 4, 255], (30, 20)).astype(np.uint8)
    predicted = np.where(rng.random((30, 20)) < 0.6, truth, rng.choice([0, 1, 3, 4], (30, 20))).astype(np.uint8)
    predicted[truth == 255] = 4
    ious, mean, accuracy = slow_numbers(predicted, truth, 6)
    parts = [counts(predicted[rows], truth[rows], 6) for rows in (slice(10), slice(10, 30))]
    summary = summarize(np.sum(parts, axis=0), "abcdef")
    for index, name in enumerate("abcdef"):
        assert summary["per_class"][name]["iou"] == pytest.approx(ious.get(index))
    assert summary["metrics"]["mIoU"] == pytest.approx(mean)
    assert summary["per_class"]["d"]["predicted_pixels"] > summary["per_class"]["d"]["pixels"] == 0
    assert summary["metrics"]["pixel_accuracy"] == pytest.approx(accuracy)
    assert summary["per_class"]["f"] == {"iou": None, "accuracy": None, "pixels": 0, "predicted_pixels": 0}
    recalls = [np.mean(predicted[truth == i] == i) for i in (0, 1, 2, 4)]
    assert summary["metrics"]["mean_accuracy"] == pytest.approx(np.mean(recalls))
    garments = (truth != 255) & (truth != 0)
    assert summary["metrics"]["foreground_accuracy"] == pytest.approx(np.mean((predicted == truth)[garments]))
    assert summary["metrics"]["mIoU_foreground"] == pytest.approx(np.mean([v for i, v in ious.items() if i]))


def test_numbers_by_hand():
    truth, predicted = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    summary = summarize(counts(predicted, truth, 2), ("background", "top"))
    assert summary["per_class"]["background"]["iou"] == 0.5
    assert summary["per_class"]["top"]["iou"] == pytest.approx(2 / 3)
    assert summary["metrics"]["pixel_accuracy"] == 0.75


def test_a_prediction_outside_the_label_space_is_refused():
    with pytest.raises(UserError, match="predicts the label 19, but the data's label space tryon8 has 8"):
        confusion_matrix(torch.tensor([[0, 19]]), torch.tensor([[0, 1]]), get_space("tryon8"))


@pytest.mark.parametrize("seed", range(2))
def test_boundaries_against_distances_to_the_outline(seed):
    """Steps go to all eight neighbors; the edge of the image is an outline."""
    rng = np.random.default_rng(seed)
    truth, predicted = (np.kron(rng.integers(0, 4, (6, 5)), np.ones((12, 10))).astype(np.uint8) for _ in range(2))
    truth[:3] = 255
    reach = round(BOUNDARY_WIDTH * np.hypot(72, 50))
    expected = np.zeros((2, 5), int)
    for label in range(4):
        near = []
        for label_map in (predicted, truth):
            others = np.argwhere(np.pad(label_map != label, 1, constant_values=True)) - 1
            points = np.argwhere(label_map == label)
            steps = np.abs(points[:, None] - others[None]).max(axis=2).min(axis=1)
            near.append({tuple(p) for p, step in zip(points, steps, strict=True) if step <= reach and p[0] >= 3})
        expected[:, label] = len(near[0] & near[1]), len(near[0] | near[1])
    assert reach == 2
    np.testing.assert_array_equal(boundary_counts(predicted, truth, 5), expected)
