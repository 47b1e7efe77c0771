"""Photos with labels from COCO files, folders of label maps, and what tools/parse.py writes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_vton.coco import categories
from seg_vton.data.coco_files import CocoBuilder
from seg_vton.data.photo_pairs import find_labeled
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, save_palette_png
from seg_vton.parsing.jobs import Item, Job, PhotoResults

SHAPE = (40, 30)  # height, width


def labels():
    found = np.zeros(SHAPE, np.uint8)
    found[5:30, 5:25] = DEEPFASHION15.id_of("top")
    found[20:38, 10:20] = DEEPFASHION15.id_of("pants")
    return found


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "album").mkdir(parents=True)
    for name in ("a.jpg", "album/b.PNG"):
        Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(folder / name)
    return folder


def coco(path, name="a.jpg", size=SHAPE, **changes):
    builder = CocoBuilder("test")
    builder.add_label_map(name, labels())
    content = builder.content
    for image in content["images"]:
        image["height"], image["width"] = size
    for annotation in content["annotations"]:
        annotation.update(changes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_coco_file(photos, tmp_path):
    (item,) = find_labeled(photos, [coco(tmp_path / "instances.json")])
    assert (item.name, item.photo) == ("a", photos / "a.jpg")
    assert np.array_equal(item.label_map(SHAPE), labels())


def test_folder_of_label_maps_in_another_space(photos, tmp_path):
    in_ccp = np.where(labels() == 1, 48, 0).astype(np.uint8)  # sweater
    save_palette_png(tmp_path / "maps" / "album" / "b.png", in_ccp, "ccp59")
    (tmp_path / "maps" / "album" / "._b.png").write_bytes(b"Mac OS X")  # what macOS leaves beside files
    (item,) = find_labeled(photos, [tmp_path / "maps"], "ccp59")
    assert (item.name, item.photo) == ("album/b", photos / "album" / "b.PNG")
    assert np.array_equal(item.label_map(SHAPE), np.where(labels() == 1, 1, 0))


def test_maps_that_cannot_become_deepfashion15_stay_as_they_are(photos, tmp_path):
    save_palette_png(tmp_path / "maps" / "a.png", labels(), "atr18")
    (item,) = find_labeled(photos, [tmp_path / "maps"], "atr18")
    assert np.array_equal(item.label_map(SHAPE), labels())


@pytest.mark.parametrize("kinds", [("label-map", "coco"), ("coco",)])
def test_what_the_parse_tool_wrote(photos, tmp_path, kinds):
    out = tmp_path / "parsed"
    (out / "records").mkdir(parents=True)
    if "label-map" in kinds:
        save_palette_png(out / "label-map" / "album" / "b.png", labels(), "deepfashion15")
    coco(out / "coco" / "album" / "b.json", "b.PNG", score=0.7)
    (item,) = find_labeled(photos, [out])
    assert (item.name, item.photo) == ("album/b", photos / "album" / "b.PNG")
    assert np.array_equal(item.label_map(SHAPE), labels())


@pytest.fixture
def twins(photos):
    """`a.jpg` and `a.png` in one folder, of two sizes so that labels of the wrong one show."""
    Image.fromarray(np.zeros((20, 10, 3), np.uint8)).save(photos / "a.png")
    return photos


def parse_output(photos, out, kind):
    """What tools/parse.py writes of photos: `a`, `a_png` and, for a photo of another folder's name, `photos/b`."""
    results = PhotoResults(out, {"score_thr": 0.3})
    for name, place, size in (("a", "a.jpg", SHAPE), ("a_png", "a.png", (20, 10)), ("photos/b", "album/b.PNG", SHAPE)):
        if kind == "label-map":
            save_palette_png(results.path(kind, name), np.ones(size, np.uint8), "deepfashion15")
        else:
            coco(results.path(kind, name), Path(place).name, size)
        results.write_record(Job(name, (Item(photos / place, name),), (kind,)), pending=False)


@pytest.mark.parametrize("kind", ["label-map", "coco"])
def test_the_records_of_the_parse_tool_say_which_photo(twins, tmp_path, kind):
    parse_output(twins, tmp_path / "parsed", kind)
    found = find_labeled(twins, [tmp_path / "parsed"])
    expected = [("a", "a.jpg"), ("a_png", "a.png"), ("album/b", "album/b.PNG")]
    assert [(item.name, item.place.as_posix()) for item in found] == expected
    assert [item.photo for item in found] == [twins / place for _, place in expected]
    assert [item.stamp for item in found] == 3 * [{"score_thr": 0.3}]


@pytest.mark.parametrize("changes", [{"photo": 7}, {"stamp": None}])
def test_records_that_are_none_of_the_parse_tools_are_refused(twins, tmp_path, changes):
    parse_output(twins, tmp_path / "parsed", "label-map")
    path = tmp_path / "parsed" / "records" / "a.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=r"a\.json is no record of this tool's"):
        find_labeled(twins, [tmp_path / "parsed"])


def test_a_name_that_two_photos_have_is_refused(twins, tmp_path):
    save_palette_png(tmp_path / "maps" / "a.png", labels(), "deepfashion15")
    either = rf"{re.escape(str(twins / 'a.jpg'))} or of {re.escape(str(twins / 'a.png'))}"
    with pytest.raises(UserError, match=rf"maps/a\.png may be of {either}: "):
        find_labeled(twins, [tmp_path / "maps"])
    parse_output(twins, tmp_path / "parsed", "label-map")
    moved = twins.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"label-map/a\.png may be of"):
        find_labeled(moved, [tmp_path / "parsed"])


def test_polygons_and_lists_of_counts(photos, tmp_path):
    path = tmp_path / "instances.json"
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 30}],
        "categories": categories(CLOTHING_CLASSES),
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[5, 5, 25, 5, 25, 30, 5, 30]]},
            {
                "id": 2,
                "image_id": 1,
                "category_id": 14,
                "segmentation": {"size": [40, 30], "counts": [0, 3, 1197]},
            },
            {"id": 3, "image_id": 1, "category_id": 6, "iscrowd": 1, "segmentation": [[0, 30, 30, 30, 30, 40, 0, 40]]},
        ],
    }
    path.write_text(json.dumps(content))
    (item,) = find_labeled(photos, [path])
    expected = np.zeros(SHAPE, np.uint8)
    expected[5:30, 5:25], expected[:3, 0] = 1, 14  # counts go down the columns
    assert np.array_equal(item.label_map(SHAPE), expected)


@pytest.mark.parametrize("kind", ["coco", "map"])
def test_masks_of_another_size(photos, tmp_path, kind):
    if kind == "coco":
        source = coco(tmp_path / "instances.json", size=(40, 31))
    else:
        source = tmp_path / "maps"
        save_palette_png(source / "a.png", labels()[:, :-1], "deepfashion15")
    (item,) = find_labeled(photos, [source])
    with pytest.raises(UserError, match=r"masks are (31|29)x40 and the photo .*a\.jpg is 30x40"):
        item.label_map(SHAPE)


@pytest.mark.parametrize("segmentation", [{"size": [40, 30], "counts": "!"}, {"size": [9, 9], "counts": "0"}, 7, [[1]]])
def test_broken_masks(photos, tmp_path, segmentation):
    (item,) = find_labeled(photos, [coco(tmp_path / "instances.json", segmentation=segmentation)])
    with pytest.raises(UserError, match=r"a\.jpg: a mask cannot be read"):
        item.label_map(SHAPE)


def test_sources_that_cannot_be_used(photos, tmp_path):
    good = coco(tmp_path / "instances.json")
    (tmp_path / "empty").mkdir()
    save_palette_png(tmp_path / "maps" / "gone.png", labels(), "deepfashion15")
    with pytest.raises(UserError, match=r"the photo a\.jpg has labels twice"):
        find_labeled(photos, [good, good])
    with pytest.raises(UserError, match="nothing does not exist"):
        find_labeled(photos, [tmp_path / "nothing"])
    with pytest.raises(UserError, match=r"--photos .* is not a folder"):
        find_labeled(tmp_path / "nothing", [good])
    with pytest.raises(UserError, match=r"no photo of .* has labels in"):
        find_labeled(photos, [tmp_path / "empty"])
    with pytest.raises(UserError, match=r"gone\.png: .* has no photo gone"):
        find_labeled(photos, [tmp_path / "maps"])
    (tmp_path / "empty" / "cover.jpg").write_bytes(b"of no photo")
    (tmp_path / "empty" / "a.JPG").write_bytes(b"of one, and no label map")
    with pytest.raises(UserError, match=r"a\.JPG was compressed as a picture, which changes ids"):
        find_labeled(photos, [tmp_path / "empty"])
    for changes, fault in (
        ({"category_id": 99}, "category_id 99, which the file does not list"),
        ({"image_id": "1"}, "image_id '1', which the file does not list"),
        ({"iscrowd": "0"}, "iscrowd '0', not 0 or 1"),
        ({"score": "high"}, "the score 'high', not one from 0 to 1"),
    ):
        with pytest.raises(UserError, match=f"annotation 1 has {fault}"):
            find_labeled(photos, [coco(tmp_path / "other.json", **changes)])
    content = json.loads(good.read_text())
    content["categories"][0]["name"] = "Top"
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError, match=r"unknown: 'Top'; 'Top' and 'top' differ .* Expected, in any order: top, skirt"
    ):
        find_labeled(photos, [tmp_path / "other.json"])
    with pytest.raises(UserError, match="which names no file"):
        find_labeled(photos, [coco(tmp_path / "other.json", name="")])
    save_palette_png(tmp_path / "atr" / "album" / "b.png", labels(), "atr18")
    with pytest.raises(UserError, match="labels are of atr18 and of deepfashion15, neither of which becomes the other"):
        find_labeled(photos, [good, tmp_path / "atr"], "atr18")
