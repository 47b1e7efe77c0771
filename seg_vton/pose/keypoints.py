"""Keypoint files of people: OpenPose's 18 joints, whatever the file's format and the frame of its numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.pose.joints import FOUND, MIN_SCORE, NECK, NUM_JOINTS, OF_COCO_17, SHOULDERS

DRESSCODE_FRAME = (384, 512)
"""(width, height) that the keypoints of DressCode's 768 x 1024 photos are relative to."""

_KEYS = ("pose_keypoints", "pose_keypoints_2d", "keypoints")
_SHAPES = {joints * columns: (joints, columns) for joints in (17, NUM_JOINTS, 25) for columns in (2, 3)}
# OpenPose's BODY_25 has the middle of the hips as 8, which the 18 joints lack, and ends with six joints of the feet.
BODY_25 = np.array([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])
_NORMALIZED = 1.5  # no person's joints all lie within so many pixels; normalized ones go from -1 or 0 to about 1

Size = tuple[int, int]


def read_people(path: str | Path, size: Size, photo: Size | None = None, frame: Size | None = None) -> list[np.ndarray]:
    """Reads everybody's joints of a file.

    Known are OpenPose's list `people` with `pose_keypoints` (before 1.3; CP-VTON reads it) or `pose_keypoints_2d`,
    DressCode's `keypoints`, and the `keypoints` of COCO's results and of MMPose's predictions. Joints are 18 in COCO's
    order with the neck, 25 in BODY_25's or COCO's own 17, x and y first, in one list or a list for each joint. MMPose
    has a place for every joint, seen or not, and the confidences beside them, `keypoint_scores`.

    The frame of the numbers is the file's `canvas_width` and `canvas_height` where it has them; that of coordinates
    from 0 to 1, or from -1 to 1, is the picture; else it is `frame`.

    Args:
        path: a JSON.
        size: (width, height) of the picture in whose pixels joints are wanted.
        photo: (width, height) of the photo; None for `size`.
        frame: (width, height) that the numbers are relative to where the file does not say; None for the photo's, but
            of DressCode's format `DRESSCODE_FRAME` if the photo has its aspect and the joints lie in it, and not all in
            a smaller photo.

    Returns:
        float64 `(18, 3)` for each person: x and y in pixels and the confidence (1 where the file has none), in COCO's
        order with the neck as joint 1. What was not found, which files have at 0 or below or with no confidence and
        MMPose below `MIN_SCORE`, is 0 0 0.

    Raises:
        UserError: the file is missing, broken or of another format; the message names it.
    """
    content = read_json(path)
    if isinstance(content, list) and content and isinstance(content[0], dict) and "people" in content[0]:
        content = content[0]  # ControlNet's API gives a list of pictures
    people = [_joints(person, path) for person in _persons(content, path)]
    if not people:
        return []
    said = [content.get(key) for key in ("canvas_width", "canvas_height")] if isinstance(content, dict) else []
    photo = photo or size
    if all(isinstance(side, int | float) and side > 0 for side in said) and said:
        frame = tuple(said)
    elif frame is None:
        dresscode = isinstance(content, dict) and "keypoints" in content
        of_dresscode = dresscode and abs(photo[0] * DRESSCODE_FRAME[1] - photo[1] * DRESSCODE_FRAME[0]) <= 512
        farthest = np.max([joints[:, :2].max(0) for joints in people], 0)
        other = photo[0] > DRESSCODE_FRAME[0] or (farthest > np.multiply(photo, 1.1)).any()
        frame = DRESSCODE_FRAME if of_dresscode and other and (farthest <= DRESSCODE_FRAME).all() else photo
    if _normalize(people):
        frame = (1, 1)
    scale = (size[0] / frame[0], size[1] / frame[1], 1)
    scaled = [joints * scale for joints in people]
    return [np.where((joints[:, :2] > 0).all(1, keepdims=True), joints, 0) for joints in scaled]


def _persons(content: Any, path: str | Path) -> Sequence[Any]:
    if isinstance(content, dict):
        for key in ("people", "instance_info"):
            if isinstance(content.get(key), list):
                return content[key]
        if "keypoints" in content:
            return [content] if content["keypoints"] else []
    if isinstance(content, list) and content and all(isinstance(one, dict) and "keypoints" in one for one in content):
        return content
    raise UserError(
        f"{path}: expected OpenPose's list `people`, or `keypoints` as DressCode, COCO's results and MMPose have them, "
        "found neither"
    )


def _joints(person: Any, path: str | Path) -> np.ndarray:
    """The 18 joints of one person as the file has them, float64 `(18, 3)`."""
    values = next((person[key] for key in _KEYS if person.get(key)), None) if isinstance(person, dict) else person
    if values is None:
        raise UserError(f"{path}: one of the people has none of the keys {', '.join(_KEYS)}")
    numbers = _numbers(values, path)
    if numbers.ndim == 1:
        numbers = numbers.reshape(_SHAPES.get(numbers.size, numbers.shape))
    if numbers.ndim != 2 or len(numbers) not in (17, NUM_JOINTS, 25) or numbers.shape[1] < 2:
        raise UserError(
            f"{path}: expected x, y and confidence of OpenPose's 18 joints, of BODY_25's 25 or of COCO's 17 (54, 75 or "
            f"51 numbers, or a list for each joint), found an array of shape {numbers.shape}: write the keypoints "
            "again with OpenPose"
        )
    scores = person.get("keypoint_scores") if isinstance(person, dict) else None
    if scores is None:
        numbers = np.column_stack([numbers, np.ones(len(numbers))])[:, :3]
    else:
        scores = _numbers(scores, path)
        if scores.shape != (len(numbers),):
            raise UserError(f"{path}: expected {len(numbers)} keypoint_scores, found an array of shape {scores.shape}")
        numbers = np.column_stack([numbers[:, :2], scores]) * (scores >= MIN_SCORE)[:, None]
    if not (numbers[:, 2] > 0).any():  # its writer knows no confidences
        numbers[:, 2] = 1
    numbers[(numbers[:, 2] <= 0) | (numbers[:, :2] == -1).all(1)] = 0
    if len(numbers) == 17:
        joints = np.zeros((NUM_JOINTS, 3))
        joints[FOUND] = numbers[OF_COCO_17]
        shoulders = joints[list(SHOULDERS)]
        if shoulders.any(1).all():
            joints[NECK] = shoulders.mean(0)
        return joints
    return numbers if len(numbers) == NUM_JOINTS else numbers[BODY_25]


def _normalize(people: Sequence[np.ndarray]) -> bool:
    """Whether coordinates are normalized; those from -1 to 1 are changed in place to go from 0 to 1."""
    points = [joints[:, :2] for joints in people]
    spots = np.concatenate([each[each.any(1)] for each in points])
    if len(spots) < 2 or np.abs(spots).max() > _NORMALIZED:
        return False
    if (spots < 0).any():
        for each in points:
            each[:] = np.where(each.any(1, keepdims=True), (each + 1) / 2, 0)
    return True


def _numbers(values: Any, path: str | Path) -> np.ndarray:
    """The values as float64."""
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{path}: the keypoints are not numbers, or not as many of each joint") from None
    if not np.isfinite(numbers).all():
        raise UserError(f"{path}: the keypoints hold NaN or infinity")
    return numbers
