import cv2
import numpy as np
import pytest

from seg_vton.pictures.cutout import garment_box, plain_background_mask


def flat(color=(30, 60, 160), ground=(250, 250, 250), noise=1.0):
    """A T-shirt of 48 x 60 pixels before a plain background; photo and mask."""
    mask = np.zeros((120, 100), np.uint8)
    cv2.fillPoly(mask, [np.array([[30, 30], [70, 30], [82, 50], [72, 56], [68, 48], [68, 90], [32, 90], [32, 48],
                                  [28, 56], [18, 50]])], 1)  # fmt: skip
    photo = np.where(mask[..., None] > 0, np.array(color), np.array(ground)).astype(float)
    photo += np.random.default_rng(0).normal(0, noise, photo.shape)
    return photo.clip(0, 255).round().astype(np.uint8), mask.astype(bool)


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


@pytest.mark.parametrize("ground", [(255, 255, 255), (200, 210, 220), (20, 22, 25)])
def test_what_is_before_a_plain_background_is_found(ground):
    photo, mask = flat(ground=ground, color=(30, 60, 160))
    assert iou(plain_background_mask(photo), mask) > 0.97


def test_white_stripes_inside_belong_to_the_garment_and_specks_do_not():
    photo, mask = flat(ground=(255, 255, 255), noise=0)
    photo[60:66, 40:60] = 255
    photo[5:8, 5:8] = 0
    assert iou(plain_background_mask(photo), mask) > 0.99


def test_a_pale_garment_before_white_is_found():
    photo, mask = flat(color=(236, 232, 228), ground=(255, 255, 255), noise=0.3)
    assert iou(plain_background_mask(photo), mask) > 0.95


def test_a_lively_background_is_not_plain():
    street = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    assert plain_background_mask(cv2.resize(street, (100, 120), interpolation=cv2.INTER_CUBIC)) is None


def test_a_picture_that_is_framed_already_is_taken_whole():
    mask = np.zeros((256, 192), bool)
    mask[20:240, 30:160] = True
    assert tuple(garment_box(mask, 0.75)) == (0, 0, 192, 256)
    mask[:, :] = False
    mask[100:150, 80:120] = True
    assert garment_box(mask, 0.75).height < 80


def test_a_mask_of_dust_is_framed_as_a_whole():
    mask = np.zeros((256, 192), bool)
    mask[100:150:4, 60:130:4] = True
    box = garment_box(mask, 0.75)
    assert box.left < 60
    assert box.left + box.width > 129
    assert box.top < 100
    assert box.top + box.height > 149
