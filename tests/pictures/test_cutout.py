import cv2
import numpy as np
import pytest

from seg_vton.pictures.cutout import cut_out, garment_box


def flat(color=(30, 60, 160), ground=(250, 250, 250), noise=1.0, scale=1):
    """A T-shirt of 48 x 60 pixels before a plain background; photo and mask."""
    mask = np.zeros((120 * scale, 100 * scale), np.uint8)
    cv2.fillPoly(mask, [scale * np.array([[30, 30], [70, 30], [82, 50], [72, 56], [68, 48], [68, 90], [32, 90],
                                          [32, 48], [28, 56], [18, 50]])], 1)  # fmt: skip
    photo = np.where(mask[..., None] > 0, np.array(color), np.array(ground)).astype(float)
    photo += np.random.default_rng(0).normal(0, noise, photo.shape)
    return photo.clip(0, 255).round().astype(np.uint8), mask.astype(bool)


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


@pytest.mark.parametrize("ground", [(255, 255, 255), (200, 210, 220), (20, 22, 25)])
def test_what_is_before_a_plain_background_is_found(ground):
    photo, mask = flat(ground=ground, color=(30, 60, 160))
    cut = cut_out(photo)
    assert iou(cut.mask, mask) > 0.97
    assert cut.doubt == ""
    cv2.setRNGSeed(5)
    assert np.array_equal(cut_out(photo).mask, cut.mask)


def test_white_stripes_inside_belong_to_the_garment_and_specks_do_not():
    photo, mask = flat(ground=(255, 255, 255), noise=0)
    photo[60:63, 44:56] = 255
    photo[5:8, 5:8] = 0
    assert iou(cut_out(photo).mask, mask) > 0.98


def test_a_pale_garment_before_white_is_found():
    photo, mask = flat(color=(236, 232, 228), ground=(255, 255, 255), noise=0.3)
    assert iou(cut_out(photo).mask, mask) > 0.95


def floor(shape):
    """Boards of several browns with dark joints."""
    rng = np.random.default_rng(3)
    boards = np.repeat(rng.normal(0, 12, 1 + shape[1] // 20), 20)[: shape[1]]
    picture = np.array((170, 130, 90)) + boards[None, :, None] + rng.normal(0, 6, (*shape, 1))
    picture[:, ::20] -= 70
    return picture.clip(0, 255).astype(np.uint8)


def test_a_garment_on_a_floor_is_found_without_hook_and_joints():
    photo, mask = flat(scale=2)
    photo = np.where(mask[..., None], photo, floor(mask.shape))
    photo[24:60, 99:101] = (20, 30, 120)  # a hook of the garment's color
    cut = cut_out(photo)
    assert iou(cut.mask, mask) > 0.97
    assert not cut.mask[:50].any()
    assert cut.doubt == ""


def test_a_garment_that_reaches_the_rim_is_whole():
    photo, mask = flat()
    photo, mask = photo[:, 20:80], mask[:, 20:80]
    assert iou(cut_out(photo).mask, mask) > 0.95


def test_a_large_photo_has_the_edge_at_its_own_pixels():
    photo, mask = flat(scale=10)
    assert iou(cut_out(photo).mask, mask) > 0.99


def test_a_useful_alpha_channel_is_the_mask():
    photo, mask = flat()
    alpha = np.uint8(255) * ~mask
    assert np.array_equal(cut_out(photo, alpha).mask, ~mask)
    assert iou(cut_out(photo, np.full_like(alpha, 255)).mask, mask) > 0.97


def test_nothing_is_found_where_nothing_stands_out():
    assert not cut_out(np.full((120, 100, 3), 255, np.uint8)).mask.any()
    street = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    assert not cut_out(cv2.resize(street, (100, 120), interpolation=cv2.INTER_CUBIC)).mask.any()


def test_doubts_are_said():
    assert "colors are close to those of the background" in cut_out(flat(color=(246, 246, 246), noise=0.5)[0]).doubt
    tiny = np.full((120, 100, 3), 250, np.uint8)
    tiny[50:65, 45:60] = (30, 60, 160)
    assert "tiny" in cut_out(tiny).doubt


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
