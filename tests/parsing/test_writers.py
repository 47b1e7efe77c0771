import json
import tracemalloc

import cv2
import numpy as np
import pytest
from faster_coco_eval import COCO
from PIL import Image

from seg_vton.coco import category_ids, read_coco
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, load_palette_png
from seg_vton.parsing.instances import EnlargedMasks, Parsing
from seg_vton.parsing.writers import KINDS, OVERLAY_HEIGHT, Result, write_instances


@pytest.fixture
def result():
    """A top, two bags and an empty mask on a gray photo of 40 x 60."""
    masks = np.zeros((4, 60, 40), bool)
    masks[0, 10:40, 5:35] = True
    masks[1, 30:50, 20:38] = True
    masks[2, 50:58, 2:10] = True
    labels = np.array([DEEPFASHION15.id_of(name) for name in ("top", "bag", "bag", "hair")])
    boxes = np.array([[5, 10, 35, 40], [20, 30, 38, 50], [2.25, 50, 10, 58], [0, 0, 1, 1]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    return Result(np.full((60, 40, 3), 128, np.uint8), "me.jpg", Parsing(boxes, scores, labels, masks))


def test_the_coco_file_is_one_and_has_the_masks(result, tmp_path):
    KINDS["coco"].write(tmp_path / "a.json", result)
    content = read_coco(tmp_path / "a.json")
    assert list(category_ids(content, CLOTHING_CLASSES, "a.json").values()) == list(range(1, 16))
    coco = COCO(str(tmp_path / "a.json"))
    assert coco.imgs[1] == {"id": 1, "file_name": "me.jpg", "width": 40, "height": 60}
    annotations = coco.imgToAnns[1]
    for annotation, mask in zip(annotations, result.parsing.masks, strict=True):
        assert np.array_equal(coco.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
    assert [a["category_id"] for a in annotations] == result.parsing.labels.tolist()
    assert [a["score"] for a in annotations] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert annotations[2]["bbox"] == [2.25, 50, 7.75, 8]


def test_the_label_map_says_its_space(result, tmp_path):
    KINDS["label-map"].write(tmp_path / "a.png", result)
    assert np.array_equal(load_palette_png(tmp_path / "a.png", "deepfashion15"), result.parsing.label_map())
    small = Result(result.photo, "me.jpg", result.parsing, label_space="tryon8", fill_holes=False)
    KINDS["label-map"].write(tmp_path / "a.png", small)
    assert np.array_equal(load_palette_png(tmp_path / "a.png", "tryon8"), result.parsing.label_map("tryon8", False))


def test_instances_are_gray_files_named_by_class(result, tmp_path):
    KINDS["instances"].write(tmp_path / "a", result)
    names = ("top", "bag", "bag_2", "hair")
    assert {path.name for path in (tmp_path / "a").iterdir()} == {f"{name}.png" for name in names}
    for name, mask in zip(names, result.parsing.masks, strict=True):
        image = Image.open(tmp_path / "a" / f"{name}.png")
        assert image.mode == "L"
        assert np.array_equal(np.array(image), mask * 255)


def test_instances_of_an_earlier_parsing_go_and_other_files_stay(result, tmp_path):
    write_instances(tmp_path, result)
    (tmp_path / "mine.png").write_text("mine")
    (tmp_path / "bag_notes.png").write_text("mine")
    fewer = result.parsing[np.array([1])]
    write_instances(tmp_path, Result(result.photo, "me.jpg", fewer))
    assert {path.name for path in tmp_path.iterdir()} == {"bag.png", "mine.png", "bag_notes.png"}


def test_nothing_found_is_written_too(result, tmp_path):
    empty = Result(result.photo, "me.jpg", result.parsing[np.zeros(4, bool)])
    for kind in KINDS.values():
        kind.write(tmp_path / f"a{kind.suffix}", empty)
    assert json.loads((tmp_path / "a.json").read_text())["annotations"] == []
    assert not load_palette_png(tmp_path / "a.png", "deepfashion15").any()
    assert list((tmp_path / "a").iterdir()) == []
    assert np.abs(np.array(Image.open(tmp_path / "a.jpg")).astype(int) - 128).max() <= 2


def test_the_overlay_shows_the_masks_in_the_frame_of_the_photo(result, tmp_path):
    KINDS["overlay"].write(tmp_path / "a.jpg", result)
    overlay = np.array(Image.open(tmp_path / "a.jpg")).astype(int)
    assert overlay.shape == (60, 40, 3)
    assert np.abs(overlay[2:6, 30:38] - 128).max() <= 12  # beside all masks
    tall = np.full((2 * OVERLAY_HEIGHT, 100, 3), 90, np.uint8)
    parsing = Parsing(
        np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.array([1]), np.ones((1, *tall.shape[:2]), bool)
    )
    KINDS["overlay"].write(tmp_path / "b.jpg", Result(tall, "b.jpg", parsing))
    assert Image.open(tmp_path / "b.jpg").size == (50, OVERLAY_HEIGHT)


def test_the_same_parsing_gives_the_same_bytes(result, tmp_path):
    for kind in ("coco", "label-map", "overlay"):
        paths = [tmp_path / f"{number}{KINDS[kind].suffix}" for number in range(2)]
        for path in paths:
            KINDS[kind].write(path, result)
        assert paths[0].read_bytes() == paths[1].read_bytes()


# ---- photos that were looked at smaller


def enlarged(count, shape=(600, 480)):
    """A parsing of many instances in the frame of a photo ten times as large; the same as arrays."""
    rng = np.random.default_rng(0)
    small = cv2.blur(rng.random((60, 48, count)), (11, 11)).transpose(2, 0, 1) > 0.51
    scores = np.sort(rng.random(count).astype(np.float32))[::-1]
    labels = rng.integers(1, 16, count)
    parsing = Parsing(rng.random((count, 4), np.float32) * 100, scores, labels, small).resized(shape)
    levels = [cv2.resize(m.astype(np.uint8) * 255, shape[::-1], interpolation=cv2.INTER_LINEAR) for m in small]
    dense = Parsing(parsing.boxes, scores, labels, np.array(levels) >= 128)
    photo = np.full((*shape, 3), 90, np.uint8)
    return Result(photo, "me.jpg", parsing), Result(photo, "me.jpg", dense)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_that_are_enlarged_one_by_one_give_the_same_files(tmp_path, kind):
    for name, result in zip(("lazy", "dense"), enlarged(12), strict=True):
        KINDS[kind].write(tmp_path / name / f"a{KINDS[kind].suffix}", result)
    lazy, dense = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("lazy", "dense")
    )
    assert lazy
    assert lazy == dense


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_does_not_grow_with_the_instances(tmp_path, kind):
    peaks = []
    for count in (3, 23):
        result, _ = enlarged(count)
        tracemalloc.start()
        KINDS[kind].write(tmp_path / f"{count}{KINDS[kind].suffix}", result)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 5 * 600 * 480  # of the 20 masks more


def test_enlarged_masks_are_as_an_array():
    lazy, dense = (result.parsing.masks for result in enlarged(4))
    assert isinstance(lazy, EnlargedMasks)
    assert (lazy.shape, lazy.dtype, len(lazy)) == (dense.shape, dense.dtype, 4)
    assert np.array_equal(lazy, dense)
    for which in (2, -1, np.array([3, 0]), np.array([True, False, True, False]), slice(1, 3), np.s_[:, ::2, 5]):
        assert np.array_equal(lazy[which], dense[which])
    assert all(np.array_equal(one, other) for one, other in zip(lazy, dense, strict=True))
