"""Of several people the one on the body."""

import numpy as np
import pytest

from seg_vton import labels
from seg_vton.labels import SPACES
from seg_vton.pose import choose_pose
from seg_vton.pose.choice import label_doubt


def person(*points):
    joints = np.zeros((18, 3))
    joints[: len(points), :2], joints[: len(points), 2] = points, 1
    return joints


def test_most_joints_on_the_body_win_over_a_larger_person_beside_it():
    body = np.zeros((100, 100), bool)
    body[20:80, 40:60] = True
    own, beside = person((45, 30), (50, 50), (55, 70)), person((5, 5), (95, 5), (5, 95), (50, 40))
    for people in ([own, beside], [beside, own]):
        choice = choose_pose(people, body)
        assert choice.joints is own
        assert (choice.on_body, choice.people) == (3, 2)


def test_of_equals_the_largest_is_taken():
    body = np.ones((100, 100), bool)
    rng = np.random.default_rng(0)
    small, large = person(*rng.uniform(40, 50, (6, 2))), person(*rng.uniform(10, 90, (6, 2)))
    assert choose_pose([small, large], body).joints is large
    assert choose_pose([large, small], body).joints is large


def test_a_smaller_mask_and_joints_outside_it():
    body = np.zeros((10, 10), bool)
    body[5, 5] = True
    assert choose_pose([person((55, 58), (1e300, 50))], body, 0.1).on_body == 1
    assert choose_pose([person((55, 58))], body).on_body == 0


def test_people_without_joints_do_not_count():
    body = np.ones((10, 10), bool)
    nobody = np.zeros((18, 3))
    assert choose_pose([nobody], body) is None
    assert choose_pose([], body) is None
    assert choose_pose([nobody, person((5, 5))], body).people == 1


def test_joints_most_of_which_lie_beside_the_body_are_doubted():
    body = np.zeros((100, 100), bool)
    body[20:80, 40:60] = True
    assert choose_pose([person((45, 30), (50, 50), (5, 5), (95, 95))], body).doubt is None
    assert "1 of 4 joints" in choose_pose([person((45, 30), (5, 50), (5, 5), (95, 95))], body).doubt


@pytest.mark.parametrize(
    ("written", "face", "top", "read", "said"),
    [
        ("atr18", "face", "upper-clothes", "cihp20", "nose lies on scarf"),
        ("acgpn14", "face", "upper-clothes", "lip20", "nose lies on skirt"),
        ("lip20", "face", "upper-clothes", "atr18", "chest lies on skirt"),
        ("ccp59", "skin", "shirt", "ccp59", None),
        *((name, "face", "top" if "top" in SPACES[name].classes else "upper-clothes", name, None) for name in
          ("lip20", "atr18", "acgpn14", "fashn18", "deepfashion15", "dfmm24")),
    ],
)  # fmt: skip
def test_maps_of_another_label_space_do_not_fit_the_pose(written, face, top, read, said):
    label_map = np.full((50, 50), SPACES[written].id_of(face), np.uint8)
    label_map[15:] = SPACES[written].id_of(top)
    joints = person((50, 20), (50, 35))
    joints[[8, 11], :2] = (45, 80), (55, 80)
    doubt = label_doubt(label_map, joints, read, 0.5)
    assert doubt is None if said is None else said in doubt
    assert label_doubt(label_map, np.zeros((18, 3)), read) is None


def test_a_label_space_that_nothing_is_known_of_is_not_doubted(monkeypatch):
    label_map, joints = np.full((9, 9), SPACES["lip20"].id_of("dress")), person((5, 5))
    assert "nose lies on dress" in label_doubt(label_map, joints, "lip20")
    monkeypatch.delitem(labels._TABLES, ("lip20", "tryon8"))
    assert label_doubt(label_map, joints, "lip20") is None
