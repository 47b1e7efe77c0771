"""Mapping of other skeletons to OpenPose's 18 joints, against keypoints written by hand."""

import numpy as np
import pytest

from seg_vton.pose.joints import OF_COCO_17, OF_MEDIAPIPE_33, to_openpose18

# COCO's names in the order of its annotation files; MediaPipe's in that of its documentation.
COCO17 = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
MEDIAPIPE33 = [
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
]
OPENPOSE18 = [
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
]
SIZE = (200, 100)
# A person facing the camera: their right is at the photo's left.
PLACES = {
    "nose": (50, 20), "right_eye": (47, 17), "left_eye": (53, 17), "right_ear": (44, 18), "left_ear": (56, 18),
    "right_shoulder": (35, 40), "left_shoulder": (67, 44), "right_elbow": (30, 65), "left_elbow": (70, 66),
    "right_wrist": (28, 88), "left_wrist": (73, 87), "right_hip": (41, 90), "left_hip": (59, 91),
    "right_knee": (42, 130), "left_knee": (58, 131), "right_ankle": (43, 170), "left_ankle": (57, 171),
}  # fmt: skip
EXPECTED = np.array([(51, 42) if name == "neck" else PLACES[name] for name in OPENPOSE18])


def coco():
    return np.array([PLACES[name] for name in COCO17], float), np.full(17, 0.9)


def mediapipe():
    return np.array([PLACES.get(name, (1, 1)) for name in MEDIAPIPE33], float), np.full(33, 0.9)


@pytest.mark.parametrize(("skeleton", "order"), [(coco, OF_COCO_17), (mediapipe, OF_MEDIAPIPE_33)])
def test_every_joint_lands_on_its_name(skeleton, order):
    joints = to_openpose18(*skeleton(), order, SIZE)
    assert joints.dtype == np.float32
    assert joints[:, :2] == pytest.approx(EXPECTED, abs=1e-4)
    assert joints[:, 2] == pytest.approx(0.9)


def test_unsure_joints_are_zero_and_others_keep_their_score():
    places, scores = coco()
    scores[COCO17.index("left_wrist")], scores[COCO17.index("nose")] = 0.29, 0.31
    joints = to_openpose18(places, scores, OF_COCO_17, SIZE)
    assert not joints[OPENPOSE18.index("left_wrist")].any()
    assert joints[0] == pytest.approx([50, 20, 0.31])


def test_joints_outside_the_photo_are_zero():
    places, scores = mediapipe()
    places[MEDIAPIPE33.index("left_ankle"), 1] = 1.02 * SIZE[0]  # MediaPipe guesses where a cut-off foot would be
    places[MEDIAPIPE33.index("right_wrist"), 0] = -0.1 * SIZE[1]
    joints = to_openpose18(places, scores, OF_MEDIAPIPE_33, SIZE)
    missing = np.flatnonzero(~joints.any(1)).tolist()
    assert missing == [OPENPOSE18.index("right_wrist"), OPENPOSE18.index("left_ankle")]


def test_neck_needs_both_shoulders_and_has_the_lower_score():
    places, scores = coco()
    scores[COCO17.index("left_shoulder")] = 0.5
    assert to_openpose18(places, scores, OF_COCO_17, SIZE)[1] == pytest.approx([51, 42, 0.5])
    scores[COCO17.index("left_shoulder")] = 0.1
    assert not to_openpose18(places, scores, OF_COCO_17, SIZE)[1].any()
