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


def person_cell(joints):
    """The first of a panel's cells, 512 x 384, of a person in a gray window of 64 x 48."""
    box, parse = Box(0, 0, 48, 64), np.ones((64, 48), np.uint8)
    person = Person(GRAY, parse, box, None, parse, {"joints": joints})
    garment = Garment(GRAY, parse.astype(bool), "cut-out", box)
    result = TryOnResult(GRAY, GRAY, parse, {"rendered": torch.zeros(1, 3, 64, 48)}, ())
    panel = draw_panel(person, garment, result, "a doll")
    return panel[42:554, 8:392]


@pytest.mark.parametrize("known", [(0, 1, 2), (1, 17), ()])
def test_the_person_is_shown_with_the_joints_that_were_used(known):
    joints = np.zeros((18, 2))
    for joint in known:
        joints[joint] = 10 + 2 * joint, 20 + joint
    cell = person_cell(joints)
    for joint in known:
        x, y = (8 * joints[joint]).astype(int)
        assert tuple(cell[y, x]) == joint_color(joint)
    assert (cell != 128).any() == bool(known)
    assert tuple(cell[2, 2]) == (128, 128, 128)  # nothing where missing joints would be


def test_a_person_without_a_pose_is_shown_alone():
    assert np.array_equal(person_cell(None), np.full((512, 384, 3), 128))
