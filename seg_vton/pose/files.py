"""Poses of a user's photos: from keypoint files found by the photo's name, or estimated; written as OpenPose does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seg_vton.errors import UserError
from seg_vton.files import find_beside
from seg_vton.pose.backends import BACKENDS, load_estimator, resolve_backend
from seg_vton.pose.keypoints import BODY_25, read_people

ENDINGS = ("_keypoints.json", ".json")
"""How the names of keypoint files end, after the photo's without suffix."""


class Poses:
    """Where the joints of persons come from: a folder of keypoint files, or an estimator.

    Args:
        source: a folder of keypoint files of any format that `read_people` knows, or the name of one of `BACKENDS`.
        models: the files of the estimator's models, see `load_estimator`.
        device: that it runs on, likewise.

    Attributes:
        folder: of the keypoint files; None where joints are estimated.
        name: of the source for records: the backend that runs, or 'files'.

    Raises:
        UserError: there is no such folder, the backend is not installed, or models are given that it does not take.
    """

    def __init__(
        self, source: str | Path, models: Sequence[str | Path] | None = None, device: str | None = None
    ) -> None:
        self.folder = None if str(source) in BACKENDS else Path(source)
        self.models = None if models is None else tuple(map(str, models))
        self.device = device
        self.name = "files" if self.folder else resolve_backend(str(source), models)
        if self.folder and not self.folder.is_dir():
            raise UserError(
                f"the pose source {source} is neither a folder of keypoint files nor one of {', '.join(BACKENDS)} (an "
                "estimator's own file is for --pose-models)"
            )
        if self.folder and models is not None:
            raise UserError(f"--pose-models is for estimators, and --pose {source} is a folder of keypoint files")

    def load(self) -> None:
        """Loads the estimator, which is otherwise done at the first photo; raises `UserError` where it cannot be."""
        if self.folder is None:
            load_estimator(self.name, self.models, self.device)

    def file(self, photo: Path, place: str | Path | None = None) -> Path | None:
        """The keypoint file of a photo: `NAME_keypoints.json` or `NAME.json`; None where joints are estimated.

        `place` is the photo's path in the folder it was found in, where its keypoints are looked for first: those of
        `a/me.jpg` and `b/me.jpg` are `a/me_keypoints.json` and `b/me_keypoints.json`. None for its name alone.
        `UserError` where there is no file.
        """
        if self.folder is None:
            return None
        place = Path(place or photo.name)
        found = find_beside(self.folder, place, ENDINGS)
        if found is None:
            raise UserError(f"{photo} has no pose: {self.folder / place.with_suffix('')}{ENDINGS[0]} does not exist")
        return found

    def people(self, file: Path | None, image: np.ndarray) -> list[np.ndarray]:
        """The joints of everybody in a photo, by `file`, or by what is seen in the `image`, RGB uint8 `(H, W, 3)`.

        float `(18, 3)` for each person of the file, of x, y in pixels and score, in COCO's order with the neck as joint
        1, missing joints 0 0 0.
        """
        if file is not None:
            return read_people(file, image.shape[1::-1])
        return load_estimator(self.name, self.models, self.device)(image)


def openpose_json(joints: np.ndarray) -> dict[str, Any]:
    """Joints `(18, 3)` as OpenPose writes them; without people where none was found.

    The 54 numbers are there under both names: `pose_keypoints`, which CP-VTON reads, is that of OpenPose before 1.3;
    `pose_keypoints_2d` is that of later ones, and of VITON-HD.
    """
    numbers = [round(float(value), 3) for value in joints.ravel()]
    person = {"pose_keypoints_2d": numbers, "pose_keypoints": numbers}
    return {"version": 1.1, "people": [person] if np.any(joints) else []}


def viton_hd_json(joints: np.ndarray, size: tuple[int, int], body25: bool) -> dict[str, Any]:
    """Joints `(18, 3)` as in VITON-HD's `openpose_json`, with the picture's (height, width) as canvas.

    BODY_25 has the middle of the hips too, and six joints of the feet, which are not known.
    """
    if body25:
        named = np.zeros((25, 3), joints.dtype)
        named[BODY_25] = joints
        if joints[[8, 11], 2].all():
            named[8] = joints[[8, 11]].mean(0)
        joints = named
    person = {"person_id": [-1], "pose_keypoints_2d": [round(float(value), 3) for value in joints.ravel()]}
    people = [person] if np.any(joints) else []
    return {"version": 1.3, "people": people, "canvas_width": size[1], "canvas_height": size[0]}
