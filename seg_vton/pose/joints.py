"""From the joints of other skeletons to OpenPose's 18, which CP-VTON's pose maps are drawn from."""

import numpy as np

NUM_JOINTS = 18

MIN_SCORE = 0.3
"""Joints that an estimator is less sure of count as missing."""

NECK = 1
SHOULDERS = (2, 5)  # of OpenPose's 18: right, left
FOUND = np.array([joint for joint in range(NUM_JOINTS) if joint != NECK])

# OpenPose's 18 without the neck: nose; right shoulder, elbow, wrist; left ones; right hip, knee, ankle; left ones;
# right and left eye; right and left ear. The indices are those of the other skeleton.
OF_COCO_17 = np.array([0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3])
_OF_MEDIAPIPE_33 = np.array([0, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7])


def from_coco17(keypoints: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """OpenPose's 18 joints, as of `to_openpose18`, from the 17 of COCO, which have no neck.

    `keypoints` are `(17, 2)`, x and y in pixels: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, of
    each pair the left first; `scores` `(17,)`; `size` is (height, width) of the photo in pixels.
    """
    return to_openpose18(keypoints[OF_COCO_17], scores[OF_COCO_17], size)


def from_mediapipe33(landmarks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """OpenPose's 18 joints, as of `to_openpose18`, from MediaPipe's 33 landmarks (Bazarevsky et al., BlazePose, 2020).

    `landmarks` are `(33, 3)`, x and y as shares of the photo's width and height, and the visibility; `size` is (height,
    width) of the photo in pixels.
    """
    joints = landmarks[_OF_MEDIAPIPE_33]
    return to_openpose18(joints[:, :2] * size[::-1], joints[:, 2], size)


def to_openpose18(keypoints: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Adds the neck, and zeroes what was not found: scores below `MIN_SCORE` and places outside the photo.

    Args:
        keypoints: `(17, 2)`, x and y in pixels, in OpenPose's order without the neck.
        scores: `(17,)`.
        size: (height, width) of the photo in pixels.

    Returns:
        float32 `(18, 3)` of x, y, score. The neck is the midpoint of the shoulders, with the lower of their scores;
        missing joints are 0 0 0.
    """
    joints = np.zeros((NUM_JOINTS, 3), np.float32)
    joints[FOUND, :2], joints[FOUND, 2] = keypoints, scores
    inside = (joints[:, :2] >= 0).all(1) & (joints[:, :2] < size[::-1]).all(1)
    joints[(joints[:, 2] < MIN_SCORE) | ~inside] = 0
    right, left = joints[list(SHOULDERS)]
    if right[2] and left[2]:
        joints[NECK] = [*(right[:2] + left[:2]) / 2, min(right[2], left[2])]
    return joints
