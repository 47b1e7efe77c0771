"""From the joints of other skeletons to OpenPose's 18, which CP-VTON's pose maps are drawn from."""

import numpy as np

NUM_JOINTS = 18

MIN_SCORE = 0.3
"""Joints that an estimator is less sure of count as missing."""

NECK = 1
SHOULDERS = (2, 5)  # of OpenPose's 18: right, left
FOUND = np.array([joint for joint in range(NUM_JOINTS) if joint != NECK])

# OpenPose's 18 without the neck: nose; right shoulder, elbow, wrist; left ones; right hip, knee, ankle; left ones;
# right and left eye; right and left ear. The indices are those of the other skeleton: COCO's 17 are nose, eyes, ears,
# shoulders, elbows, wrists, hips, knees, ankles, of each pair the left first; MediaPipe's 33 are of BlazePose
# (Bazarevsky et al., 2020).
OF_COCO_17 = np.array([0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3])
OF_MEDIAPIPE_33 = np.array([0, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7])


def to_openpose18(keypoints: np.ndarray, scores: np.ndarray, order: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """OpenPose's 18 joints of another skeleton's; what was not found is zero: low scores, places outside the photo.

    Args:
        keypoints: `(N, 2)`, x and y in pixels, in the other skeleton's order.
        scores: `(N,)`; below `MIN_SCORE` a joint counts as missing.
        order: `OF_COCO_17` or `OF_MEDIAPIPE_33`.
        size: (height, width) of the photo in pixels.

    Returns:
        float32 `(18, 3)` of x, y, score. The neck is the midpoint of the shoulders, with the lower of their scores;
        missing joints are 0 0 0.
    """
    joints = np.zeros((NUM_JOINTS, 3), np.float32)
    joints[FOUND, :2], joints[FOUND, 2] = keypoints[order], scores[order]
    inside = (joints[:, :2] >= 0).all(1) & (joints[:, :2] < size[::-1]).all(1)
    joints[(joints[:, 2] < MIN_SCORE) | ~inside] = 0
    right, left = joints[list(SHOULDERS)]
    if right[2] and left[2]:
        joints[NECK] = [*(right[:2] + left[:2]) / 2, min(right[2], left[2])]
    return joints
