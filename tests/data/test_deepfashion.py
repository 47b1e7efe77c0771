import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from seg_vton.coco import to_rle
from seg_vton.data.deepfashion import convert_deepfashion
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES

TOOL = Path(__file__).parents[2] / "tools" / "data" / "deepfashion.py"
WIDTH, HEIGHT = 20, 30
BOX = (4, 6, 8, 10)


def box_mask(x, y, width, height):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y : y + height, x : x + width] = 1
    return mask


def forms(x, y, width, height):
    """One rectangle as a polygon, as run lengths in a list and as compressed RLE."""
    compressed = coco_mask.encode(np.asfortranarray(box_mask(x, y, width, height)))
    column = [HEIGHT - height, height] * width
    column[0] = x * HEIGHT + y
    runs = [*column, WIDTH * HEIGHT - sum(column)]
    polygon = [x, y, x + width, y, x + width, y + height, x, y + height]
    size = [HEIGHT, WIDTH]
    return {
        "polygon": [polygon],
        "runs": {"size": size, "counts": runs},
        "compressed": {"size": size, "counts": compressed["counts"].decode()},
    }


def content(segmentations, names=CLOTHING_CLASSES, **extra):
    """One image with an instance of each of the first classes, in the given forms."""
    category_ids = {name: 100 + i for i, name in enumerate(names)}
    annotations = [
        {"id": i, "image_id": 5, "category_id": category_ids[CLOTHING_CLASSES[i]], "segmentation": s, "iscrowd": 0}
        | extra
        for i, s in enumerate(segmentations)
    ]
    return {
        "images": [{"id": 5, "file_name": "img/WOMEN/a.jpg", "width": WIDTH, "height": HEIGHT}],
        "annotations": annotations,
        "categories": [{"id": i, "name": n} for n, i in category_ids.items()],
    }


def write(root, data, split="train", folder="Anno/segmentation"):
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "Img").mkdir(exist_ok=True)
    path = root / folder / f"DeepFashion_segmentation_{split}.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


@pytest.mark.parametrize("form", ["polygon", "runs", "compressed"])
def test_each_form_of_mask_becomes_the_same_rle(form):
    rle = to_rle(forms(*BOX)[form], WIDTH, HEIGHT)
    np.testing.assert_array_equal(coco_mask.decode(rle), box_mask(*BOX))


def test_polygons_are_one_instance():
    rle = to_rle([*forms(1, 1, 3, 3)["polygon"], *forms(10, 10, 4, 4)["polygon"], [0, 0, 5, 5]], WIDTH, HEIGHT)
    np.testing.assert_array_equal(coco_mask.decode(rle), box_mask(1, 1, 3, 3) + box_mask(10, 10, 4, 4))


@pytest.mark.parametrize(
    "names",
    [CLOTHING_CLASSES, CLOTHING_CLASSES[::-1], sorted(CLOTHING_CLASSES)],
    ids=["ours", "reversed", "alphabetical"],
)
def test_categories_are_matched_by_name(tmp_path, names):
    write(tmp_path / "DeepFashion" / "In-shop", content([*forms(*BOX).values()], names))
    (summary,) = convert_deepfashion(tmp_path / "DeepFashion", tmp_path / "out")
    coco = COCO(str(tmp_path / "out" / "annotations" / "instances_train.json"))
    assert [c["name"] for c in coco.dataset["categories"]] == list(CLOTHING_CLASSES)
    assert [coco.cats[a["category_id"]]["name"] for a in coco.dataset["annotations"]] == list(CLOTHING_CLASSES[:3])
    assert all(a["bbox"] == list(BOX) and a["area"] == 80 for a in coco.dataset["annotations"])
    assert coco.dataset["images"][0]["file_name"] == "img/WOMEN/a.jpg"
    assert (tmp_path / "out" / "Img").is_dir()
    assert summary.instances["leggings"] == 1


@pytest.mark.parametrize("folder", ["Anno/segmentation", "annotations"])
def test_splits_and_folders(tmp_path, folder):
    for split in ("train", "query", "gallery"):
        write(tmp_path / "In-shop", content([]), split, folder)
    summaries = convert_deepfashion(tmp_path / "In-shop", tmp_path / "out")
    assert [(s.name, s.images, s.empty_images) for s in summaries] == [
        ("train", 1, 1),
        ("query", 1, 1),
        ("gallery", 1, 1),
    ]
    with pytest.raises(UserError, match="--overwrite"):
        convert_deepfashion(tmp_path / "In-shop", tmp_path / "out")


def test_instances_without_a_mask_are_counted(tmp_path):
    write(tmp_path, content([[], [[1, 1, 2, 2]], None, forms(*BOX)["polygon"]]))
    (summary,) = convert_deepfashion(tmp_path, tmp_path / "out")
    assert summary.dropped == {"top: no mask": 1, "skirt: no mask": 1, "leggings: no mask": 1}
    assert summary.instances.total() == 1


def renamed(old, new):
    data = content([])
    for category in data["categories"]:
        category["name"] = new if category["name"] == old else category["name"]
    return data


def without(key):
    data = content([forms(*BOX)["polygon"]])
    del data["images"][0][key]
    return data


def with_image(**changes):
    data = content([])
    data["images"][0] |= changes
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (json.dumps(content([]))[:100], "not whole JSON"),
        (renamed("skirt", "Skirt"), r"unknown: 'Skirt'; missing: 'skirt'"),
        (without("file_name"), "an entry of images has no file_name"),
        (without("width"), "an entry of images has no width"),
        (content([[[1, 2, 3]]]), r"img/WOMEN/a\.jpg, annotation 0: expected a list of polygons"),
        (content(["polygon"]), "neither polygons nor RLE"),
        (content([{"size": [HEIGHT, WIDTH], "counts": [3, 4]}]), "do not fill the image's 20x30 pixels"),
        (content([{"size": [HEIGHT, WIDTH], "counts": "04"}]), "do not fill the image's 20x30 pixels"),
        (content([{"size": [HEIGHT, WIDTH], "counts": [3, "4"]}]), "are not whole numbers"),
        (content([{"size": [HEIGHT, WIDTH], "counts": 7}]), "are not whole numbers"),
        (
            content([{"size": 7, "counts": "04"}]),
            r"a\.jpg, annotation 0: the mask is of size 7 and the image \[30, 20\]",
        ),
        (
            content([coco_mask.encode(np.ones((4, 5), np.uint8, order="F")) | {"counts": "0d0"}]),
            r"the mask is of size \[4, 5\] and the image \[30, 20\]",
        ),
        (content([{"size": [30.0, 20.0], "counts": "04"}]), r"of size \[30\.0, 20\.0\] and the image \[30, 20\]"),
        (content([forms(*BOX)["polygon"]], iscrowd="no"), "annotation 0 has iscrowd 'no', not 0 or 1"),
        (with_image(width=10**12), "image 5 is 1000000000000x30 pixels"),
        (with_image(width=1, height=20000), "image 5 is 1x20000 pixels: .* no side of more than 100 times the other"),
        (with_image(file_name="/"), "image 5 has the file name '/', which names no file"),
        (content([]) | {"images": 2 * content([])["images"]}, "2 images have the id 5"),
        (content([forms(*BOX)["polygon"]], image_id=77), "has image_id 77, which the file does not list"),
        (content([forms(*BOX)["polygon"]], category_id=77), "has category_id 77, which the file does not list"),
    ],
)
def test_faults_are_named(tmp_path, data, message):
    write(tmp_path, data)
    with pytest.raises(UserError, match=message):
        convert_deepfashion(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / "annotations").exists()


def test_missing_folders(tmp_path):
    with pytest.raises(UserError, match=r"no DeepFashion_segmentation_\{train,query,gallery\}\.json"):
        convert_deepfashion(tmp_path, tmp_path / "out")
    write(tmp_path, content([]))
    (tmp_path / "Img").rmdir()
    with pytest.raises(UserError, match="no folder Img"):
        convert_deepfashion(tmp_path, tmp_path / "out")


def test_tool(tmp_path, monkeypatch, capsys):
    write(tmp_path / "In-shop", content([*forms(*BOX).values()]), "query")
    monkeypatch.setattr(sys, "argv", [str(TOOL), str(tmp_path), "--out", str(tmp_path / "out")])
    runpy.run_path(str(TOOL), run_name="__main__")
    assert "20x30" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name="__main__")
    assert "instances_query.json exists already" in str(ended.value.code)
