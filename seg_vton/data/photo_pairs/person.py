"""One photo to a person in the model's frame and the garment they wear, laid out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from seg_vton.data.photo_pairs.warp import draw_theta, lay_out
from seg_vton.labels import DEEPFASHION15, get_space, in_mirror, unions
from seg_vton.parsing.label_map import regions
from seg_vton.pictures.crop import Box, Frame, crop, mirror_joints, move_joints, person_box
from seg_vton.pictures.inpainting import fill_hidden, hidden_parts
from seg_vton.pose.choice import choose_pose
from seg_vton.pose.face import label_face
from seg_vton.pose.joints import NUM_JOINTS

MIN_HEAD = 40
"""The fewest pixels of a head at 256 x 192; fewer are specks of the labels."""

OTHERS = 0.1
"""With `single`: the largest share of the upper garments that the others may have."""

SPECK = 0.01
"""Parts of the garment up to this share of it are specks of the labels and left out."""

_FINE = 2  # the garment is cut from a crop of at most so many times the model's size: laid out, it is enlarged
_REFERENCE = 256 * 192

Background = Literal["white", "photo"]
"""What persons stand before."""

Choice = Literal["union", "single"]
"""Which upper garments are laid out, see `upper_garment`."""


class Unusable(Exception):  # noqa: N818 - not an error of anyone's: the photo lacks what training needs
    """A photo is left out; the message is the reason, the same for all photos left out for it."""


@dataclass(frozen=True)
class Settings:
    """How photos become pairs."""

    size: tuple[int, int] = (256, 192)  # (height, width) of all pictures
    frame: Frame = "upper"  # what the crop holds, see `person_box`
    # what the person stands before. No input of the models tells of it: before a street, TOM would learn to guess
    # streets. VITON's is plain
    background: Background = "white"
    garment: Choice = "union"
    fill_hidden: bool = True  # whether parts of the garment behind arms, hair and bags are painted in
    find_face: bool = True  # whether a face is labeled in maps that have none, see `label_face`
    min_garment: int = 2500  # the fewest pixels of the garment at 256 x 192; other sizes in proportion
    strength: float = 1.0  # of the random deformation; 0 leaves the upright garment in the middle
    pose_needed: bool = True  # whether a person without a pose is left out


@dataclass(frozen=True, eq=False)
class Person:
    """A person in the model's frame, H x W pixels."""

    image: np.ndarray  # RGB uint8 `(H, W, 3)`
    label_map: np.ndarray  # uint8 `(H, W)` ids of `space`
    joints: np.ndarray  # float32 `(18, 3)`, x and y in pixels of the frame and score; missing ones are 0
    fine: np.ndarray  # RGB uint8 `(kH, kW, 3)`, the same frame at a whole multiple of the resolution
    garment: np.ndarray  # bool `(kH, kW)`, the garment in it
    box: Box  # the frame in the photo
    padded: float  # the share of the frame that is beyond the photo
    # uint8 `(H, W)` ids of `deepfashion15` that a segmenter sees in the frame; None without one
    predicted: np.ndarray | None = None
    people: int = 1  # number of people whose joints were given; these are of the one on the body
    beside: bool = False  # whether most of these joints lie beside the body
    space: str = DEEPFASHION15.name  # name of the label space

    def mirrored(self) -> "Person":
        """The person as a mirror shows them."""
        names = ("image", "label_map", "fine", "garment", *(("predicted",) if self.predicted is not None else ()))
        flat = {name: np.ascontiguousarray(getattr(self, name)[:, ::-1]) for name in names}
        flat["label_map"] = in_mirror(get_space(self.space).classes).astype(np.uint8)[flat["label_map"]]
        return replace(self, **flat, joints=mirror_joints(self.joints, self.image.shape[1]))


def cut_person(
    photo: np.ndarray,
    label_map: np.ndarray,
    people: Sequence[np.ndarray],
    settings: Settings,
    predicted: np.ndarray | None = None,
    space: str = DEEPFASHION15.name,
) -> Person:
    """Finds the person and cuts them out; `Unusable` where the photo lacks something that training needs.

    Args:
        photo: RGB uint8 `(H, W, 3)`.
        label_map: uint8 `(H, W)` ids of `space`.
        people: float32 `(18, 3)` for each person whose pose is known, in pixels of the photo, missing joints 0; of
            several people the one on the body is taken (`choose_pose`).
        settings: how.
        predicted: what a segmenter sees in the photo, ids of `deepfashion15`; it comes along and decides nothing.
        space: name of the label space.
    """
    head, upper, body = regions(label_map, space)
    choice = choose_pose(people, body)
    if settings.pose_needed and choice is None:
        raise Unusable("no pose")
    if not upper.any():
        raise Unusable("no upper garment")
    if choice and choice.on_body == 0:
        raise Unusable("no joint on the person")
    joints = choice.joints if choice else np.zeros((NUM_JOINTS, 3), np.float32)
    if settings.find_face:
        label_map = label_face(label_map, joints, space)
        predicted = predicted if predicted is None else label_face(predicted, joints)
        head = regions(label_map, space).head
    garment = upper_garment(label_map, settings.garment, space)
    if garment is None:
        raise Unusable("several upper garments")
    height, width = settings.size
    box = person_box(head, upper, body, joints, width / height, settings.frame)
    times = int(np.clip(box.height // height, 1, _FINE))
    fine = _resize(crop(photo, box, cv2.BORDER_REPLICATE), (times * height, times * width))
    if settings.background == "white":
        fine[_framed(label_map, box, fine.shape[:2]) == 0] = 255
    person = Person(
        image=_resize(fine, settings.size),
        label_map=_framed(label_map, box, settings.size),
        joints=move_joints(joints, box, settings.size),
        fine=fine,
        garment=_framed(garment.astype(np.uint8), box, fine.shape[:2]).astype(bool),
        box=box,
        padded=box.padded_share(photo.shape[:2]),
        predicted=predicted if predicted is None else _framed(predicted, box, settings.size),
        people=choice.people if choice else 0,
        beside=bool(choice and choice.doubt),
        space=space,
    )
    _check(person, settings)
    return person


def upper_garment(label_map: np.ndarray, choice: Choice, space: str = DEEPFASHION15.name) -> np.ndarray | None:
    """The garment that is tried on, bool `(H, W)` without specks; None where `single` finds several garments.

    Args:
        label_map: uint8 `(H, W)` ids of `space`.
        choice: `union` takes all upper garments (top, dress, outer) as one: what CP-VTON replaces and what a person's
            `parse_cloth` shows. `single` takes the class with the most pixels, where the others have no more than
            `OTHERS` of the union.
        space: name of the label space.
    """
    ids = unions(space).upper
    areas = np.bincount(label_map.ravel(), minlength=len(get_space(space).classes))[list(ids)]
    if choice == "single":
        if areas.max() < (1 - OTHERS) * areas.sum():
            return None
        ids = (ids[int(areas.argmax())],)
    mask = np.isin(label_map, ids)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] > SPECK * np.count_nonzero(mask)
    large[0] = False  # the background
    return large[parts]


def _framed(labels: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Labels `(H, W)` in a frame; none beyond the photo's edge, where they would be of a body that is not in it."""
    return cv2.resize(crop(labels, box, cv2.BORDER_CONSTANT), size[::-1], interpolation=cv2.INTER_NEAREST)


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a picture `(H, W, 3)`; the filter is wide enough for shrinking."""
    smaller = image.shape[0] > size[0]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _check(person: Person, settings: Settings) -> None:
    """Raises `Unusable` where too little is to be seen in the frame."""
    share = settings.size[0] * settings.size[1] / _REFERENCE
    head = regions(person.label_map, person.space).head
    if np.count_nonzero(head) < MIN_HEAD * share:
        raise Unusable("no head")
    times = person.fine.shape[0] // person.image.shape[0]
    if np.count_nonzero(person.garment) / times**2 < settings.min_garment * share:
        raise Unusable(f"upper garment smaller than {settings.min_garment} pixels at 256 x 192")


@dataclass(frozen=True, eq=False)
class Garment:
    """A garment on white in a frame of its own, H x W pixels."""

    image: np.ndarray  # RGB uint8 `(H, W, 3)`
    mask: np.ndarray  # bool `(H, W)`
    theta: np.ndarray  # float32 `(50,)`: GMM's answer for it and its wearer, see `seg_vton.data.photo_pairs.warp`


def lay_out_garment(person: Person, rng: np.random.Generator, settings: Settings) -> Garment:
    """Lays out what a person wears."""
    size = person.image.shape[:2]
    mask, photo = person.garment, person.fine
    if settings.fill_hidden:
        labels = cv2.resize(person.label_map, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
        hidden = hidden_parts(mask, labels, person.space)
        photo, mask = fill_hidden(photo, mask, hidden), mask | hidden
    small = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_AREA).astype(bool)
    theta = draw_theta(rng, small, _lean(person.joints), settings.strength)
    return Garment(*lay_out(photo, mask, theta, size), theta)


def _lean(joints: np.ndarray) -> float:
    """By how many degrees the trunk leans to the right of the picture, from hips to neck; 0 where unknown."""
    neck, hips = joints[1], joints[[8, 11]]
    if not (neck[2] and hips[:, 2].all()):
        return 0.0
    x, y = neck[:2] - hips[:, :2].mean(0)
    return float(np.clip(np.degrees(np.arctan2(x, -y)), -25, 25)) if y < 0 else 0.0
