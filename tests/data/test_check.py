import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from rich.console import Console

from seg_vton.data.check import check_data
from seg_vton.data.coco_files import CocoBuilder
from seg_vton.data.paper_doll import Plan, write_paper_dolls
from seg_vton.data.report import Report, print_report
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES

TOOL = Path(__file__).parents[2] / "tools" / "data" / "check.py"
WIDTH, HEIGHT = 48, 64


def write_photo(path, size=(WIDTH, HEIGHT), seed=0, **save):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **save)


@pytest.fixture
def root(tmp_path):
    """A sound data set: a.jpg with three classes, b/c.jpg with none."""
    builder = CocoBuilder("train")
    labels = np.zeros((HEIGHT, WIDTH), int)
    labels[3:20, 5:30], labels[30:50, 5:40], labels[0:3, 0:3] = 1, 6, 15
    builder.add_label_map("a.jpg", labels)
    builder.add_label_map("b/c.jpg", labels * 0)
    builder.write(tmp_path / "annotations" / "instances_train.json")
    (tmp_path / "annotations" / "._instances_train.json").write_bytes(b"Mac OS X")  # what macOS leaves beside files
    write_photo(tmp_path / "photos" / "a.jpg")
    write_photo(tmp_path / "photos" / "b" / "c.jpg")
    return tmp_path


def ann_file(root):
    return root / "annotations" / "instances_train.json"


def edit(root, change):
    content = json.loads(ann_file(root).read_text())
    change(content)
    ann_file(root).write_text(json.dumps(content))


def errors(path, images=None):
    """The one kind of error found, and its messages."""
    report = check_data(path, images)
    assert len(report.errors) == 1, report.errors
    ((kind, messages),) = report.errors.items()
    return kind, messages


@pytest.mark.parametrize("as_file", [False, True])
def test_sound_data_has_no_findings_and_true_counts(root, as_file):
    report = check_data(ann_file(root) if as_file else root)
    assert not report.errors
    assert not report.warnings
    (summary,) = report.summaries
    assert (summary.name, summary.images, summary.empty_images) == ("instances_train", 2, 1)
    assert {name for name, count in summary.instances.items() if count} == {"top", "pants", "face"}
    assert summary.sizes == {(WIDTH, HEIGHT): 2}


def test_crowds_are_said_to_be_left_out(root):
    edit(root, of_first("iscrowd", 1))
    report = check_data(root)
    assert not report.errors
    assert "annotation 1 (top in a.jpg) is not trained on: set iscrowd to 0" in report.warnings["crowd"][0]


def test_images_are_found_whatever_case_their_suffixes_have(root):
    edit(
        root, lambda content: [image.update(file_name=f"{image['file_name'][:-4]}.JPG") for image in content["images"]]
    )
    assert not check_data(root).errors


def test_images_in_a_folder_of_their_split(tmp_path):
    write_paper_dolls(tmp_path / "dolls", Plan(train=2, val=1, size=(48, 64), layout="coco"), workers=1)
    report = check_data(tmp_path / "dolls")
    assert not report.errors
    assert [summary.images for summary in report.summaries] == [2, 1]
    (tmp_path / "dolls/images/val/000001.jpg").unlink()
    assert list(check_data(tmp_path / "dolls").errors) == ["image not on disk"]


def test_images_are_looked_for_as_they_are_read(root):
    """By names that differ in their suffix's case, not in the first folder of a known name."""
    photos = root / "photos"
    for path in list(photos.rglob("*.jpg")):
        path.rename(path.with_suffix(".JPG"))
    photos.rename(root / "images")
    photos.mkdir()
    assert not check_data(root).errors


def test_roboflows_layout(root):
    (root / "photos").rename(root / "train")
    ann_file(root).rename(root / "train" / "_annotations.coco.json")
    report = check_data(root)
    assert not report.errors
    assert [(summary.name, summary.images) for summary in report.summaries] == [("train", 2)]


def test_no_such_root(tmp_path):
    with pytest.raises(UserError, match=r"nowhere does not exist: pass the root of a data set or a COCO file"):
        check_data(tmp_path / "nowhere")


def test_root_without_a_data_set(tmp_path):
    with pytest.raises(UserError, match=r"found no data set here. Known are .*annotations/\*\.json"):
        check_data(tmp_path)


def test_truncated_jpeg(root):
    photo = root / "photos" / "a.jpg"
    photo.write_bytes(photo.read_bytes()[:-200])
    kind, (message,) = errors(root)
    assert kind == "broken image"
    assert "a.jpg is not a whole image" in message
    assert "truncated" in message


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_file_that_is_no_image(root, content):
    (root / "photos" / "a.jpg").write_bytes(content)
    kind, (message,) = errors(root)
    assert kind == "broken image"
    assert "a.jpg is not an image" in message


def test_truncated_png(root):
    photo = root / "photos" / "a.jpg"
    write_photo(photo.with_suffix(".png"))
    whole = photo.with_suffix(".png").read_bytes()
    photo.write_bytes(whole[: len(whole) // 2])
    assert errors(root)[0] == "broken image"


def test_json_cut_in_half(root):
    text = ann_file(root).read_text()
    ann_file(root).write_text(text[: len(text) // 2])
    kind, (message,) = errors(root)
    assert kind == "broken annotation file"
    assert "instances_train.json is not whole JSON" in message


def test_one_broken_file_does_not_hide_the_next(root):
    (root / "annotations" / "instances_val.json").write_text(ann_file(root).read_text())
    ann_file(root).write_text("{")
    report = check_data(root)
    assert list(report.errors) == ["broken annotation file"]
    assert [s.name for s in report.summaries] == ["instances_val"]


def test_image_not_on_disk(root):
    (root / "photos" / "b" / "c.jpg").unlink()
    kind, (message,) = errors(root)
    assert kind == "image not on disk"
    assert "c.jpg, in" in message


def test_images_elsewhere(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "jpg"
    (root / "photos").rename(elsewhere)
    kind, messages = errors(root)
    assert (kind, len(messages)) == ("image not on disk", 2)
    assert not check_data(root, elsewhere).errors


def reorder(content):
    content["categories"].reverse()


def rename(content):
    content["categories"][3]["name"] = "gown"


def test_categories_in_another_order_are_fine(root):
    edit(root, reorder)
    report = check_data(root)
    assert not report.errors
    assert not report.warnings


def test_other_categories(root):
    edit(root, rename)
    kind, (message,) = errors(root)
    assert kind == "categories"
    assert "unknown: 'gown'; missing: 'dress'" in message


def test_category_twice(root):
    edit(root, lambda c: c["categories"].append({"id": 16, "name": "top"}))
    assert "twice: 'top'" in check_data(root).errors["categories"][0]


def test_a_parent_that_nothing_uses_is_left_out_with_a_note(root):
    edit(root, lambda c: c["categories"].insert(0, {"id": 0, "name": "clothes"}))
    report = check_data(root)
    assert not report.errors
    (message,) = report.warnings["category left out"]
    assert "clothes is left out" in message


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: c["annotations"].clear(), "no usable annotation"),
        (lambda c: [a.update(iscrowd=1) for a in c["annotations"]], "all of its 3 annotations are crowds"),
    ],
    ids=["none", "crowds"],
)
def test_a_set_without_an_instance_is_reported(root, change, text):
    edit(root, change)
    kind, (message,) = errors(root)
    assert kind == "no instance to train on"
    assert text in message


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_sizes_are_those_of_the_decoded_image(root, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = (WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH)
    edit(root, lambda c: c["images"][0].update(file_name=name))
    write_photo(root / "photos" / name, upright, exif=exif)
    report = check_data(root)
    assert not report.errors
    assert list(report.warnings) == (["image turned by EXIF"] if orientation in (2, 3, 4) else [])
    if orientation > 4:
        write_photo(root / "photos" / name, (WIDTH, HEIGHT), exif=exif)
        kind, (message,) = errors(root)
        assert kind == "image of another size"
        assert f"{name} is {HEIGHT}x{WIDTH}" in message
        assert f"EXIF orientation {orientation} turns it" in message


def other_size(content):
    mask = np.ones((WIDTH, HEIGHT), np.uint8, order="F")
    rle = coco_mask.encode(mask)
    content["annotations"][0]["segmentation"] = {"size": rle["size"], "counts": rle["counts"].decode()}


def test_rle_of_another_size(root):
    edit(root, other_size)
    kind, (message,) = errors(root)
    assert kind == "broken mask"
    assert "annotation 1 (top in a.jpg): its segmentation is broken: the mask is of size [48, 64]" in message


def test_image_of_another_size(root):
    write_photo(root / "photos" / "b" / "c.jpg", (50, 60))
    kind, (message,) = errors(root)
    assert kind == "image of another size"
    assert "c.jpg is 50x60" in message
    assert "says 48x64" in message


def count_from_0(content):
    for annotation in content["annotations"]:
        annotation["category_id"] -= 1


def of_first(key, value):
    def change(content):
        content["annotations"][0][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (of_first("image_id", 99), "annotation of an image that is not listed", "image 99"),
        (of_first("image_id", [1]), "broken annotation file", "no image_id"),
        (of_first("image_id", "1"), "image_id of another type than the id", "'1' is a text, and the id 1 .* a number"),
        (of_first("category_id", "1"), "category_id of another type than the id", "'1' is a text"),
        (of_first("category_id", 99), "annotation of a category that is not listed", "category 99"),
        (of_first("id", 2), "id twice in annotations", "2"),
        (of_first("bbox", [40, 3, 25, 17]), "box outside the image", "image of 48x64"),
        (of_first("bbox", [5, 3, 0, 17]), "empty box", "mmdet leaves such instances out"),
        (of_first("bbox", [5, 3]), "broken box", r"\[5, 3\] is not \[x, y"),
        (of_first("bbox", None), "broken box", "None is not"),
        (of_first("segmentation", []), "no mask", "top in a.jpg"),
        (of_first("segmentation", [[5, 3, 4e8, 4e8, 5, 20]]), "broken mask", "a point more than 100000 pixels away"),
        (of_first("segmentation", [[5, 3, 30, 20]]), "no mask", "a polygon is a list .* of three points"),
        (of_first("iscrowd", "no"), "broken iscrowd", "must be 0 or 1"),
        (
            of_first("bbox", [5, 3, 30, 20]),
            "box that does not fit its mask",
            r"looks like x1, y1, x2, y2.* \[5, 3, 25, 17\]",
        ),
        (of_first("segmentation", {"size": [HEIGHT, WIDTH], "counts": "PPP"}), "broken mask", "run lengths"),
        (of_first("segmentation", {"size": [HEIGHT, WIDTH], "counts": [5, 5]}), "broken mask", "do not fill"),
        (of_first("segmentation", [[0, 1, 2]]), "broken mask", r"polygons \[x, y.* found \[\[0, 1, 2\]\]"),
        (of_first("segmentation", [5, 3, 30, 3, 30, 20]), "broken mask", r"found \[5, 3, 30, 3, 30, 20\]"),
        (of_first("area", None), "no area", "area None"),
        (of_first("area", 0), "instance that is left out", "area 0, ignore 0; mmdet leaves .* the area in pixels, 425"),
        (of_first("ignore", 1), "instance that is left out", "area 425, ignore 1"),
        (count_from_0, "category ids counted from another number", "are 0 to 14, and those of its .* one higher"),
        (lambda c: c["images"].append(c["images"][0]), "id twice in images", "1"),
        (lambda c: c["images"][1].pop("width"), "broken annotation file", "no width"),
        (lambda c: c.pop("categories"), "broken annotation file", "no list of categories"),
        (lambda c: c["annotations"].append(7), "broken annotation file", "an entry of annotations"),
    ],
)
def test_faults_of_annotations(root, change, kind, text):
    edit(root, change)
    report = check_data(root)
    assert kind in report.errors, dict(report.errors)
    assert re.search(text, report.errors[kind][0])
    assert str(ann_file(root)) in report.errors[kind][0]


def test_empty_mask_with_size(root):
    empty = coco_mask.encode(np.zeros((HEIGHT, WIDTH), np.uint8, order="F"))
    edit(root, of_first("segmentation", {"size": empty["size"], "counts": empty["counts"].decode()}))
    assert errors(root)[0] == "empty mask"


def test_polygons_are_fine(root):
    edit(root, of_first("segmentation", [[5, 3, 30, 3, 30, 20, 5, 20]]))
    assert not check_data(root).errors


def test_oddities_are_warnings(root):
    edit(root, of_first("area", 3))
    report = check_data(root)
    assert not report.errors
    assert set(report.warnings) == {"area that does not fit the mask"}


@pytest.mark.parametrize("top", ["DeepFashion", "."])
def test_deepfashion_layout(root, tmp_path_factory, top):
    base = tmp_path_factory.mktemp("df") / "DeepFashion"
    folder = base / "In-shop" / "Anno" / "segmentation"
    folder.mkdir(parents=True)
    for split in ("train", "query"):
        (folder / f"DeepFashion_segmentation_{split}.json").write_text(ann_file(root).read_text())
    (root / "photos").rename(base / "In-shop" / "Img")
    report = check_data(base if top == "DeepFashion" else base / "In-shop")
    assert not report.errors
    assert [s.name for s in report.summaries] == ["DeepFashion_segmentation_query", "DeepFashion_segmentation_train"]


def test_report_names_each_kind_with_count_and_ten_examples(root, tmp_path):
    def change(content):
        for i in range(12):
            content["images"].append({"id": 10 + i, "file_name": f"gone{i:02}.jpg", "width": 4, "height": 4})

    edit(root, change)
    console = Console(record=True, width=300, file=(tmp_path / "log").open("w"))
    print_report(check_data(root), console)
    text = console.export_text()
    assert "error: image not on disk (12)" in text
    assert "gone09.jpg" in text
    assert "gone10.jpg" not in text
    assert "no errors" not in text
    assert all(name in text for name in CLOTHING_CLASSES)


def test_reports_merge():
    first, second = Report(), Report()
    first.errors["a"].append("1")
    second.errors["a"].append("2")
    second.warnings["b"].append("3")
    first.merge(second)
    assert first.errors == {"a": ["1", "2"]}
    assert first.warnings == {"b": ["3"]}


def run_tool(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, args)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name="__main__")
    return ended.value.code


def test_tool_exit_codes(root, monkeypatch, capsys):
    assert not run_tool(monkeypatch, root, ann_file(root), "--images", root / "photos")
    assert "no errors" in capsys.readouterr().out
    edit(root, of_first("area", 3))
    assert not run_tool(monkeypatch, root)
    (root / "photos" / "a.jpg").unlink()
    assert run_tool(monkeypatch, root) == 1
    assert "image not on disk (1)" in capsys.readouterr().out
    assert "does not exist" in run_tool(monkeypatch, root / "nowhere")
