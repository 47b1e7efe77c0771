import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from seg_vton.data.deepfashion_multimodal import convert_deepfashion_multimodal, item_of, split_of
from seg_vton.errors import UserError
from seg_vton.labels import DFMM24, save_palette_png

TOOL = Path(__file__).parents[2] / "tools" / "data" / "deepfashion_multimodal.py"
SIZE = (16, 10)  # height, width


def file_stem(item, view="01_1_front"):
    return f"WOMEN-Dresses-id_{item:08}-{view}"


def write(root, stem, labels, gray=False, folders=("segm", "images"), size=SIZE):
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    path = root / folders[0] / f"{stem}_segm.png"
    if gray:
        Image.fromarray(labels.astype(np.uint8)).save(path)
    else:
        save_palette_png(path, labels, "dfmm24")
    path.with_name(f"._{path.name}").write_bytes(b"Mac OS X")  # what macOS leaves beside files
    Image.new("RGB", size[::-1], (10, 20, 30)).save(root / folders[1] / f"{stem}.jpg")
    return path


def labels_of(**boxes):
    labels = np.zeros(SIZE, np.uint8)
    for name, (row, column) in boxes.items():
        labels[row : row + 2, column : column + 2] = DFMM24.id_of(name.replace("_", " "))
    return labels


def first_item_of(split):
    return next(i for i in range(1000) if split_of(file_stem(i), 0) == split)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("folders", [("segm", "images"), ("parsing", "image")])
def test_labels_become_classes(tmp_path, gray, folders):
    labels = labels_of(
        rompers=(0, 0), dress=(2, 0), socks=(4, 0), tie=(6, 0), ring=(8, 0), wrist_wearing=(10, 0), face=(12, 0)
    )
    stem = file_stem(first_item_of("train"))
    write(tmp_path / "df", stem, labels, gray, folders)
    (summary,) = convert_deepfashion_multimodal(tmp_path / "df", tmp_path / "out")
    coco = COCO(str(tmp_path / "out" / "annotations" / "instances_train.json"))
    found = {coco.cats[a["category_id"]]["name"]: a["bbox"] for a in coco.dataset["annotations"]}
    assert found == {"dress": [0, 0, 2, 4], "footwear": [0, 4, 2, 2], "neckwear": [0, 6, 2, 2], "face": [0, 12, 2, 2]}
    assert summary.dropped == {"ring: no such class": 1, "wrist wearing: no such class": 1}
    assert (tmp_path / "out" / "images" / coco.dataset["images"][0]["file_name"]).is_file()


def test_no_item_is_in_two_splits(tmp_path):
    for item in range(40):
        for view in ("01_1_front", "02_2_side", "01_7_additional"):
            write(tmp_path / "df", file_stem(item, view), labels_of(top=(0, 0)))
    convert_deepfashion_multimodal(tmp_path / "df", tmp_path / "out")
    items = {}
    for path in (tmp_path / "out" / "annotations").iterdir():
        images = json.loads(path.read_text())["images"]
        items[path.stem] = {item_of(image["file_name"]) for image in images}
        assert len(images) == 3 * len(items[path.stem])
    assert sum(map(len, items.values())) == 40 == len(set().union(*items.values()))
    assert len(items) == 3


def test_split_is_stable_and_has_its_shares():
    splits = [split_of(file_stem(item), 0) for item in range(5000)]
    assert splits[:12] == [split_of(f"MEN-Shorts-id_{i:08}-05_4_full_segm.png", 0) for i in range(12)]
    shares = {split: splits.count(split) / 5000 for split in ("train", "val", "test")}
    assert shares["train"] == pytest.approx(0.8, abs=0.02)
    assert shares["val"] == pytest.approx(0.1, abs=0.02)
    assert splits != [split_of(file_stem(item), 1) for item in range(5000)]
    # Written down once: a change here would move published numbers.
    assert [split_of(file_stem(item), 0) for item in (1, 2, 3, 80, 7982)] == ["train", "train", "train", "train", "val"]


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("WOMEN-Dresses-id_00000002-02_1_front_segm.png", "00000002"),
        ("MEN-Denim-id_00000080-01_7_additional.jpg", "00000080"),
        ("img/WOMEN/Dresses/id_00000002/02_1_front.jpg", "00000002"),
        ("fashionWOMENDressesid0000000202_1front.jpg", "00000002"),
    ],
)
def test_item_in_the_name(name, item):
    assert item_of(name) == item


def test_name_without_item(tmp_path):
    write(tmp_path, "photo", labels_of())
    with pytest.raises(UserError, match=r"photo_segm\.png: the name has no item id"):
        convert_deepfashion_multimodal(tmp_path, tmp_path / "out")


def test_faults_are_named(tmp_path):
    with pytest.raises(UserError, match="no folder segm or parsing"):
        convert_deepfashion_multimodal(tmp_path, tmp_path / "out")
    (tmp_path / "segm").mkdir()
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match=r"segm has no \*_segm\.png"):
        convert_deepfashion_multimodal(tmp_path, tmp_path / "out")
    path = write(tmp_path, file_stem(1), labels_of(top=(0, 0)), size=(8, 8))
    with pytest.raises(UserError, match=r"_segm\.png: the labels are 10x16 and .*\.jpg is 8x8"):
        convert_deepfashion_multimodal(tmp_path, tmp_path / "out")
    Image.new("RGB", SIZE[::-1]).save(path)
    with pytest.raises(UserError, match="this one is RGB"):
        convert_deepfashion_multimodal(tmp_path, tmp_path / "out")
    Image.fromarray(np.full(SIZE, 24, np.uint8)).save(path)
    with pytest.raises(UserError, match="found also 24"):
        convert_deepfashion_multimodal(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tool_and_same_bytes(tmp_path, monkeypatch, capsys):
    write(tmp_path / "df", file_stem(first_item_of("val")), labels_of(hair=(0, 0)))
    for name in ("a", "b"):
        monkeypatch.setattr(sys, "argv", [str(TOOL), str(tmp_path / "df"), "--out", str(tmp_path / name)])
        runpy.run_path(str(TOOL), run_name="__main__")
    assert "hair" in capsys.readouterr().out
    files = [tmp_path / name / "annotations" / "instances_val.json" for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name="__main__")
    assert "--overwrite" in str(ended.value.code)
