"""The panel of a try-on: the person's cell shows the joints that the models were given."""

import numpy as np
import pytest
import torch

from seg_vton.pictures.crop import Box
from seg_vton.tryon.inference.garment import Garment
from seg_vton.tryon.inference.panel import draw_panel
from seg_vton.tryon.inference.person import Person
from seg_vton.tryon.predictor import TryOnResult
from seg_vton.tryon.visualization import joint_color

GRAY = np.full((64, 48, 3), 128, np.uint8)


def cell(number, joints=None, agnostic=None):
    """One of the four cells above, 512 x 384, of a panel of a person in a gray window of 64 x 48."""
    box, parse = Box(0, 0, 48, 64), np.ones((64, 48), np.uint8)
    person = Person(GRAY, parse, box, None, parse, {"joints": joints})
    garment = Garment(GRAY, parse.astype(bool), "cut-out", box)
    agnostic = -torch.ones(1, 22, 64, 48) if agnostic is None else agnostic
    outputs = {"agnostic": agnostic, "rendered": torch.zeros(1, 3, 64, 48)}
    panel = draw_panel(person, garment, TryOnResult(GRAY, GRAY, parse, outputs, ()), "a doll")
    left = 8 + number * (panel.shape[1] - 8) // 4
    return panel[42:554, left : left + 384]


@pytest.mark.parametrize("known", [(0, 1, 2), (1, 17), ()])
def test_the_person_is_shown_with_the_joints_that_were_used(known):
    joints = np.zeros((18, 2))
    for joint in known:
        joints[joint] = 10 + 2 * joint, 20 + joint
    found = cell(0, joints)
    for joint in known:
        x, y = (8 * joints[joint]).astype(int)
        assert tuple(found[y, x]) == joint_color(joint)
    assert (found != 128).any() == bool(known)
    assert tuple(found[2, 2]) == (128, 128, 128)  # nothing where missing joints would be


def test_a_person_without_a_pose_is_shown_alone():
    assert np.array_equal(cell(0), np.full((512, 384, 3), 128))


@pytest.mark.parametrize("channels", [18, 21, 22])
def test_the_representation_is_what_tom_got(channels):
    agnostic = -torch.ones(1, channels, 64, 48)
    agnostic[0, -18, 10:13, 20:23] = 1  # the nose
    if channels > 18:
        agnostic[0, :-18, 40:] = 1  # white: in the image, or in body shape and head
    found = cell(3, agnostic=agnostic)
    assert tuple(found[8 * 11, 8 * 21]) == joint_color(0)
    assert found[8 * 50, 8 * 30].tolist() == [0 if channels == 18 else 127] * 3
    assert not found[8 * 30, 8 * 30].any()
