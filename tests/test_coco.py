import gzip
import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from seg_vton.coco import category_ids, check_evaluated, judge_sizes, read_coco, refuse_faults, unused_categories
from seg_vton.errors import UserError

SOUND = {
    "images": [{"id": 1, "file_name": "a\\1.jpg", "width": 8, "height": 6}],
    "annotations": [
        {"id": 5, "image_id": 1, "category_id": 2, "bbox": [1, 1, 4, 3], "area": 12, "iscrowd": None}
        | {"segmentation": [[1, 1, 5, 1, 5, 4, 1, 4]]}
    ],
    "categories": [{"id": 1, "name": "clothes"}, {"id": 2, "name": "top"}],
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_of_any_encoding_are_read_in_one_form(tmp_path, encoding):
    (tmp_path / "a.json").write_text(json.dumps(SOUND), encoding=encoding)
    content = read_coco(tmp_path / "a.json")
    assert content["images"][0]["file_name"] == "a/1.jpg"
    assert content["annotations"][0]["iscrowd"] == 0
    refuse_faults(content, "a.json")
    assert unused_categories(content, ("top",)) == ["clothes"]
    assert category_ids(content, ("top",), "a.json") == {"top": 2}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (gzip.compress(json.dumps(SOUND).encode()), "is compressed: unpack it"),
        (b"", "is not whole JSON"),
        (b"[]", "has no list of images, annotations, categories"),
        (json.dumps(SOUND | {"images": [{"id": 1, "file_name": "a", "width": "8", "height": 6}]}).encode(), "no width"),
    ],
    ids=["gzip", "empty", "list", "text for a number"],
)
def test_other_files_are_named(tmp_path, written, said):
    (tmp_path / "a.json").write_bytes(written)
    with pytest.raises(UserError, match=rf"a\.json.*{said}"):
        read_coco(tmp_path / "a.json")


def test_an_image_is_evaluated_by_its_own_annotations():
    images = {1: {"file_name": "x/1.jpg", "width": 8, "height": 6}}
    masks = {"pred_instances": {"masks": np.zeros((0, 6, 8), bool)}}
    right = {"img_id": 1, "img_path": "data/photos/x/1.jpg", **masks}
    check_evaluated(right, images, "b.json")
    check_evaluated(right, {1: images[1] | {"file_name": "/elsewhere/1.jpg"}}, "b.json")
    accents = {1: images[1] | {"file_name": unicodedata.normalize("NFD", "é/1.JPG")}}
    check_evaluated(right | {"img_path": "data/é/1.jpg"}, accents, "b.json")
    for wrong, said in (
        ({"img_id": 2}, r"image 2 \(data/photos/x/1.jpg\) is not in b.json"),
        ({"img_path": "data/photos/y/1.jpg"}, "the file data/photos/y/1.jpg and in b.json the file x/1.jpg"),
        ({"pred_instances": {"masks": np.zeros((2, 8, 6), bool)}}, "is 6x8, and b.json says it is 8x6"),
    ):
        with pytest.raises(UserError, match=said):
            check_evaluated(right | wrong, images, "b.json")


def test_images_that_were_cut_off_or_that_mmcv_does_not_read_are_found(tmp_path):
    Image.effect_noise((64, 48), 50).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-100])
    (tmp_path / "c.exr").write_bytes(b"Pillow does not know it")
    Image.new("RGB", (64, 48)).save(tmp_path / "d.tga")  # nor OpenCV this
    found = judge_sizes({tmp_path / name: (64, 48) for name in ("a.jpg", "b.jpg", "c.exr", "d.tga")}, "x.json")
    assert {kind: len(messages) for kind, messages in found.errors.items()} == {"broken image": 2}
    assert "b.jpg is not a whole image" in found.errors["broken image"][0]
    assert "d.tga: mmcv cannot decode this image (TGA, RGB)" in found.errors["broken image"][1]
