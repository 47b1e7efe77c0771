import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from rich.console import Console

from seg_vton.coco import rle_area, rle_runs
from seg_vton.data import coco_files
from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15


def label_map(seed, shape=(30, 20)):
    return np.random.default_rng(seed).integers(0, 16, shape)


def build(maps):
    builder = coco_files.CocoBuilder("train")
    for name, labels in maps.items():
        builder.add_label_map(name, labels)
    return builder


def test_file_holds_each_class_of_each_label_map(tmp_path):
    maps = {"a.jpg": label_map(0), "b/c.jpg": np.zeros((4, 6), int), "d.jpg": np.full((5, 7), 15)}
    build(maps).write(tmp_path / "x.json")
    read = COCO(str(tmp_path / "x.json"))
    assert [c["name"] for c in read.dataset["categories"]] == list(DEEPFASHION15.classes[1:])
    assert [c["id"] for c in read.dataset["categories"]] == list(range(1, 16))
    assert [i["file_name"] for i in read.dataset["images"]] == list(maps)
    for image in read.dataset["images"]:
        labels = maps[image["file_name"]]
        assert (image["height"], image["width"]) == labels.shape
        annotations = read.loadAnns(read.getAnnIds([image["id"]]))
        assert [a["category_id"] for a in annotations] == [i for i in np.unique(labels) if i]
        for annotation in annotations:
            mask = labels == annotation["category_id"]
            np.testing.assert_array_equal(read.annToMask(annotation), mask)
            rows, columns = np.nonzero(mask)
            x, y = columns.min(), rows.min()
            assert annotation["bbox"] == [x, y, columns.max() - x + 1, rows.max() - y + 1]
            assert annotation["area"] == mask.sum()
            assert annotation["iscrowd"] == 0
            assert isinstance(annotation["segmentation"]["counts"], str)


def test_same_calls_same_bytes_and_nothing_overwritten(tmp_path):
    for name in ("a.json", "b.json"):
        build({"a.jpg": label_map(1)}).write(tmp_path / name)
    before = (tmp_path / "a.json").read_bytes()
    assert before == (tmp_path / "b.json").read_bytes()
    with pytest.raises(UserError, match="--overwrite"):
        build({"z.jpg": label_map(2)}).write(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == before
    build({"z.jpg": label_map(2)}).write(tmp_path / "a.json", overwrite=True)
    assert json.loads((tmp_path / "a.json").read_text())["images"][0]["file_name"] == "z.jpg"


def test_summary_counts(tmp_path):
    builder = build({"a.jpg": np.array([[0, 3], [3, 15]]), "b.jpg": np.zeros((2, 2), int), "c.jpg": np.full((4, 3), 3)})
    builder.add_mask(1, 7, np.zeros((2, 2)))
    builder.dropped["ring: no such class"] += 2
    summary = builder.write(tmp_path / "x.json")
    assert (summary.images, summary.empty_images) == (3, 1)
    assert {name: n for name, n in summary.instances.items() if n} == {"leggings": 2, "face": 1}
    assert summary.sizes == {(2, 2): 2, (3, 4): 1}
    assert summary.dropped == {"bag: empty mask": 1, "ring: no such class": 2}
    console = Console(record=True, width=120, file=(tmp_path / "log").open("w"))
    coco_files.print_summaries([summary], console)
    text = console.export_text()
    assert "2x2 to 3x4" in text
    assert "train: left out 2 x ring: no such class" in text


def test_faults_are_named():
    builder = build({"a.jpg": label_map(3)})
    with pytest.raises(UserError, match=r"a\.jpg comes twice"):
        builder.add_image("a.jpg", 3, 4)
    with pytest.raises(UserError, match="category id 16"):
        builder.add_mask(1, 16, np.ones((30, 20)))
    with pytest.raises(UserError, match=r"a\.jpg: the mask is 30x20 and the image 20x30"):
        builder.add_mask(1, 2, np.ones((20, 30)))
    with pytest.raises(UserError, match=r"b\.jpg: deepfashion15 has the ids 0 to 15, found also 16"):
        builder.add_label_map("b.jpg", np.array([[16]]))


def plain_runs(mask):
    """Run lengths counted one pixel after another in column order, starting with background."""
    runs, value = [0], 0
    for pixel in mask.ravel(order="F"):
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.floats(0, 1))
def test_run_lengths_against_counting(seed, height, width, density):
    mask = (np.random.default_rng(seed).random((height, width)) < density).astype(np.uint8)
    rle = coco_mask.encode(np.asfortranarray(mask))
    assert rle_runs(rle["counts"]).tolist() == plain_runs(mask)
    assert rle_area(rle, width, height) == mask.sum()


def test_run_lengths_of_a_large_mask():
    mask = np.zeros((1101, 750), np.uint8)
    mask[500:900, 200:700] = 1
    rle = coco_mask.encode(np.asfortranarray(mask))
    assert rle_runs(rle["counts"].decode()).tolist() == plain_runs(mask)
    assert rle_area(rle, 750, 1101) == 400 * 500


@pytest.mark.parametrize("seed", range(20))
def test_broken_run_lengths_are_found(seed):
    rng = np.random.default_rng(seed)
    mask = (rng.random((40, 30)) < 0.4).astype(np.uint8)
    rle = coco_mask.encode(np.asfortranarray(mask))
    cut = rle["counts"][: int(rng.integers(0, len(rle["counts"])))]
    with pytest.raises(ValueError, match=r"run lengths"):
        rle_area({"size": [40, 30], "counts": cut}, 30, 40)


@pytest.mark.parametrize("counts", ["", "~~~", "0" * 3, "P", "o" * 30 + "0"])
def test_strings_that_are_no_run_lengths(counts):
    with pytest.raises(ValueError, match="run length"):
        rle_area({"size": [4, 5], "counts": counts}, 5, 4)
