"""The evaluation benchmark: both forms give the same numbers, and a difference ends the run."""

import copy
import json

import pytest
from pycocotools import mask as coco_mask

from seg_vton.analysis.evaluation_benchmark import OURS, REFERENCE, SIZE, largest_difference, make_case, run


def test_the_case_is_drawn_from_its_seed_and_of_the_size_asked_for():
    content, predictions = make_case(6, 4)
    assert (content, str(predictions)) == (make_case(6, 4)[0], str(make_case(6, 4)[1]))
    assert content != make_case(6, 4, seed=1)[0]
    assert (len(content["images"]), len(content["annotations"]), len(predictions)) == (6, 24, 6)
    for each in content["annotations"]:
        x, y, w, h = each["bbox"]
        assert 0 <= x < x + w <= SIZE[1]
        assert 0 <= y < y + h <= SIZE[0]
        assert each["area"] == coco_mask.decode(each["segmentation"]).sum()
        assert 0.5 < each["area"] / (w * h) < 0.95, "a figure of twelve corners fills its box nearly as an ellipse does"


def test_a_difference_ends_the_run():
    numbers = {kind: dict.fromkeys(("AP", "AP50", "AP75", "APs", "APm", "APl"), 0.5) for kind in ("bbox", "segm")}
    other = copy.deepcopy(numbers)
    other["segm"]["APs"] += 1e-7
    assert largest_difference(numbers, other) == pytest.approx(1e-7)
    other["segm"]["APs"] += 1e-5
    with pytest.raises(RuntimeError, match="differ"):
        largest_difference(numbers, other)


def test_the_report(tmp_path):
    out = tmp_path / "evaluation.json"
    report = run(1, quick=True, out=str(out))
    assert json.loads(out.read_text()) == report
    assert [row["form"] for row in report["rows"]] == [REFERENCE, OURS]
    assert report["rows"][0]["speedup"]["median"] == 1
    assert all(row["min"] > 0 and row["peak_bytes"] >= 0 for row in report["rows"])
    assert all(0.1 < report["numbers"][kind]["AP"] < 0.9 for kind in ("bbox", "segm"))
