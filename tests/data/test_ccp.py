import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image
from pycocotools.coco import COCO

from seg_vton.data.ccp import convert_ccp, split_of
from seg_vton.errors import UserError
from seg_vton.labels import CCP59

TOOL = Path(__file__).parents[2] / "tools" / "data" / "ccp.py"
SIZE = (12, 8)  # height, width


def ids(*names):
    return [CCP59.id_of(name) for name in names]


def write_photo(root, number, labels, size=SIZE):
    (root / "photos").mkdir(parents=True, exist_ok=True)
    (root / "annotations" / "pixel-level").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (number % 256, 90, 30)).save(root / "photos" / f"{number:04}.jpg")
    scipy.io.savemat(
        root / "annotations" / "pixel-level" / f"{number:04}.mat", {"groundtruth": labels}, do_compression=True
    )


def write_names(root, names):
    cells = np.empty((1, len(names)), dtype=object)
    cells[0] = names
    scipy.io.savemat(root / "label_list.mat", {"label_list": cells})


@pytest.fixture
def source(tmp_path):
    """A photo in each split: train has a blouse, jeans and a watch, val nothing, test two tops and shoes."""
    root = tmp_path / "ccp"
    blouse, jeans, watch, shoes, top, shirt = ids("blouse", "jeans", "watch", "shoes", "top", "shirt")
    labels = np.zeros(SIZE, np.uint8)
    labels[2:6, 1:5], labels[6:10, 1:5], labels[3, 6] = blouse, jeans, watch
    write_photo(root, 704, labels)
    write_photo(root, 705, np.zeros(SIZE, np.uint8))
    labels = np.zeros(SIZE, np.uint8)
    labels[0:2, 0:2], labels[0:2, 6:8], labels[10:, 3] = top, shirt, shoes
    write_photo(root, 805, labels)
    write_names(root, ["null", *CCP59.classes[1:]])
    (root / "annotations" / "pixel-level" / "._0704.mat").write_bytes(b"Mac OS X")  # what macOS leaves beside files
    return root


def boxes(path):
    """File name -> class name -> (box, area) of a COCO file."""
    coco = COCO(str(path))
    names = {c["id"]: c["name"] for c in coco.dataset["categories"]}
    found = {image["file_name"]: {} for image in coco.dataset["images"]}
    for a in coco.dataset["annotations"]:
        found[coco.imgs[a["image_id"]]["file_name"]][names[a["category_id"]]] = (a["bbox"], a["area"])
    return found


@pytest.mark.parametrize(("number", "split"), [(1, "train"), (704, "train"), (705, "val"), (804, "val"), (805, "test")])
def test_split_by_number(number, split):
    assert split_of(number) == split


def test_one_instance_per_class_in_the_right_split(source, tmp_path):
    out = tmp_path / "out"
    summaries = convert_ccp(source, out)
    assert boxes(out / "annotations" / "instances_train.json") == {
        "0704.jpg": {"top": ([1, 2, 4, 4], 16), "pants": ([1, 6, 4, 4], 16)}
    }
    assert boxes(out / "annotations" / "instances_val.json") == {"0705.jpg": {}}
    assert boxes(out / "annotations" / "instances_test.json") == {
        "0805.jpg": {"top": ([0, 0, 8, 2], 8), "footwear": ([3, 10, 1, 2], 2)}
    }
    assert [(s.name, s.images, s.empty_images) for s in summaries] == [("train", 1, 0), ("val", 1, 1), ("test", 1, 0)]
    assert summaries[0].dropped == {"watch: no such class": 1}


def test_photos_are_linked_and_the_size_is_the_photos(source, tmp_path):
    convert_ccp(source, tmp_path / "out")
    for name in ("train", "val", "test"):
        content = json.loads((tmp_path / "out" / "annotations" / f"instances_{name}.json").read_text())
        for image in content["images"]:
            with Image.open(tmp_path / "out" / "photos" / image["file_name"]) as photo:
                assert photo.size == (image["width"], image["height"]) == SIZE[::-1]


def test_source_may_be_the_output_and_nothing_of_it_changes(source):
    before = {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}
    convert_ccp(source, source)
    assert not (source / "photos").is_symlink()
    assert {p: p.read_bytes() for p in before} == before
    assert (source / "annotations" / "instances_train.json").is_file()


def test_photos_that_are_there_stay(source, tmp_path):
    (tmp_path / "out" / "photos").mkdir(parents=True)
    (tmp_path / "out" / "photos" / "mine.txt").write_text("mine")
    convert_ccp(source, tmp_path / "out")
    assert (tmp_path / "out" / "photos" / "mine.txt").read_text() == "mine"


def test_splits_without_photos_get_no_file(source, tmp_path):
    for number in ("0705", "0805"):
        (source / "annotations" / "pixel-level" / f"{number}.mat").unlink()
    assert [s.name for s in convert_ccp(source, tmp_path / "out")] == ["train"]
    assert [p.name for p in (tmp_path / "out" / "annotations").iterdir()] == ["instances_train.json"]


def test_two_runs_write_the_same_bytes_and_only_overwrite_when_told(source, tmp_path):
    for name in ("a", "b"):
        convert_ccp(source, tmp_path / name)
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a" / "annotations").iterdir()]
    assert len(files) == 3
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    with pytest.raises(UserError, match=r"exists already: pass --overwrite"):
        convert_ccp(source, tmp_path / "a")
    convert_ccp(source, tmp_path / "a", overwrite=True)


def mat(source, number="0704"):
    return source / "annotations" / "pixel-level" / f"{number}.mat"


def test_no_data_set_here(tmp_path):
    with pytest.raises(UserError, match=r"label_list\.mat does not exist"):
        convert_ccp(tmp_path / "nowhere", tmp_path / "out")


def test_no_annotations(source, tmp_path):
    for path in mat(source).parent.iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"pixel-level: expected NNNN\.mat files, found none"):
        convert_ccp(source, tmp_path / "out")
    mat(source).parent.rmdir()
    with pytest.raises(UserError, match="must be the root of Clothing Co-Parsing"):
        convert_ccp(source, tmp_path / "out")


def test_strange_file_name(source, tmp_path):
    mat(source).rename(mat(source, "copy of 0704"))
    with pytest.raises(UserError, match=r"found copy of 0704\.mat"):
        convert_ccp(source, tmp_path / "out")


def test_labels_in_another_order(source, tmp_path):
    names = ["null", *CCP59.classes[1:]]
    names[2], names[3] = names[3], names[2]
    write_names(source, names)
    with pytest.raises(UserError, match=r"label_list\.mat: .*2 is 'belt', not 'bag'"):
        convert_ccp(source, tmp_path / "out")
    write_names(source, names[:-1])
    with pytest.raises(UserError, match="expected the 59 labels of Clothing Co-Parsing, found 58"):
        convert_ccp(source, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 3, 100, 128, 130, 140, 160, 200])
def test_cut_mat_file_is_named(source, tmp_path, keep):
    whole = mat(source).read_bytes()
    assert keep < len(whole)
    mat(source).write_bytes(whole[:keep])
    with pytest.raises(UserError, match=r"0704\.mat"):
        convert_ccp(source, tmp_path / "out")
    assert not (tmp_path / "out" / "annotations").exists()


@pytest.mark.parametrize("seed", range(60))
def test_damaged_mat_file_is_named_or_read(source, tmp_path, seed):
    rng = np.random.default_rng(seed)
    whole = bytearray(mat(source).read_bytes())
    for place in rng.integers(120, len(whole), 4):
        whole[place] ^= int(rng.integers(1, 256))
    mat(source).write_bytes(bytes(whole))
    with pytest.raises(UserError, match=r"0704\.mat"):
        convert_ccp(source, tmp_path / "out")


def test_mat_without_the_key(source, tmp_path):
    scipy.io.savemat(mat(source), {"labels": np.zeros(SIZE, np.uint8)})
    with pytest.raises(UserError, match=r"no variable 'groundtruth', it has: labels"):
        convert_ccp(source, tmp_path / "out")


def test_mat_of_another_size(source, tmp_path):
    write_photo(source, 704, np.zeros((6, 8), np.uint8))
    with pytest.raises(UserError, match=r"0704\.mat: the labels are 8x6 and .*0704\.jpg is 8x12"):
        convert_ccp(source, tmp_path / "out")


def test_label_that_ccp_has_not(source, tmp_path):
    write_photo(source, 704, np.full(SIZE, 59, np.uint8))
    with pytest.raises(UserError, match=r"0704\.mat: ccp59 has the ids 0 to 58, found also 59"):
        convert_ccp(source, tmp_path / "out")


def test_a_name_that_is_no_text(source, tmp_path):
    write_names(source, ["null", np.arange(4.0), *CCP59.classes[2:]])
    with pytest.raises(UserError, match=r"label_list\.mat: .*1 is '\[\[0"):
        convert_ccp(source, tmp_path / "out")


def test_missing_and_broken_photo(source, tmp_path):
    photo = source / "photos" / "0704.jpg"
    Image.effect_noise((200, 300), 90).resize(SIZE[::-1]).save(photo, quality=100)
    photo.write_bytes(photo.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"0704\.jpg is not a whole image"):
        convert_ccp(source, tmp_path / "out")
    photo.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"0704\.jpg is not an image"):
        convert_ccp(source, tmp_path / "out")
    photo.unlink()
    with pytest.raises(UserError, match=r"0704\.jpg does not exist"):
        convert_ccp(source, tmp_path / "out")


def run_tool(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, args)])
    runpy.run_path(str(TOOL), run_name="__main__")


def test_tool(source, tmp_path, monkeypatch, capsys):
    run_tool(monkeypatch, source, "--out", tmp_path / "out")
    assert "images without instances" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        run_tool(monkeypatch, source, "--out", tmp_path / "out")
    assert "--overwrite" in str(ended.value.code)
    run_tool(monkeypatch, source, "--out", tmp_path / "out", "--overwrite")
