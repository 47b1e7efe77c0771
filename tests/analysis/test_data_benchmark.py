"""The benchmark of the data pipelines: the forms load the same, the report has their rates."""

import json

import numpy as np
import pytest
import torch

from seg_vton.analysis.data_benchmark import (
    MMDET,
    OURS,
    PLAIN,
    PUBLISHED,
    run,
    segmentation_forms,
    try_on_forms,
)


def ordered(boxes, masks, labels, flipped):
    """Instances of a photo as they are when it is not flipped, in the order of their classes and boxes."""
    boxes, masks = np.array(boxes, float), np.array(masks, bool)
    if flipped:
        boxes[:, [0, 2]] = masks.shape[2] - boxes[:, [2, 0]]
        masks = masks[:, :, ::-1]
    order = np.lexsort([*boxes.T, labels])
    return boxes[order], masks[order], np.array(labels)[order]


def test_forms_of_segmentation_load_the_same(tmp_path):
    forms = segmentation_forms(tmp_path / "dolls", (48, 64))
    for index in range(len(forms[OURS])):
        image, target = forms[PLAIN][index]
        ours = forms[OURS][index]
        truth = ours["data_samples"].gt_instances
        photo = ours["inputs"].flip(0)  # BGR
        flipped = not torch.equal(image, photo)
        assert torch.equal(image.flip(2) if flipped else image, photo)
        found = ordered(truth.bboxes.tensor, truth.masks.masks, truth.labels, False)
        expected = ordered(target["boxes"], target["masks"], target["labels"], flipped)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(forms[PLAIN]) == len(forms[MMDET]) == len(forms[OURS]) == 8


def test_forms_of_try_on_load_the_same(tmp_path):
    forms = try_on_forms(tmp_path / "dolls", (48, 64))
    published, ours = forms[PUBLISHED][3], forms[OURS][3]["inputs"]
    assert set(published) == set(ours) - {"parse"}
    for name, expected in published.items():
        torch.testing.assert_close(ours[name], expected, atol=1e-6, rtol=0)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_report(tmp_path):
    out = tmp_path / "data.json"
    report = run(2, quick=True, out=str(out))
    assert json.loads(out.read_text()) == report
    rows = {(row["task"], row["form"]): row for row in report["rows"]}
    forms = {("segmentation", form) for form in (PLAIN, MMDET, OURS)} | {("try-on", form) for form in (PUBLISHED, OURS)}
    assert set(rows) == forms
    first = rows["segmentation", PLAIN], rows["try-on", PUBLISHED]
    assert all(row["speedup"] == {"median": 1, "min": 1, "max": 1} for row in first)
    for row in rows.values():
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert len(row["seconds"]) == 2
        assert row["peak_bytes"] > 0
