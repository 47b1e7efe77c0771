"""One picture of a try-on: what went in, what the models made of it, what came out."""

import cv2
import numpy as np
from PIL import Image

from seg_vton.labels import get_space
from seg_vton.pictures.crop import crop
from seg_vton.pictures.drawing import grid
from seg_vton.tryon.inference.garment import Garment
from seg_vton.tryon.inference.person import Person
from seg_vton.tryon.predictor import TryOnResult
from seg_vton.tryon.visualization import agnostic_parts, joint_color

_CELL = (512, 384)
# By joint of OpenPose's 18 the one that it hangs on; that of the neck is none.
_PARENTS = (1, None, 1, 2, 3, 1, 5, 6, 1, 8, 9, 1, 11, 12, 0, 0, 14, 15)


def draw_panel(person: Person, garment: Garment, result: TryOnResult, title: str) -> np.ndarray:
    """Eight pictures of a try-on in two rows, RGB uint8, all of the person's window or the garment's.

    Args:
        person: who is dressed.
        garment: in what.
        result: the try-on.
        title: what stands below.
    """
    space = get_space(person.space)
    palette = np.array(space.palette, np.uint8)
    *below, pose = agnostic_parts(result.outputs["agnostic"][0].cpu())
    seen_by_tom = [*((caption, picture // 2) for caption, picture in below[-1:]), pose]
    rendered = result.outputs["rendered"][0]
    rows = (
        (
            ("person, joints", with_joints(person)),
            (f"garment: {garment.source}", garment.picture),
            ("parsing", palette[person.parse]),
            (", ".join(caption for caption, _ in seen_by_tom), np.max([picture for _, picture in seen_by_tom], axis=0)),
        ),
        (
            ("warped garment", result.warped_cloth),
            ("composition mask", np.repeat(result.mask[..., None], 3, 2)),
            ("rendered by TOM", np.uint8(127.5 * (rendered.permute(1, 2, 0).cpu().numpy() + 1))),
            ("try-on", crop(result.image, person.box, cv2.BORDER_REPLICATE)),
        ),
    )
    cells = [[(caption, _resized(picture)) for caption, picture in row] for row in rows]
    labels = [label for label in np.unique(person.parse) if label]
    return grid(cells, title, [(space.classes[label], space.palette[label]) for label in labels])


def with_joints(person: Person) -> np.ndarray:
    """The person's window at the size of a panel's cells, and on it the joints that the models were given."""
    picture = _resized(person.crop)
    joints = person.results["joints"]
    if joints is None:
        return picture
    picture = picture.copy()
    height, width = person.parse.shape
    places = np.rint(joints * (_CELL[1] / width, _CELL[0] / height)).astype(int).tolist()
    known = (joints > 1).all(1)  # as the pose maps have them
    for joint in np.flatnonzero(known):
        parent = _PARENTS[joint]
        if parent is not None and known[parent]:
            cv2.line(picture, places[joint], places[parent], (255, 255, 255), 2, cv2.LINE_AA)
    for joint in np.flatnonzero(known):
        cv2.circle(picture, places[joint], 6, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, places[joint], 4, joint_color(joint), -1, cv2.LINE_AA)
    return picture


def _resized(picture: np.ndarray) -> np.ndarray:
    """A picture at the size of a panel's cells."""
    if picture.shape[0] < _CELL[0]:  # repeats pixels, so that what is seen is what was computed
        return cv2.resize(picture, _CELL[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(Image.fromarray(picture).resize(_CELL[::-1], Image.Resampling.LANCZOS))
