"""Pose files of a user's photos: found by the photo's name, read, and written as OpenPose writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seg_vton.errors import UserError
from seg_vton.files import find_beside
from seg_vton.pose.backends import BACKENDS, estimate
from seg_vton.pose.keypoints import read_people

ENDINGS = ("_keypoints.json", ".json")
"""How the names of keypoint files end, after the photo's without suffix."""


def load_or_estimate(
    source: str | Path,
    photo: str | Path,
    image: np.ndarray,
    models: Sequence[str | Path] | None = None,
    place: str | Path | None = None,
) -> list[np.ndarray]:
    """The joints of everybody in a photo, from wherever the user says.

    Args:
        source: a keypoint file of any format that `read_keypoints` knows; a folder of such files (see `pose_file`); or
            the name of one of `BACKENDS`.
        photo: the photo's file.
        image: the photo, RGB uint8 `(H, W, 3)`.
        models: ONNX files of rtmlib's detector and pose model, see `PoseEstimator`; of no use to keypoint files.
        place: finds the keypoints in a folder, see `pose_file`.

    Returns:
        float32 `(18, 3)` for each person of the file, of x, y in pixels and score, in COCO's order with the neck as
        joint 1, missing joints 0 0 0. A backend gives one person: all joints are missing where it found nobody.

    Raises:
        UserError: there is no such file or backend, or the file is broken.
    """
    if str(source) in BACKENDS:
        return [estimate(image, str(source), models)]
    return [joints.astype(np.float32) for joints in read_people(pose_file(Path(source), Path(photo), place))]


def pose_file(source: Path, photo: Path, place: str | Path | None = None) -> Path:
    """The keypoint file of a photo: `source` itself, or in a folder `NAME_keypoints.json` or `NAME.json`.

    Args:
        source: the file or folder.
        photo: the photo's file.
        place: its path in the folder it was found in, where its keypoints are looked for first: those of `a/me.jpg` and
            `b/me.jpg` are `a/me_keypoints.json` and `b/me_keypoints.json`. None for its name alone.

    Raises:
        UserError: there is none.
    """
    if source.is_file():
        return source
    if not source.is_dir():
        raise UserError(f"{source} is neither a keypoint file, nor a folder, nor one of {', '.join(BACKENDS)}")
    place = Path(place or photo.name)
    found = find_beside(source, place, ENDINGS)
    if found is None:
        raise UserError(f"{photo} has no pose: {source / place.with_suffix('')}{ENDINGS[0]} does not exist")
    return found


def openpose_json(joints: np.ndarray) -> dict[str, Any]:
    """Joints `(18, 3)` as OpenPose writes them; without people where none was found.

    The 54 numbers are there under both names: `pose_keypoints`, which CP-VTON reads, is that of OpenPose before 1.3;
    `pose_keypoints_2d` is that of later ones, and of VITON-HD.
    """
    numbers = [round(float(value), 3) for value in joints.ravel()]
    person = {"pose_keypoints_2d": numbers, "pose_keypoints": numbers}
    return {"version": 1.1, "people": [person] if np.any(joints) else []}
