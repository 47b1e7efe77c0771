"""A person of any photo as the pipelines of the data sets take one: body found, window cut, all at the models' size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, get_space
from seg_vton.parsing.label_map import Regions, regions
from seg_vton.pictures.crop import Box, crop, move_joints, person_box
from seg_vton.pictures.images import resized
from seg_vton.pose.choice import choose_pose, label_doubt
from seg_vton.pose.face import label_face
from seg_vton.pose.joints import NUM_JOINTS, SHOULDERS

LEAST_SHARE = 0.002
"""The smallest worn upper garment, as a share of the photo: below that the segmenter has seen something else."""

LEAST_HEIGHT = 64
"""The least height of a person's window in pixels."""

_WHOLE = 0.7  # a photo of the models' aspect whose person fills so much of the height is framed already
_SECOND = 0.25  # a second part of the body from this share of the largest on may be another person


@dataclass(frozen=True, eq=False)
class Person:
    """A person, ready to be dressed."""

    photo: np.ndarray  # RGB uint8 `(H, W, 3)`
    # uint8 ids of `space`, of the photo's shape or smaller at the same aspect; with a face, also where the
    # segmenter knows none
    label_map: np.ndarray
    box: Box  # the window in the photo, of the models' aspect; it may reach beyond the photo, whose edge goes on there
    # float `(18, 3)` of x, y in pixels of the photo and score; None where nothing is known of the pose
    joints: np.ndarray | None
    parse: np.ndarray  # uint8 ids `(h, w)`: the window of `label_map` at the models' size
    # what the steps of `seg_vton.tryon.datasets.transforms` would load of the window, at the models' size: `photo`,
    # uint8 RGB; `parsing`, as the segmenter has it; `joints`, float64 `(18, 2)` or None; `ori_shape`
    results: dict[str, Any]
    warnings: tuple[str, ...] = ()  # what the user should know
    space: str = DEEPFASHION15.name  # name of the label space

    @property
    def nbytes(self) -> int:
        """Bytes that photo and label map take."""
        return self.photo.nbytes + self.label_map.nbytes

    @property
    def crop(self) -> np.ndarray:
        """The window of the photo, RGB uint8."""
        return crop(self.photo, self.box, cv2.BORDER_REPLICATE)

    def full_label_map(self) -> np.ndarray:
        """The label map of the photo's shape, enlarged by nearest."""
        return resized(self.label_map, self.photo.shape[:2], Image.Resampling.NEAREST)


def prepare_person(
    photo: np.ndarray,
    label_map: np.ndarray,
    people: Sequence[np.ndarray],
    size: tuple[int, int],
    space: str = DEEPFASHION15.name,
) -> Person:
    """Finds the person and cuts their window out.

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        label_map: uint8 ids of `space`, what the segmenter sees, of the photo's shape or smaller.
        people: joints `(18, 3)` in pixels of the photo, missing ones 0, of everybody whose pose is known.
        size: (height, width) of the models' images.
        space: name of the label space; its unions of head, upper garment and body are what counts.

    Raises:
        UserError: there is no upper body, or it is too small, or no joint lies on the body.
    """
    seen = regions(label_map, space)
    _check_upper_body(seen, label_map, space)
    scale = label_map.shape[0] / photo.shape[0]
    joints, warnings = _choose_pose(people, seen.body, scale)
    if joints is not None and space != DEEPFASHION15.name and (doubt := label_doubt(label_map, joints, space, scale)):
        warnings.append(doubt)  # a segmenter's own maps are of the space that it says
    if joints is not None and (outside := (joints[:, :2] >= photo.shape[1::-1]).any(1)).any():
        joints = np.where(outside[:, None], 0, joints)
        warnings.append(f"{np.count_nonzero(outside)} joints lie outside the photo and count as missing")
    known = np.zeros((NUM_JOINTS, 3), np.float32) if joints is None else joints
    scaled = known * (scale, scale, 1)
    with_face = label_face(label_map, scaled, space)
    seen = regions(with_face, space)
    box = _window(seen, scaled, size)
    full = Box(*(round(side / scale) for side in box))
    if full.height < LEAST_HEIGHT:
        raise UserError(f"the person is too small: head to hips are {full.height} pixels high, {LEAST_HEIGHT} needed")
    parse, parsing = (
        resized(crop(labels, box, cv2.BORDER_CONSTANT), size, Image.Resampling.NEAREST)
        for labels in (with_face, label_map)
    )
    results = {
        "photo": resized(crop(photo, full, cv2.BORDER_REPLICATE), size),
        "ori_shape": (full.height, full.width),
        "parsing": parsing,
        "joints": None if joints is None else move_joints(known, full, size)[:, :2].astype(np.float64),
    }
    warnings += _faults(seen, with_face, full, size, space)
    return Person(photo, with_face, full, joints, parse, results, tuple(warnings), space)


def _window(seen: Regions, joints: np.ndarray, size: tuple[int, int]) -> Box:
    """The window from head to hips; all of a photo that is framed like that already."""
    height, width = seen.upper.shape
    box = person_box(seen.head, seen.upper, seen.body, joints, size[1] / size[0])
    framed = abs(width * size[0] / size[1] - height) <= 1 and box.height >= _WHOLE * height
    return Box(0, 0, width, height) if framed else box


def _check_upper_body(seen: Regions, label_map: np.ndarray, space: str) -> None:
    if np.count_nonzero(seen.upper) >= LEAST_SHARE * seen.upper.size:
        return
    classes = get_space(space).classes
    upper = " or ".join(classes[label] for label in get_space(space).unions.upper)
    names = [classes[label] for label in np.unique(label_map) if label]
    raise UserError(
        f"no person in the photo: found no upper body in a {upper} (the segmenter sees "
        f"{', '.join(names) or 'nothing'}). Give a photo of a dressed person, upright and not too small"
    )


def _choose_pose(people: Sequence[np.ndarray], body: np.ndarray, scale: float) -> tuple[np.ndarray | None, list[str]]:
    """The person's joints, None where nobody's pose is known, and warnings."""
    choice = choose_pose(people, body, scale)
    if choice is None:
        return None, ["no pose: the pose maps are empty, and the models were trained with poses"]
    if choice.on_body == 0:
        raise UserError(
            "none of the keypoints lies on the person: they must be of this photo, in pixels of the upright photo"
        )
    warnings = [choice.doubt] if choice.doubt else []
    if choice.people > 1:
        warnings.append(
            f"the keypoints are of {choice.people} people: used the one with {choice.on_body} joints on the body"
        )
    if not (choice.joints[list(SHOULDERS), :2] > 0).all():
        warnings.append("the pose lacks a shoulder, so the garment may sit badly")
    return choice.joints, warnings


def _faults(seen: Regions, label_map: np.ndarray, box: Box, size: tuple[int, int], space: str) -> list[str]:
    """What may spoil the try-on."""
    warnings = []
    if not seen.head.any():
        warnings.append("the segmenter finds no head: the face will be invented, not kept")
    if box.height < size[0]:
        warnings.append(f"the person's window is {box.height} pixels high and the models see {size[0]}")
    classes = get_space(space).classes
    dress = np.count_nonzero(label_map == classes.index("dress")) if "dress" in classes else 0
    if dress > np.count_nonzero(seen.upper) / 2:
        warnings.append("the person wears a dress, all of which is replaced: what is below the garment is invented")
    areas = np.sort(cv2.connectedComponentsWithStats(seen.upper.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA])[::-1]
    if len(areas) > 1 and areas[1] > _SECOND * areas[0]:
        warnings.append("the upper garment is in several parts: there may be several people in the photo")
    return warnings
