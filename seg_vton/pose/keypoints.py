"""OpenPose keypoints as try-on data sets store them: 18 joints, whatever the file's format."""

from pathlib import Path
from typing import Any

import numpy as np

from seg_vton.errors import UserError
from seg_vton.files import read_json

NUM_JOINTS = 18
_KEYS = ("pose_keypoints", "pose_keypoints_2d")
# OpenPose's BODY_25 has the middle of the hips as 8, which the 18 joints lack, and ends with six joints of the feet.
BODY_25 = np.array([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])


def read_pose(path: str | Path) -> np.ndarray | None:
    """Reads the first person's joints of a file.

    Args:
        path: a JSON of a format that `read_keypoints` knows.

    Returns:
        float64 `(18, 2)`: x and y in pixels, in COCO's order with the neck as joint 1; what OpenPose did not find is
        at 0 or below. None where the file has no people.

    Raises:
        UserError: the file is missing, broken or of another format; the message names it.
    """
    keypoints = read_keypoints(path)
    return None if keypoints is None else keypoints[:, :2].copy()


def read_keypoints(path: str | Path) -> np.ndarray | None:
    """Reads the first person's joints of a file with their confidence.

    Known are OpenPose's `people[0]["pose_keypoints"]` (before 1.3; CP-VTON reads it) and `["pose_keypoints_2d"]`, of
    18 x 3 numbers in COCO's order or 25 x 3 in BODY_25's, and DressCode's `keypoints`: 18 lists, x and y first.

    Args:
        path: a JSON.

    Returns:
        float64 `(18, 3)`: x and y in pixels and the confidence (1 where the file has none), in COCO's order with the
        neck as joint 1; what OpenPose did not find is at 0 or below. None where the file has no people.

    Raises:
        UserError: the file is missing, broken or of another format; the message names it.
    """
    content = read_json(path)
    if isinstance(content, dict) and "keypoints" in content:
        return _dresscode(content["keypoints"], path)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise UserError(f"{path}: expected OpenPose's list `people` or DressCode's `keypoints`, found neither")
    return _openpose(people[0], path) if people else None


def read_people(path: str | Path) -> list[np.ndarray]:
    """Reads everybody's joints of a file.

    Args:
        path: a JSON of a format that `read_keypoints` knows.

    Returns:
        An array for each person as `read_keypoints` gives it; what was not found is 0 0 0.

    Raises:
        UserError: the file is missing, broken or of another format; the message names it.
    """
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("people"), list):
        found = [_openpose(person, path) for person in content["people"]]
    else:
        found = [read_keypoints(path)]
    return [np.where((joints[:, :2] > 0).all(1, keepdims=True), joints, 0) for joints in found if joints is not None]


def _openpose(person: Any, path: str | Path) -> np.ndarray:
    values = next((person[key] for key in _KEYS if key in person), None) if isinstance(person, dict) else None
    if values is None:
        raise UserError(f"{path}: one of `people` has none of the keys {', '.join(_KEYS)}")
    numbers = _numbers(values, path)
    if numbers.shape not in ((54,), (75,)):
        raise UserError(
            f"{path}: expected 54 numbers (x, y, confidence of OpenPose's 18 joints) or 75 (BODY_25), "
            f"found an array of shape {numbers.shape}: write the keypoints again with OpenPose"
        )
    joints = numbers.reshape(-1, 3)
    return joints if len(joints) == NUM_JOINTS else joints[BODY_25]


def _dresscode(values: Any, path: str | Path) -> np.ndarray | None:
    numbers = _numbers(values, path)
    if numbers.size == 0:
        return None
    if numbers.ndim != 2 or numbers.shape[0] != NUM_JOINTS or numbers.shape[1] < 2:
        raise UserError(f"{path}: expected {NUM_JOINTS} keypoints of x, y and more, found shape {numbers.shape}")
    return np.concatenate([numbers, np.ones((NUM_JOINTS, 1))], axis=1)[:, :3]


def _numbers(values: Any, path: str | Path) -> np.ndarray:
    """The values as float64."""
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{path}: the keypoints are not numbers, or not as many of each joint") from None
    if not np.isfinite(numbers).all():
        raise UserError(f"{path}: the keypoints hold NaN or infinity")
    return numbers
