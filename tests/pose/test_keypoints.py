"""Keypoint files of every known format, and broken ones."""

import json

import numpy as np
import pytest

from seg_vton.errors import UserError
from seg_vton.pose.keypoints import read_pose

# Names of the joints in the order that OpenPose's documentation of its output has them.
COCO18 = [
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "RHip", "RKnee", "RAnkle", "LHip",
    "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar",
]  # fmt: skip
BODY_25 = [
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip", "RHip", "RKnee",
    "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar", "LBigToe", "LSmallToe", "LHeel", "RBigToe",
    "RSmallToe", "RHeel",
]  # fmt: skip
PLACES = {name: (10.5 + i, 100.25 - i) for i, name in enumerate(BODY_25)}
EXPECTED = np.array([PLACES[name] for name in COCO18])


def numbers(names):
    return [value for name in names for value in (*PLACES[name], 0.5)]


def write(tmp_path, content):
    path = tmp_path / "000001_0_keypoints.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("key", ["pose_keypoints", "pose_keypoints_2d"])
@pytest.mark.parametrize("names", [COCO18, BODY_25], ids=["18", "25"])
def test_openpose(tmp_path, key, names):
    path = write(tmp_path, {"version": 1.2, "people": [{key: numbers(names)}, {key: [0]}]})
    assert np.array_equal(read_pose(path), EXPECTED)


def test_dresscode(tmp_path):
    path = write(tmp_path, {"keypoints": [[*PLACES[name], 0.9, i] for i, name in enumerate(COCO18)]})
    assert np.array_equal(read_pose(path), EXPECTED)


@pytest.mark.parametrize("content", [{"people": []}, {"keypoints": []}])
def test_nobody(tmp_path, content):
    assert read_pose(write(tmp_path, content)) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"people": [{"pose_keypoints": numbers(COCO18)[:-1]}]}, r"expected 54 numbers .* or 75 .*shape \(53,\)"),
        ({"people": [{"pose_keypoints_2d": numbers(COCO18) * 2}]}, r"shape \(108,\)"),
        ({"people": [{"pose_keypoints_2d": []}]}, r"shape \(0,\)"),
        ({"people": [{"pose_keypoints_2d": ["a"] * 54}]}, "not numbers"),
        ({"people": [{"pose_keypoints_2d": None}]}, "none of the keys"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 53 + [float("nan")]}]}, "NaN"),
        ({"people": [{"hand_left_keypoints": []}]}, "none of the keys pose_keypoints, pose_keypoints_2d"),
        ({"people": [7]}, "none of the keys"),
        ({"people": [{"pose_keypoints_2d": [10**400] * 54}]}, "not numbers"),
        ({"people": {}}, "expected OpenPose's list"),
        ({"keypoints": [[1, 2, 3, 4]] * 17}, r"18 keypoints .* shape \(17, 4\)"),
        ({"keypoints": [[1]] * 18}, r"18 keypoints .* shape \(18, 1\)"),
        ({"keypoints": [[1, 2], [3]]}, "not as many of each joint"),
        ([], "expected OpenPose's list"),
        ('{"people": [', "not whole JSON"),
    ],
)
def test_broken_files_are_named(tmp_path, content, said):
    path = write(tmp_path, content)
    with pytest.raises(UserError, match=said) as error:
        read_pose(path)
    assert str(path) in str(error.value)


def test_other_encodings_are_named(tmp_path):
    path = tmp_path / "latin.json"
    path.write_bytes('{"people": [], "name": "é"}'.encode("latin-1"))
    with pytest.raises(UserError, match=r"latin.json is not whole JSON"):
        read_pose(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone.json does not exist"):
        read_pose(tmp_path / "gone.json")
