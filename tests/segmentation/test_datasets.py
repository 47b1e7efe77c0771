import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from mmdet.datasets import DeepFashionDataset
from mmdet.registry import DATASETS
from PIL import Image
from pycocotools import mask as coco_mask

import seg_vton  # noqa: F401  registers the data set
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.segmentation.datasets import ClothingDataset

PIPELINE = [
    {"type": "LoadImageFromFile"},
    {"type": "mmdet.LoadAnnotations", "with_bbox": True, "with_mask": True},
    {"type": "mmdet.PackDetInputs"},
]


def boxes(index):
    """A 6 x 4 box whose place tells the class, so that a wrong name shows."""
    return [index, 2 * index, 6, 4]


def coco(names=CLOTHING_CLASSES, first_id=1):
    """Two 40 x 60 images: 'a.jpg' with one instance of each class, 'b.jpg' with none."""
    ids = {name: first_id + 3 * i for i, name in enumerate(names)}
    annotations = []
    for index, name in enumerate(n for n in CLOTHING_CLASSES if n in ids):
        mask = np.zeros((60, 40), np.uint8, order="F")
        x, y, w, h = boxes(index)
        mask[y : y + h, x : x + w] = 1
        rle = coco_mask.encode(mask)
        annotations.append(
            {
                "id": index + 1,
                "image_id": 7,
                "category_id": ids[name],
                "bbox": [x, y, w, h],
                "area": w * h,
                "iscrowd": 0,
                "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
            }
        )
    return {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 40, "height": 60},
            {"id": 9, "file_name": "b.jpg", "width": 40, "height": 60},
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": n} for n, i in ids.items()],
    }


@pytest.fixture
def root(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (40, 60), (10, 200, 30)).save(tmp_path / "photos" / name)
    return tmp_path


def build(root, content, **kwargs):
    (root / "ann.json").write_text(content if isinstance(content, str) else json.dumps(content))
    config = {
        "type": "ClothingDataset",
        "data_root": str(root),
        "ann_file": "ann.json",
        "data_prefix": {"img": "photos/"},
        "pipeline": PIPELINE,
    }
    return DATASETS.build(config | kwargs)


def found(dataset):
    """Class name by box place, as the data set would train it."""
    classes = dataset.metainfo["classes"]
    info = dataset.get_data_info(0)
    return {int(i["bbox"][0]): classes[i["bbox_label"]] for i in info["instances"]}


def test_classes_and_colors_are_those_of_mmdet():
    assert ClothingDataset.METAINFO["classes"] == DeepFashionDataset.METAINFO["classes"]
    assert ClothingDataset.METAINFO["palette"] == DeepFashionDataset.METAINFO["palette"]


@pytest.mark.parametrize(
    "names",
    [CLOTHING_CLASSES, CLOTHING_CLASSES[::-1], tuple(sorted(CLOTHING_CLASSES))],
    ids=["ours", "reversed", "alphabetical"],
)
def test_instances_keep_their_names_in_any_order_of_the_categories(root, names):
    dataset = build(root, coco(names, first_id=40))
    assert found(dataset) == dict(enumerate(CLOTHING_CLASSES))


def test_the_trap_exists_in_mmdet_and_not_here(root):
    content = coco(CLOTHING_CLASSES[::-1])
    theirs = build(root, content, type="DeepFashionDataset")
    assert found(theirs) != dict(enumerate(CLOTHING_CLASSES))
    assert found(build(root, content)) == dict(enumerate(CLOTHING_CLASSES))


def test_items_have_images_boxes_masks(root):
    item = build(root, coco())[0]
    assert tuple(item["inputs"].shape) == (3, 60, 40)
    instances = item["data_samples"].gt_instances
    assert instances.labels.tolist() == list(range(15))
    assert [m.sum() for m in instances.masks.masks] == [24] * 15


@pytest.mark.parametrize(
    ("filter_cfg", "count"), [(None, 2), ({"filter_empty_gt": False}, 2), ({"filter_empty_gt": True}, 1)]
)
def test_images_without_instances_stay_unless_filtered(root, filter_cfg, count):
    assert len(build(root, coco(), filter_cfg=filter_cfg)) == count


def test_an_image_without_instances_is_an_item(root):
    item = build(root, coco())[1]
    assert len(item["data_samples"].gt_instances) == 0
    assert item["data_samples"].gt_instances.masks.masks.shape == (0, 60, 40)


def test_fewer_classes_ignore_the_others_of_the_fifteen(root):
    dataset = build(root, coco(CLOTHING_CLASSES[::-1]), metainfo={"classes": ("face", "dress")})
    assert found(dataset) == {CLOTHING_CLASSES.index("face"): "face", CLOTHING_CLASSES.index("dress"): "dress"}


def renamed(content, old, new):
    for category in content["categories"]:
        category["name"] = new if category["name"] == old else category["name"]
    return content


def of_first(content, **values):
    content["annotations"][0].update(values)
    return content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (renamed(coco(), "dress", "gown"), ["unknown: 'gown'", "missing: 'dress'", "ann.json", "Rename"]),
        (coco(CLOTHING_CLASSES[:-2]), ["missing: 'skin', 'face'"]),
        (renamed(coco(), "dress", "Dress"), ["unknown: 'Dress'", "differ in upper and lower case"]),
        (of_first(coco((*CLOTHING_CLASSES, "cat")), category_id=46), ["unknown: 'cat'"]),
        (renamed(coco(), "dress", "skirt"), ["twice: 'skirt'"]),
        (json.dumps(coco())[:200], ["ann.json", "not whole JSON"]),
        ([], ["ann.json", "not a COCO annotation file"]),
        ({"images": [], "annotations": {}}, ["no list of annotations, categories"]),
        (coco() | {"images": [], "annotations": []}, ["ann.json lists no image"]),
    ],
    ids=["unknown", "missing", "case", "superset", "twice", "cut", "list", "sections", "no images"],
)
def test_bad_annotation_files_are_named_before_training(root, content, expected):
    with pytest.raises(UserError) as error:
        build(root, content)
    assert all(text in str(error.value) for text in expected), str(error.value)


def test_a_missing_root_is_named(root):
    with pytest.raises(UserError, match=r"data root .*nowhere does not exist"):
        build(root, coco(), data_root=str(root / "nowhere"))


def test_a_missing_annotation_file_is_named(root):
    with pytest.raises(UserError, match=r"other\.json does not exist"):
        build(root, coco(), ann_file="other.json")


def test_missing_images_are_counted_and_the_first_ten_listed(root):
    content = coco()
    content["images"] += [
        {"id": 100 + i, "file_name": f"gone/{i:02}.jpg", "width": 40, "height": 60} for i in range(12)
    ]
    with pytest.raises(UserError, match="12 of the 14 images") as error:
        build(root, content)
    assert "09.jpg" in str(error.value)
    assert "10.jpg" not in str(error.value)


def test_images_are_found_whatever_form_their_accents_and_suffixes_have(root):
    content = coco()
    composed, decomposed = (unicodedata.normalize(form, "é.JPG") for form in ("NFC", "NFD"))
    (root / "photos" / "a.jpg").rename(root / "photos" / composed)
    content["images"][0]["file_name"] = decomposed.replace("JPG", "jpg")
    assert Path(build(root, content)[0]["data_samples"].img_path).name == composed


def test_an_unused_category_is_left_out(root):
    dataset = build(root, coco((*CLOTHING_CLASSES, "cat")))
    assert found(dataset) == dict(enumerate(CLOTHING_CLASSES))


def test_ids_may_be_text_where_they_agree(root):
    content = coco()
    for image in content["images"]:
        image["id"] = str(image["id"])
    for annotation in content["annotations"]:
        annotation["image_id"] = str(annotation["image_id"])
    assert found(build(root, content)) == dict(enumerate(CLOTHING_CLASSES))
    content["annotations"][0]["image_id"] = 7
    with pytest.raises(UserError, match=r"annotation 1: image_id 7 is a number, and the id '7' .* is a text"):
        build(root, content)


def test_windows_paths_and_iscrowd_null_are_read(root):
    content = of_first(coco(), iscrowd=None)
    (root / "photos" / "x").mkdir()
    (root / "photos" / "a.jpg").rename(root / "photos" / "x" / "a.jpg")
    content["images"][0]["file_name"] = "x\\a.jpg"
    assert len(build(root, content)[0]["data_samples"].gt_instances) == 15


@pytest.mark.parametrize("test_mode", [False, True])
def test_only_a_training_needs_an_instance(root, test_mode):
    content = coco()
    for annotation in content["annotations"]:
        annotation["iscrowd"] = 1
    if test_mode:
        assert len(build(root, content, test_mode=True)) == 2
        return
    with pytest.raises(UserError, match="all of its 15 annotations are crowds"):
        build(root, content)
    content["annotations"] = []
    with pytest.raises(UserError, match="no usable annotation"):
        build(root, content)


def test_boxes_by_corners_are_refused_where_most_are_so_and_named_where_few(root, monkeypatch):
    content = coco()
    for annotation in content["annotations"][1:]:
        x, y, width, height = annotation["bbox"]
        annotation["bbox"] = [x, y, x + width, y + height]
    with pytest.raises(UserError, match=r"looks like x1, y1, x2, y2.* have this fault"):
        build(root, content)
    content = of_first(coco(), bbox=[3, 3, 6, 4])
    said = []
    monkeypatch.setattr("mmengine.logging.print_log", lambda text, *_, **__: said.append(text))
    build(root, content)
    assert [text.partition(" (1;")[0] for text in said if "(1; tools/data/check.py" in text] == [
        "box that does not fit its mask"
    ]


def test_sizes_are_compared_as_the_pipeline_decodes(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 60)).save(root / "photos" / "a.jpg", exif=exif)
    with pytest.raises(UserError, match=r"a\.jpg is 60x40, .*ann\.json says 40x60 .*EXIF orientation 6.* 1 of the 2"):
        build(root, coco())
    stored = [{"type": "LoadImageFromFile", "color_type": "color_ignore_orientation"}, *PIPELINE[1:]]
    assert tuple(build(root, coco(), pipeline=stored)[0]["inputs"].shape) == (3, 60, 40)


@pytest.mark.parametrize("flipped", [True, False])
@pytest.mark.parametrize("names", [("left-arm", "right-arm"), ("Left shoe", "Right shoe"), ("left-luggage", "top")])
def test_classes_that_name_sides_are_not_mirrored(root, names, flipped):
    """A flip leaves the left arm's name where the right arm's pixels are; augmented tests do so too."""
    content = coco(["top", "dress"])
    for category, name in zip(content["categories"], names, strict=True):
        category["name"] = name
    flip = {"type": "mmdet.RandomFlip", "prob": 1.0 if flipped else 0.0}
    views = {"type": "TestTimeAug", "transforms": [[flip], [PIPELINE[-1]]]}
    for pipeline in ([*PIPELINE[:2], flip, PIPELINE[2]], [*PIPELINE[:2], views]):
        if flipped and "top" not in names:
            with pytest.raises(
                UserError, match=rf"ann.json tells sides apart \({names[0]}, {names[1]}\).* prob to 0.0"
            ):
                build(root, content, metainfo={"classes": names}, pipeline=pipeline)
        else:
            assert len(build(root, content, metainfo={"classes": names}, pipeline=pipeline)) == 2
