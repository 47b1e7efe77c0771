"""Of several people the one on the body."""

import numpy as np

from seg_vton.pose import choose_pose


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
