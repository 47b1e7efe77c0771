import json
from copy import deepcopy

from seg_vton.analysis.ablation import ablation_table
from seg_vton.analysis.parsing_table import short

RESULT = {
    "schema": 1,
    "config": "mask-rcnn",
    "config_sha256": "c" * 64,
    "row": {"neck": "CARAFE-FPN"},
    "checkpoint": "epoch_2.pth",
    "checkpoint_sha256": "d" * 64,
    "command": "python tools/analysis/label_map_iou.py",
    "date": "2026-01-02",
    "machine": {"cpu": "a CPU", "cores": 2, "gpu": None},
    "training": {"seed": 0, "epoch": 2},
    "task": "parsing",
    "dataset": "ccp",
    "split": "val-label-map",
    "images": 100,
    "convention": {"score_thr": 0.5, "one_per_class": True, "fill_holes": True},
    "metrics": {
        "mIoU": 0.4481,
        "mIoU_foreground": 0.4138,
        "pixel_accuracy": 0.8964,
        "mean_accuracy": 0.5368,
        "foreground_accuracy": 0.5911,
    },
    "per_class": {"background": {"iou": 0.9286}, "top": {"iou": 0.4367}, "face": {"iou": None}},
    "converted": {"tryon8": {"metrics": {"mIoU": 0.6184}}},
}


def write(folder, name, **changes):
    (folder / f"{name}.ccp-val-label-map.json").write_text(json.dumps({**deepcopy(RESULT), **changes}))


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_a_row_has_the_numbers_and_how_the_maps_were_made(tmp_path):
    write(tmp_path, "one")
    header, _, row, *classes = rows(ablation_table([tmp_path], per_class=True))
    cells = dict(zip(header, row, strict=True))
    assert cells["model"] == "CARAFE-FPN"
    assert cells["label maps from"] == "best of each class, score 0.5, holes filled"
    assert (cells["mIoU"], cells["pixel accuracy"], cells["mIoU in tryon8"]) == (".448", ".896", ".618")
    assert (cells["of person pixels"], cells["mean over classes"]) == (".591", ".537")
    assert cells["data"] == "ccp val, 100 images"
    assert classes == [["IoU of", "#1"], ["----------", "---:"], ["background", ".929"], ["top", ".437"], ["face", "-"]]


def test_seeds_make_one_row_and_conventions_rows_of_their_own(tmp_path):
    write(tmp_path, "one")
    other = {**RESULT["metrics"], "mIoU": 0.5}
    write(tmp_path, "two", training={"seed": 1, "epoch": 2}, checkpoint_sha256="e" * 64, metrics=other)
    write(
        tmp_path,
        "three",
        checkpoint_sha256="f" * 64,
        convention={"score_thr": 0.3, "one_per_class": False, "fill_holes": False},
    )
    header, _, *found = rows(ablation_table([tmp_path]))
    assert len(found) == 2
    cells = [dict(zip(header, row, strict=True)) for row in found]
    assert {row["mIoU"] for row in cells} == {".474 [.448, .500]", ".448"}
    assert {row["label maps from"] for row in cells} == {
        "best of each class, score 0.5, holes filled",
        "all instances, score 0.3, holes kept",
    }


def test_the_short_table_has_the_means_the_classes_of_the_truth_and_the_published_number():
    _, _, row = rows(text := short([deepcopy(RESULT)]))
    assert row == ["ccp val, 100 images", "CARAFE-FPN", ".448", ".414", ".896", ".591", "0"]
    assert "- IoU by class, CARAFE-FPN: background .929, top .437.\n" in text
    assert "88.23 %" in text
