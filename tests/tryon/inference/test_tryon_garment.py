"""Garments of any photo: which mask, on white, framed."""

import numpy as np
import pytest

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15
from seg_vton.tryon.inference.garment import is_worn, prepare_garment
from seg_vton.tryon.predictor import cut_garment

IDS = {name: DEEPFASHION15.id_of(name) for name in DEEPFASHION15.classes}
NOTHING = np.zeros((120, 100), np.uint8)


def flat():
    """A T-shirt before a plain background; photo and mask."""
    mask = np.zeros((120, 100), np.uint8)
    mask[30:90, 32:68], mask[30:50, 18:82] = 1, 1
    return np.where(mask[..., None], np.uint8([30, 60, 160]), np.uint8(250)), mask.astype(bool)


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_a_lying_garment_comes_on_white_in_the_middle():
    photo, mask = flat()
    garment = prepare_garment(photo, NOTHING)
    assert garment.source == "cut-out"
    height, width = garment.picture.shape[:2]
    assert width == pytest.approx(0.75 * height, abs=1)
    rows, columns = np.nonzero(garment.mask)
    assert max(np.ptp(rows) / height, np.ptp(columns) / width) == pytest.approx(0.88, abs=0.03)
    assert abs(rows.min() + rows.max() - height) <= 3
    assert abs(columns.min() + columns.max() - width) <= 3
    assert (garment.picture[~garment.mask] == 255).all()
    left, top = garment.box.left, garment.box.top
    y, x = rows[len(rows) // 2], columns[len(rows) // 2]
    assert np.array_equal(garment.picture[y, x], photo[y + top, x + left])
    assert iou(garment.mask, np.pad(mask, 100)[top + 100 :, left + 100 :][:height, :width]) > 0.97


def worn():
    """A label map of a person to the knees."""
    label_map = NOTHING.copy()
    label_map[10:30, 40:60], label_map[30:36, 46:54] = IDS["hair"], IDS["skin"]
    label_map[36:80, 30:70], label_map[80:115, 34:66] = IDS["top"], IDS["pants"]
    return label_map


def test_a_worn_garment_is_cut_out_by_the_segmenter_even_before_a_plain_background():
    label_map = worn()
    photo = np.where(label_map[..., None] > 0, np.uint8(90), np.uint8(255)).repeat(3, 2)
    garment = prepare_garment(photo, label_map)
    assert garment.source == "segmenter"
    assert np.count_nonzero(garment.mask) == np.count_nonzero(label_map == IDS["top"])
    assert garment.warnings == ()


def test_an_arm_before_the_garment_is_painted_over():
    label_map = worn()
    photo = np.zeros((120, 100, 3), np.uint8)
    photo[label_map == IDS["top"]] = (10, 200, 10)
    label_map[50:55, 30:70] = IDS["skin"]
    photo[50:55, 30:70] = (220, 170, 150)
    garment = prepare_garment(photo, label_map)
    assert 0.99 * 44 * 40 < np.count_nonzero(garment.mask) <= 44 * 40
    assert np.abs(garment.picture[garment.mask].astype(int) - (10, 200, 10)).max() < 60
    assert (garment.picture[~garment.mask] == 255).all()


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ({"top": 1000}, False),
        ({"top": 1000, "skin": 500}, False),
        ({"top": 1000, "hair": 90}, False),
        ({"top": 1000, "skirt": 300}, False),
        ({"top": 1000, "face": 20}, True),
        ({"top": 1000, "hair": 150}, True),
        ({"dress": 1000, "hair": 60, "footwear": 200}, True),
        ({}, False),
    ],
)
def test_who_wears_a_garment(areas, expected):
    label_map = np.zeros(3000, np.uint8)
    labels = np.concatenate([np.full(area, IDS[name]) for name, area in areas.items()] or [np.zeros(0)])
    label_map[: len(labels)] = labels
    assert is_worn(label_map.reshape(60, 50)) is expected


def test_a_given_mask_is_taken_as_it_is():
    photo, _ = flat()
    mask = np.zeros((120, 100), bool)
    mask[40:80, 40:60] = True
    garment = prepare_garment(photo, worn(), mask)
    assert garment.source == "given mask"
    assert np.count_nonzero(garment.mask) == 800


def test_a_doubtful_cut_is_said_unless_the_segmenter_sees_the_garment():
    photo = np.full((120, 100, 3), 250, np.uint8)
    photo[50:65, 45:60] = (30, 60, 160)  # a patch
    garment = prepare_garment(photo, NOTHING)
    assert garment.source == "doubtful cut-out"
    assert "may be cut out badly" in garment.warnings[0]
    assert prepare_garment(photo, np.where(flat()[1], IDS["top"], 0).astype(np.uint8)).source == "segmenter"


def test_a_picture_that_is_cut_out_already_has_its_alpha_as_the_mask():
    mask = flat()[1]
    photo = np.full((120, 100, 3), 255, np.uint8)  # a white garment, on the white that transparent parts become
    garment = prepare_garment(photo, worn(), alpha=np.uint8(255) * mask, aspect=None)
    assert (garment.source, tuple(garment.box)) == ("cut-out", (0, 0, 100, 120))
    assert np.array_equal(garment.mask, mask)


def test_a_given_mask_of_the_background_is_said():
    photo, mask = flat()
    assert prepare_garment(photo, NOTHING, mask).warnings == ()
    (warning,) = prepare_garment(photo, NOTHING, ~mask).warnings
    assert "the given mask shows the background" in warning


def test_several_worn_garments_and_strange_things_are_said():
    label_map = worn()
    label_map[36:80, 30:40] = IDS["outer"]
    photo = np.random.default_rng(0).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    (text,) = prepare_garment(photo, label_map).warnings
    assert "all of top, outer" in text
    photo, mask = flat()
    (text,) = prepare_garment(photo, np.where(mask, IDS["pants"], 0).astype(np.uint8)).warnings
    assert "takes what is cut out for pants" in text


@pytest.mark.parametrize(
    ("photo", "label_map", "mask", "expected"),
    [
        (np.full((120, 100, 3), 255, np.uint8), NOTHING, None, "nothing stands out from the background"),
        (flat()[0], NOTHING, np.zeros((120, 100), bool), "given mask: its white part is too small"),
    ],
)
def test_photos_without_a_garment_are_refused(photo, label_map, mask, expected):
    with pytest.raises(UserError, match=expected):
        prepare_garment(photo, label_map, mask)


def test_the_mask_of_another_photo_is_refused():
    with pytest.raises(UserError, match="mask is 50x60 and the photo 100x120"):
        cut_garment(flat()[0], None, 3 / 4, mask=np.zeros((60, 50), bool))
