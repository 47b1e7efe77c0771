"""Poses by file, by folder and by backend; OpenPose's JSON there and back."""

import json
from pathlib import Path

import numpy as np
import pytest

from seg_vton.errors import UserError
from seg_vton.pose import Poses, openpose_json

IMAGE = np.zeros((50, 40, 3), np.uint8)
JOINTS = np.column_stack([np.arange(1.0, 19), np.arange(2.0, 20), np.full(18, 0.75)]).astype(np.float32)
JOINTS[7] = 0


def write(path, joints=JOINTS):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(openpose_json(joints)))
    return path


def load(source, photo, place=None, models=None):
    poses = Poses(source, models)
    return poses.people(poses.file(Path(photo), place), IMAGE)


@pytest.mark.parametrize("name", ["me_keypoints.json", "me.json"])
def test_folder(tmp_path, name):
    write(tmp_path / name)
    (joints,) = load(str(tmp_path), "album/me.jpg")
    assert np.array_equal(joints, JOINTS)


def test_folder_without_the_photo(tmp_path):
    with pytest.raises(UserError, match=r"album/me\.jpg has no pose: .*me_keypoints\.json does not exist"):
        load(tmp_path, "album/me.jpg")


def test_in_a_folder_the_photos_own_place_comes_before_its_name(tmp_path):
    other = JOINTS.copy()
    other[:7, 0] += 100
    write(tmp_path / "me_keypoints.json", other)
    write(tmp_path / "album" / "me_keypoints.json")
    (joints,) = load(tmp_path, "photos/album/me.jpg", place="album/me.jpg")
    assert np.array_equal(joints, JOINTS)
    (joints,) = load(tmp_path, "photos/summer/me.jpg", place="summer/me.jpg")
    assert np.array_equal(joints, other)


def test_source_that_is_nothing(tmp_path):
    with pytest.raises(UserError, match=r"neither a folder of keypoint files nor one of auto, rtmlib"):
        load(tmp_path / "gone", "me.jpg")


def test_backend_by_name():
    assert load("none", "me.jpg") == []
    with pytest.raises(UserError, match="none takes 0 pose models, found 2"):
        Poses("none", ("a.onnx", "b.onnx"))


def test_joints_that_openpose_did_not_find_are_zero_whatever_their_score(tmp_path):
    joints = JOINTS.copy()
    joints[3] = [-1, -1, 0.5]
    write(tmp_path / "me.json", joints)
    assert not load(tmp_path, "me.jpg")[0][3].any()


def test_two_people(tmp_path):
    content = openpose_json(JOINTS)
    content["people"] += openpose_json(JOINTS + np.float32(3))["people"]
    (tmp_path / "me.json").write_text(json.dumps(content))
    first, second = load(tmp_path, "me.jpg")
    assert np.array_equal(first, JOINTS)
    assert np.array_equal(second, JOINTS + np.float32(3))


def test_nobody(tmp_path):
    empty = np.zeros((18, 3))
    assert openpose_json(empty)["people"] == []
    write(tmp_path / "me.json", empty)
    assert load(tmp_path, "me.jpg") == []
