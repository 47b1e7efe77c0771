"""Which pixels are the garment, what hides it, and the picture of it on white."""

import numpy as np
import pytest

from seg_vton.data.photo_pairs.person import Person, upper_garment
from seg_vton.data.photo_pairs.warp import lay_out
from seg_vton.labels import DEEPFASHION15, LIP20
from seg_vton.pictures.crop import Box
from seg_vton.pictures.inpainting import fill_hidden, hidden_parts

TOP, OUTER, DRESS, SKIN, HAIR, PANTS = (
    DEEPFASHION15.id_of(name) for name in ("top", "outer", "dress", "skin", "hair", "pants")
)


def shirt():
    """A top of 60 x 60 pixels in 100 x 100."""
    labels = np.zeros((100, 100), np.uint8)
    labels[20:80, 20:80] = TOP
    return labels


def test_union_takes_all_upper_garments_and_no_others():
    labels = shirt()
    labels[20:80, 20:35] = OUTER
    labels[60:80, 40:60] = DRESS
    labels[80:100, 30:70] = PANTS
    assert np.array_equal(upper_garment(labels, "union"), np.isin(labels, (TOP, OUTER, DRESS)))


def test_single_takes_the_largest_where_others_hardly_show():
    labels = shirt()
    labels[20:80, 20:25] = OUTER  # a twelfth
    assert np.array_equal(upper_garment(labels, "single"), labels == TOP)
    labels[20:80, 20:30] = OUTER  # a sixth
    assert upper_garment(labels, "single") is None


def test_specks_are_left_out_and_large_parts_stay():
    labels = shirt()
    labels[20:80, 45:55] = HAIR  # the garment is in two parts
    whole = upper_garment(labels, "union")
    labels[2:6, 2:6] = TOP
    assert np.array_equal(upper_garment(labels, "union"), whole)


def test_an_arm_and_hair_in_front_are_hidden_parts():
    labels = shirt()
    labels[50:58, 20:80] = SKIN
    labels[20:40, 30:36] = HAIR
    mask = labels == TOP
    hidden = hidden_parts(mask, labels)
    assert hidden[51:57, 25:75].all()
    assert hidden[25:39, 31:35].all()
    assert not (hidden & mask).any()


@pytest.mark.parametrize("name", ["neckline", "legs", "beside", "background"])
def test_what_is_no_hidden_part(name):
    labels = shirt()
    label, window = {
        "neckline": (SKIN, np.s_[20:32, 45:55]),
        "legs": (SKIN, np.s_[70:80, 45:55]),
        "beside": (SKIN, np.s_[30:60, 80:90]),
        "background": (0, np.s_[50:58, 30:70]),
    }[name]
    labels[window] = label
    assert not hidden_parts(labels == TOP, labels).any()


def test_a_wide_bag_is_not_filled():
    labels = shirt()
    labels[40:80, 30:80] = DEEPFASHION15.id_of("bag")
    assert hidden_parts(labels == TOP, labels)[50:75, 40:80].mean() < 0.05


def test_hidden_parts_get_the_garments_color_whatever_is_around():
    labels = shirt()
    labels[50:58, 10:90] = SKIN
    photo = np.full((100, 100, 3), (0, 255, 0), np.uint8)
    photo[labels == TOP], photo[labels == SKIN] = (180, 20, 40), (250, 220, 200)
    mask = labels == TOP
    hidden = hidden_parts(mask, labels)
    photo[48:50, 10:90] = (250, 220, 200)  # the arm reaches two pixels over its label
    filled = fill_hidden(photo, mask, hidden)
    assert np.abs(filled[hidden].astype(int) - (180, 20, 40)).max() <= 5
    assert np.abs(filled[48:50, 25:75].astype(int) - (180, 20, 40)).max() <= 5
    far = mask.copy()
    far[44:64] = False
    assert np.array_equal(filled[far], photo[far])


def test_laid_out_by_no_warp_it_is_the_garment_on_white():
    rng = np.random.default_rng(0)
    photo, mask = rng.integers(0, 256, (100, 100, 3), dtype=np.uint8), shirt() == TOP
    cloth, laid = lay_out(photo, mask, np.zeros(50, np.float32), (100, 100))
    assert np.array_equal(laid, mask)
    assert np.abs(cloth.astype(int) - np.where(mask[..., None], photo, 255)).max() <= 1


def test_no_background_mixes_with_the_edge_of_a_fine_cut_out():
    photo = np.full((200, 200, 3), (0, 255, 0), np.uint8)
    mask = np.zeros((200, 200), bool)
    mask[41:161, 43:157] = True
    photo[mask] = (200, 0, 0)
    cloth, laid = lay_out(photo, mask, np.full(50, 0.013, np.float32), (100, 100))
    assert np.abs(cloth[laid].astype(int) - (200, 0, 0))[:, 1:].max() <= 130  # white at an edge, of at most a half
    assert (cloth[..., 1].astype(int) - cloth[..., 2]).max() <= 1  # green nowhere
    assert laid.sum() == pytest.approx(mask.sum() / 4, rel=0.02)


def test_a_mirrored_persons_left_arm_is_a_right_arm():
    """The joints are exchanged too; in a space without sides the labels stay."""
    labels, picture, joints = np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.uint8), np.zeros((18, 3), np.float32)
    labels[:, 0], labels[0, 5], labels[:, 2] = LIP20.id_of("right-arm"), LIP20.id_of("left-arm"), LIP20.id_of("dress")
    joints[4] = 1, 2, 1  # the right wrist
    for space in ("lip20", "ccp59"):
        box = Box(0, 0, 6, 4)
        person = Person(picture, labels, joints, picture, labels > 0, box, padded=0.0, space=space).mirrored()
        assert person.joints[7].tolist() == [4, 2, 1]
        arms = ("left-arm", "right-arm") if space == "lip20" else ("right-arm", "left-arm")
        assert person.label_map[3].tolist() == [0, 0, 0, LIP20.id_of("dress"), 0, LIP20.id_of(arms[0])]
        assert person.label_map[0, 0] == LIP20.id_of(arms[1])
