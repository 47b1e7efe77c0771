"""The face of label maps that call it skin."""

import numpy as np
import pytest

from seg_vton.data.paper_doll import draw_doll
from seg_vton.labels import DEEPFASHION15
from seg_vton.pose.face import label_face

FACE, SKIN = DEEPFASHION15.id_of("face"), DEEPFASHION15.id_of("skin")


@pytest.mark.parametrize("index", range(3))
def test_finds_most_of_the_face_of_a_doll_and_little_else(index):
    doll = draw_doll(0, index, (192, 256), try_on=True)
    joints = np.asarray(doll.keypoints)
    truth = doll.label_map == FACE
    found = label_face(np.where(truth, SKIN, doll.label_map).astype(np.uint8), joints) == FACE
    assert (found & truth).sum() / (found | truth).sum() > 0.7
    assert not found[~np.isin(doll.label_map, (FACE, SKIN))].any()


def head(hand=False):
    labels = np.zeros((100, 100), np.uint8)
    labels[10:60, 40:60] = SKIN
    if hand:
        labels[10:30, 85:95] = SKIN
    joints = np.zeros((18, 3), np.float32)
    joints[0], joints[1] = [50, 25, 1], [50, 55, 1]
    return labels, joints


def test_ends_at_the_chin_and_leaves_hands_alone():
    labels, joints = head(hand=True)
    found = label_face(labels, joints)
    rows, columns = np.nonzero(found == FACE)
    assert rows.max() == 38  # 45 % of 30 pixels below the nose
    assert columns.max() < 60
    assert labels.max() == SKIN  # the argument is as it was


@pytest.mark.parametrize("missing", [0, -1])  # files have what was not found at 0 or below
@pytest.mark.parametrize("change", ["has a face", "no nose", "no neck"])
def test_nothing_to_do(change, missing):
    labels, joints = head()
    if change == "has a face":
        labels[12, 50] = FACE
    joints[{"no nose": 0, "no neck": 1}.get(change, 5)] = missing
    assert label_face(labels, joints) is labels


def test_space_without_skin():
    label_map, joints = head()
    assert label_face(label_map, joints, space="lip20") is label_map
