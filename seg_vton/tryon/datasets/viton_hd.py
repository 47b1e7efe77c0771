"""VITON-HD's persons without the old garment (Choi et al., CVPR 2021), drawn as the published scripts draw them.

The agnostic image is gray over torso, arms and neck, which hides the old sleeve's outline and the arms in it; the
parse agnostic is the parsing map without upper garments, arms and torso. The strokes are in proportion to the distance
between the shoulders, those of the parse agnostic to the picture.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from seg_vton.labels import TRYON8, conversion_table, get_space, unions

GRAY = 128
"""The level that hides, in all three channels."""

_NECK, _SHOULDERS, _HIPS = 1, (2, 5), (8, 11)
_ARMS = {"left": (2, 5, 6, 7), "right": (5, 2, 3, 4)}  # from the other shoulder to the wrist; OpenPose's 18 joints
_UNIT = 10 / 1024  # a tenth of the parse agnostic's strokes, as a share of the height


class Parts(NamedTuple):
    """Label ids by what becomes of them: kept in the agnostic image, or gone from the parse agnostic."""

    kept: tuple[int, ...]
    left_arm: tuple[int, ...]
    right_arm: tuple[int, ...]
    arms: tuple[int, ...]
    torso: tuple[int, ...]
    skin: tuple[int, ...]


@lru_cache
def parts_of(label_space: str) -> Parts:
    """The parts of a label space, by their names and by what they are in tryon8.

    Jumpsuits, which tryon8 has among the lower garments, cover the torso too. `LabelConversionError` where nothing says
    which labels are face and lower body.
    """
    classes, to = get_space(label_space).classes, conversion_table(label_space, TRYON8.name)
    kind = [TRYON8.classes[label] for label in to]
    leg = [name.endswith("-leg") or name == "legs" for name in classes]

    def ids(*names: str) -> tuple[int, ...]:
        return tuple(label for label, name in enumerate(classes) if name in names)

    kept = [
        label
        for label, name in enumerate(classes)
        if leg[label] or (kind[label] in ("face+eyeglass", "lower", "footwear") and name != "jumpsuits")
    ]
    named = ids("left-arm"), ids("right-arm"), ids("arms", "hands"), ids("torso-skin", "torso", "neck")
    told = {label for labels in named for label in labels}
    skin = (label for label in range(len(classes)) if kind[label] == "skin" and not leg[label] and label not in told)
    return Parts(tuple(kept), *named, tuple(skin))


class Hidden(NamedTuple):
    """What the agnostic image hides, each bool `(H, W)`."""

    region: np.ndarray  # all that is gray
    torso: np.ndarray  # what was drawn for torso and neck alone, with head and lower body


def hidden_region(parse: np.ndarray, joints: np.ndarray | None, label_space: str) -> Hidden:
    """Where the agnostic image is gray: torso, arms and neck, but for face and lower body.

    Where a shoulder or a hip is not known, a rectangle around the upper garment stands for the torso, and the limbs
    that are known are drawn.

    Args:
        parse: uint8 ids `(H, W)`.
        joints: `(18, 2)` or `(18, 3)`, x and y in pixels of the map, missing ones at 0 or below; None without a pose.
        label_space: of the map.
    """
    points, known = _points(joints)
    torso = Image.new("L", parse.shape[::-1])
    limbs = torso.copy()
    draw, draw_limbs = ImageDraw.Draw(torso), ImageDraw.Draw(limbs)
    left, top, width, height = cv2.boundingRect(np.isin(parse, unions(label_space).upper).view(np.uint8))
    shoulders = float(np.linalg.norm(points[5] - points[2])) if known[list(_SHOULDERS)].all() else width / 2
    unit = int(shoulders / 16) + 1
    if has_trunk(joints):
        _draw_trunk(draw, points, shoulders, unit)
    elif width:
        draw.rectangle((left, top, left + width - 1, top + height - 1), 1)
    if known[list(_SHOULDERS)].all():
        draw_limbs.line([tuple(points[joint]) for joint in _SHOULDERS], 1, 10 * unit)
    for joint in (joint for joint in _SHOULDERS if known[joint]):
        _disc(draw_limbs, points[joint], 5 * unit)
    for joint in (3, 4, 6, 7):
        if known[joint - 1] and known[joint]:
            draw_limbs.line([tuple(points[joint - 1]), tuple(points[joint])], 1, 10 * unit)
            _disc(draw_limbs, points[joint], 5 * unit)
    if known[_NECK]:
        x, y = points[_NECK]
        draw.rectangle((x - 7 * unit, y - 7 * unit, x + 7 * unit, y + 7 * unit), 1)
    drawn = np.asarray(torso, bool)
    return Hidden((drawn | np.asarray(limbs, bool)) & ~np.isin(parse, parts_of(label_space).kept), drawn)


def has_trunk(joints: np.ndarray | None) -> bool:
    """Whether both shoulders and both hips are known, which the published drawing needs."""
    return bool(_points(joints)[1][[*_SHOULDERS, *_HIPS]].all())


def agnostic_image(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """The photo, uint8 `(H, W, 3)`, gray in the region `(H, W)`."""
    return np.where(region[..., None], np.uint8(GRAY), image)


def agnostic_parse(parse: np.ndarray, joints: np.ndarray | None, label_space: str) -> np.ndarray:
    """The parsing map, uint8 ids `(H, W)`, without upper garments, torso and arms; hands mostly stay.

    Skin without sides, or all of one label, goes below either drawn arm; where it is of torso and legs too
    (`deepfashion15`), also on the torso that `hidden_region` draws, but for what lies beyond a wrist: hands. Arguments
    are those of `hidden_region`.
    """
    parts = parts_of(label_space)
    below = {side: _below_arm(joints, side, parse.shape) for side in _ARMS}
    either = below["left"] | below["right"]
    gone = np.isin(parse, (*unions(label_space).upper, *parts.torso))
    gone |= np.isin(parse, parts.left_arm) & below["left"] | np.isin(parse, parts.right_arm) & below["right"]
    gone |= np.isin(parse, parts.arms) & either
    torso = hidden_region(parse, joints, label_space).torso & ~_hands(joints, parse.shape)
    gone |= np.isin(parse, parts.skin) & (either | torso)
    return np.where(gone, np.uint8(0), parse)


def _points(joints: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """x and y `(18, 2)`, and which are known `(18,)`."""
    points = np.zeros((18, 2)) if joints is None else joints[:, :2].astype(float)
    return points, (points > 0).all(1)


def _draw_trunk(draw: ImageDraw.ImageDraw, points: np.ndarray, shoulders: float, unit: int) -> None:
    """Hips, sides, hip line and the quadrangle of shoulders and hips, whose hips are as far apart as the shoulders."""
    right, left = points[list(_HIPS)]
    middle, apart = (right + left) / 2, float(np.linalg.norm(right - left))
    hips = [tuple(middle + (hip - middle) * (shoulders / apart if apart else 1)) for hip in (right, left)]
    corners = [tuple(points[joint]) for joint in _SHOULDERS]
    for x, y in hips:
        draw.ellipse((x - 3 * unit, y - 6 * unit, x + 3 * unit, y + 6 * unit), 1)
    for shoulder, hip in zip(corners, hips, strict=True):
        draw.line([shoulder, hip], 1, 6 * unit)
    draw.line(hips, 1, 12 * unit)
    draw.polygon([corners[0], corners[1], hips[1], hips[0]], 1)


def _below_arm(joints: np.ndarray | None, side: str, size: tuple[int, ...]) -> np.ndarray:
    """What a parse agnostic loses of an arm, bool `(H, W)`: lines and discs from the other shoulder to the wrist."""
    points, known = _points(joints)
    arm = Image.new("L", size[::-1])
    draw, unit = ImageDraw.Draw(arm), _UNIT * size[0]
    previous, *others = _ARMS[side]
    for joint in others:
        if not (known[previous] and known[joint]):
            continue
        draw.line([tuple(points[previous]), tuple(points[joint])], 1, round(10 * unit))
        _disc(draw, points[joint], (4 if joint == others[-1] else 15) * unit)
        previous = joint
    return np.asarray(arm, bool)


def _hands(joints: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray:
    """Where hands can be, bool `(H, W)`: discs beyond the wrists, nearly as wide as the forearms are long."""
    points, known = _points(joints)
    hands = Image.new("L", size[::-1])
    for elbow, wrist in ((3, 4), (6, 7)):
        if known[elbow] and known[wrist]:
            forearm = points[wrist] - points[elbow]
            _disc(ImageDraw.Draw(hands), points[wrist] + 0.35 * forearm, 0.45 * float(np.linalg.norm(forearm)))
    return np.asarray(hands, bool)


def _disc(draw: ImageDraw.ImageDraw, center: np.ndarray, radius: float) -> None:
    x, y = center
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), 1)
