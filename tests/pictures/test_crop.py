"""The person's frame in the photo."""

import cv2
import numpy as np
import pytest

from seg_vton.pictures.crop import Box, crop, mirror_joints, move_joints, person_box

NOWHERE = np.zeros((18, 3), np.float32)


def blank(shape, top, bottom, left, right):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def standing(shape=(900, 700), x=300):
    """Head, upper garment and silhouette of someone 600 pixels high."""
    head = blank(shape, 100, 180, x - 30, x + 30)
    upper = blank(shape, 190, 400, x - 80, x + 80)
    return head, upper, head | upper | blank(shape, 400, 700, x - 50, x + 50)


def holds(box, left, top, right, bottom):
    return box.left <= left and box.top <= top and box.left + box.width >= right and box.top + box.height >= bottom


@pytest.mark.parametrize("aspect", [0.75, 0.5, 1.0])
def test_upper_frame_holds_head_garment_and_arms_and_has_the_aspect(aspect):
    joints = NOWHERE.copy()
    joints[4] = [180, 420, 1]  # right wrist
    joints[10] = [300, 690, 1]  # right ankle: not in the upper frame
    box = person_box(*standing(), joints, aspect)
    assert holds(box, 180, 100, 380, 420)
    assert box.width / box.height == pytest.approx(aspect, abs=0.003)
    assert box.height < 600 or aspect < 0.6


def test_body_frame_holds_everyone():
    assert holds(person_box(*standing(), NOWHERE, 0.75, "body"), 220, 100, 380, 700)


def test_frame_moves_into_the_photo_where_it_fits():
    head, upper, body = standing(x=85)  # the garment touches the left edge, nearly
    box = person_box(head, upper, body, NOWHERE, 0.75)
    assert box.left == 0
    assert box.padded_share((900, 700)) == 0


def test_frame_wider_than_the_photo_is_padded_on_both_sides():
    head, upper, body = (mask[:, 200:400] for mask in standing())
    box = person_box(head, upper, body, NOWHERE, 1.0)
    assert box.left == (200 - box.width) // 2 < 0
    assert box.padded_share((900, 200)) == pytest.approx(1 - 200 / box.width)


@pytest.mark.parametrize("box", [Box(3, 4, 5, 6), Box(-2, -3, 20, 30), Box(6, 5, 9, 4)])
def test_crop_is_a_window_of_the_padded_photo(box):
    photo = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    far = np.pad(photo, ((40, 40), (40, 40), (0, 0)), mode="edge")
    expected = far[40 + box.top : 40 + box.top + box.height, 40 + box.left : 40 + box.left + box.width]
    assert np.array_equal(crop(photo, box, cv2.BORDER_REPLICATE), expected)
    labels = np.pad(photo[..., 0], 40)[40 + box.top :, 40 + box.left :][: box.height, : box.width]
    assert np.array_equal(crop(photo[..., 0], box, cv2.BORDER_CONSTANT), labels)


def test_joints_follow_the_pixels():
    photo = np.zeros((60, 50), np.uint8)
    photo[30:32, 20:22] = 200  # its middle is at 20.5, 30.5
    box, size = Box(10, 12, 24, 32), (64, 48)
    resized = cv2.resize(crop(photo, box, cv2.BORDER_CONSTANT), size[::-1], interpolation=cv2.INTER_AREA)
    rows, columns = np.nonzero(resized)
    joints = NOWHERE.copy()
    joints[0] = [20.5, 30.5, 0.7]
    assert move_joints(joints, box, size)[0] == pytest.approx([columns.mean(), rows.mean(), 0.7])


def test_joints_outside_become_missing():
    joints = NOWHERE.copy()
    joints[0], joints[3] = [9, 20, 1], [11, 13, 1]
    moved = move_joints(joints, Box(10, 12, 24, 32), (64, 48))
    assert np.flatnonzero(moved.any(1)).tolist() == [3]


def test_mirror():
    joints = np.column_stack([np.arange(18.0), np.arange(18.0), np.ones(18)]).astype(np.float32)
    joints[9] = 0
    mirrored = mirror_joints(joints, 100)
    assert mirrored[5].tolist() == [97, 2, 1]  # the left shoulder is where the right one was
    assert mirrored[0].tolist() == [99, 0, 1]
    assert not mirrored[12].any()  # the left knee, of the missing right one
    assert np.array_equal(mirror_joints(mirrored, 100), joints)
