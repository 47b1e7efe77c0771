"""Keypoint files of every known format, and broken ones."""

import json

import numpy as np
import pytest

from seg_vton.errors import UserError
from seg_vton.pose.keypoints import read_people

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
COCO17 = [
    "Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist", "LHip",
    "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle",
]  # fmt: skip
SIZE = (120, 160)


def numbers(names):
    return [value for name in names for value in (*PLACES[name], 0.5)]


def write(tmp_path, content):
    path = tmp_path / "000001_0_keypoints.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def first(path, *frames):
    return read_people(path, SIZE, *frames)[0][:, :2]


@pytest.mark.parametrize("key", ["pose_keypoints", "pose_keypoints_2d"])
@pytest.mark.parametrize("names", [COCO18, BODY_25], ids=["18", "25"])
def test_openpose(tmp_path, key, names):
    people = [{key: numbers(names)}, {key: [0] * 54}]
    path = write(tmp_path, {"version": 1.2, "people": people})
    assert np.array_equal(first(path), EXPECTED)
    assert not read_people(path, SIZE)[1].any()
    assert np.array_equal(first(write(tmp_path, [{"people": people}])), EXPECTED)  # as ControlNet's API gives it


@pytest.mark.parametrize("columns", [2, 3])
@pytest.mark.parametrize("names", [COCO18, BODY_25, COCO17], ids=["18", "25", "17"])
def test_a_list_for_each_joint(tmp_path, names, columns):
    rows = np.reshape(numbers(names), (-1, 3))[:, :columns].tolist()
    expected = EXPECTED.copy()
    if names is COCO17:
        expected[1] = np.mean([PLACES["RShoulder"], PLACES["LShoulder"]], axis=0)
    flat = [value for row in rows for value in row]
    for one in ({"pose_keypoints_2d": rows}, {"pose_keypoints_2d": flat}, rows):
        assert np.array_equal(first(write(tmp_path, {"people": [one]})), expected)
    assert np.array_equal(first(write(tmp_path, [{"keypoints": rows}])), expected)


@pytest.mark.parametrize("missing", [0, -1])
def test_coco17_without_a_shoulder_has_no_neck(tmp_path, missing):
    rows = np.reshape(numbers(COCO17), (-1, 3))
    rows[COCO17.index("LShoulder")] = missing
    assert not first(write(tmp_path, [{"keypoints": rows.ravel().tolist()}]))[[1, 5]].any()


def test_dresscode(tmp_path):
    path = write(tmp_path, {"keypoints": [[*PLACES[name], 0.9, i] for i, name in enumerate(COCO18)]})
    assert np.array_equal(first(path, SIZE, SIZE), EXPECTED)
    # Photos of its aspect have joints in the frame that it is published with; others joints in their own pixels.
    assert np.array_equal(read_people(path, (768, 1024))[0][:, :2], EXPECTED * 2)
    assert np.array_equal(read_people(path, (800, 800))[0][:, :2], EXPECTED)
    small = read_people(path, (192, 256))[0][:, :2], read_people(path, (12, 16))[0][:, :2]  # in it, and far beyond it
    assert np.array_equal(small[0], EXPECTED)
    assert np.allclose(small[1], EXPECTED / 32)


@pytest.mark.parametrize("key", [{"canvas_width": 60, "canvas_height": 320}, {}])
def test_the_canvas_of_a_file_is_its_frame(tmp_path, key):
    path = write(tmp_path, {"people": [{"pose_keypoints_2d": numbers(COCO18)}], **key})
    assert np.array_equal(first(path), EXPECTED * ((2, 0.5) if key else (1, 1)))
    assert np.array_equal(first(path, (60, 80)), EXPECTED * ((2, 0.5) if key else (2, 2)))


@pytest.mark.parametrize("least", [0, -1], ids=["from 0", "from -1"])
def test_normalized_joints_are_scaled(tmp_path, least):
    """As OpenPose writes them with `--keypoint_scale 3` and `4`; what it did not find is 0 0 0."""
    joints = np.column_stack([EXPECTED / SIZE * (1 - least) + least, np.ones(18)])
    joints[7] = 0
    path = write(tmp_path, {"people": [{"pose_keypoints_2d": joints.ravel().tolist()}], "canvas_width": 9})
    expected = np.where(np.arange(18)[:, None] == 7, 0, EXPECTED)
    assert np.allclose(first(path), expected)


def test_what_was_not_found_is_zero(tmp_path):
    joints = np.reshape(numbers(COCO18), (-1, 3))
    joints[3], joints[4] = (-1, -1, 0), (0, 50, 0)
    found = first(write(tmp_path, {"people": [{"pose_keypoints": joints.ravel().tolist()}]}))
    assert not found[3:5].any()
    assert np.array_equal(found[5:], EXPECTED[5:])


def test_joints_without_confidence_are_missing_unless_no_joint_has_any(tmp_path):
    joints = np.reshape(numbers(COCO18), (-1, 3))
    joints[3:5, 2] = 0, -1
    (found,) = read_people(write(tmp_path, {"people": [{"pose_keypoints_2d": joints.tolist()}]}), SIZE)
    assert np.flatnonzero(~found.any(1)).tolist() == [3, 4]
    joints[:, 2] = 0
    (found,) = read_people(write(tmp_path, {"people": [{"pose_keypoints_2d": joints.tolist()}]}), SIZE)
    assert np.array_equal(found, np.column_stack([EXPECTED, np.ones(18)]))


def test_scores_beside_mmposes_keypoints_are_their_confidences(tmp_path):
    """MMPose has a place for every joint; those that it is unsure of are missing, and a neck needs both shoulders."""
    rows, scores = np.reshape(numbers(COCO17), (-1, 3))[:, :2].tolist(), np.linspace(0.35, 0.95, 17)
    person = {"keypoints": rows, "keypoint_scores": scores.tolist(), "bbox_score": 0.9}
    for content in ({"meta_info": {}, "instance_info": [person]}, [person]):
        (joints,) = read_people(write(tmp_path, content), SIZE)
        assert joints[0] == pytest.approx([*PLACES["Nose"], 0.35])
        assert joints[COCO18.index("RAnkle"), 2] == pytest.approx(0.95)
        assert joints[1, 2] == pytest.approx(np.mean([scores[COCO17.index(f"{side}Shoulder")] for side in "LR"]))
    person["keypoint_scores"][COCO17.index("LShoulder")] = 0.2
    (joints,) = read_people(write(tmp_path, [person]), SIZE)
    assert [COCO18[i] for i in np.flatnonzero(~joints.any(1))] == ["Neck", "LShoulder"]


@pytest.mark.parametrize("content", [{"people": []}, {"keypoints": []}])
def test_nobody(tmp_path, content):
    assert read_people(write(tmp_path, content), SIZE) == []


def test_a_byte_order_mark_is_skipped(tmp_path):
    assert read_people(write(tmp_path, "\ufeff" + json.dumps({"people": []})), SIZE) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"people": [{"pose_keypoints": numbers(COCO18)[:-1]}]}, r"54, 75 or 51 numbers.*shape \(53,\)"),
        ({"people": [{"pose_keypoints_2d": numbers(COCO18) * 2}]}, r"shape \(108,\)"),
        ({"people": [{"pose_keypoints_2d": []}]}, "none of the keys"),
        ({"people": [{"pose_keypoints_2d": ["a"] * 54}]}, "not numbers"),
        ({"people": [{"pose_keypoints_2d": None}]}, "none of the keys"),
        ({"people": [{"pose_keypoints_2d": [1.0] * 53 + [float("nan")]}]}, "NaN"),
        ({"people": [{"hand_left_keypoints": []}]}, "none of the keys pose_keypoints, pose_keypoints_2d"),
        ({"people": [7]}, r"shape \(\)"),
        ({"people": [None]}, "none of the keys"),
        ({"people": [{"pose_keypoints_2d": [10**400] * 54}]}, "not numbers"),
        ({"people": {}}, "expected OpenPose's list"),
        ({"keypoints": [[1, 2, 3, 4]] * 16}, r"18 joints, .* shape \(16, 4\)"),
        ({"keypoints": [[1]] * 18}, r"18 joints, .* shape \(18, 1\)"),
        ({"keypoints": [[1, 2], [3]]}, "not as many of each joint"),
        ([{"keypoints": [[1, 2]] * 17, "keypoint_scores": [1] * 16}], r"expected 17 keypoint_scores, .* \(16,\)"),
        ([], "expected OpenPose's list"),
        ('{"people": [', "not whole JSON"),
    ],
)
def test_broken_files_are_named(tmp_path, content, said):
    path = write(tmp_path, content)
    with pytest.raises(UserError, match=said) as error:
        read_people(path, SIZE)
    assert str(path) in str(error.value)


def test_other_encodings_are_named(tmp_path):
    path = tmp_path / "latin.json"
    path.write_bytes('{"people": [], "name": "é"}'.encode("latin-1"))
    with pytest.raises(UserError, match=r"latin.json is not whole JSON"):
        read_people(path, SIZE)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone.json does not exist"):
        read_people(tmp_path / "gone.json", SIZE)
