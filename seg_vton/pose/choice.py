"""Whose pose it is: of several people in a photo the one who is on the body that is dressed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg_vton.labels import TRYON8, LabelConversionError, conversion_table, get_space

_CHEST = 0.3  # of the way from the neck to the hips
_NEVER = {"nose": ("upper", "lower", "footwear", "accessories"), "chest": ("face+eyeglass", "lower", "footwear")}
"""What is not there, in a label map of the space that it is read in."""


class Choice(NamedTuple):
    """One of several people."""

    joints: np.ndarray  # `(18, 3)` in pixels of the photo, missing ones 0
    on_body: int  # number of joints that lie on the body
    people: int  # number of people of whom a joint is known

    @property
    def doubt(self) -> str | None:
        """What is said of joints most of which lie beside the body, in words; None where they do not."""
        known = np.count_nonzero((self.joints[:, :2] > 0).all(1))
        if self.on_body >= known / 2:
            return None
        return (
            f"{self.on_body} of {known} joints lie on the person: is the pose of this photo, in pixels of the upright "
            "photo?"
        )


def choose_pose(people: Sequence[np.ndarray], body: np.ndarray, scale: float = 1.0) -> Choice | None:
    """Chooses the person with most joints on the body, of equals the largest; None where nobody's pose is known.

    Args:
        people: joints `(18, 3)` in pixels of the photo, missing ones 0.
        body: bool `(h, w)`, the photo's body mask.
        scale: of the mask to the photo.
    """
    found = [joints for joints in people if (joints[:, :2] > 0).all(1).any()]
    if not found:
        return None
    ranks = [_rank(joints, body, scale) for joints in found]
    best = max(range(len(found)), key=ranks.__getitem__)
    return Choice(found[best], ranks[best][0], len(found))


def _rank(joints: np.ndarray, body: np.ndarray, scale: float) -> tuple[int, float]:
    """How many joints lie on the body, and the area they span."""
    points = joints[(joints[:, :2] > 0).all(1), :2]
    places = points * scale
    x, y = places[(places < body.shape[::-1]).all(1)].astype(int).T
    return int(body[y, x].sum()), float(np.ptp(points, axis=0).prod())


def label_doubt(label_map: np.ndarray, joints: np.ndarray, space: str, scale: float = 1.0) -> str | None:
    """What a label map has at nose and chest that is not there, in words; None where nothing is odd.

    Maps of another space are full of it, which their ids do not tell: most spaces have about 20.

    Args:
        label_map: ids of `space`, `(h, w)`.
        joints: `(18, 3)` in pixels of the photo, missing ones 0.
        space: name of the label space.
        scale: of the map to the photo.
    """
    try:
        kinds = conversion_table(space, TRYON8.name)
    except LabelConversionError:  # one of the user's
        return None
    nose, neck, right, left = joints[[0, 1, 8, 11], :2] * scale
    chest = neck + _CHEST * ((right + left) / 2 - neck) if min(*neck, *right, *left) > 0 else np.zeros(2)
    for name, spot in (("nose", nose), ("chest", chest)):
        if min(spot) > 0 and (spot < label_map.shape[::-1]).all():
            label = label_map[tuple(spot.astype(int)[::-1])]
            if TRYON8.classes[kinds[label]] in _NEVER[name]:
                found = get_space(space).classes[label]
                return f"the {name} lies on {found}: is the map of another label space than {space}?"
    return None
