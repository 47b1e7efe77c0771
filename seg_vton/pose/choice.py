"""Whose pose it is: of several people in a photo the one who is on the body that is dressed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


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
