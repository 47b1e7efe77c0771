"""The doll: who it is, what it wears, and the picture with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg_vton.data.paper_doll import accessories, head, lower, scene
from seg_vton.data.paper_doll.body import (
    ANKLE,
    CHIN,
    SIDES,
    Body,
    Camera,
    Figure,
    Leg,
    Trunk,
    sample_arm,
    sample_body,
    sample_legs,
    sample_posture,
    torso_outline,
)
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.garments import FlatGarment, UpperGarment, WornGarment, opened, sample_upper
from seg_vton.data.paper_doll.shapes import moved, ribbon
from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15

DEFAULT_SIZE = (192, 256)
"""Width and height in pixels."""

_PERSON, _GARMENT, _SCENE = 0, 1, 2  # the random streams of one doll
_MINIMUM_SIZE = (48, 64)
_LABEL = DEEPFASHION15.id_of
_SPECK = 2.5e-4  # share of the image below which a class is a speck of pixels, not an instance


@dataclass(frozen=True)
class Doll:
    """A dressed figure and the truth about it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        label_map: (H, W) uint8 ids of `deepfashion15`: 0 background, 1 to 15 the classes.
        instances: (class name, (H, W) bool mask) of what is visible, one per class that occurs, in class order.
            The masks are disjoint, and the label map is their union.
        keypoints: (18, 3) float64: x, y in pixels and confidence of the COCO-18 joints in OpenPose's order. A joint
            outside the image is 0 0 0, a hidden one has confidence 0.5.
        cloth: (H, W, 3) uint8 RGB: the upper garment (top, dress or closed outer) flat on white.
        cloth_mask: (H, W) bool.
        cloth_class: its class name.
    """

    image: np.ndarray
    label_map: np.ndarray
    instances: list[tuple[str, np.ndarray]]
    keypoints: np.ndarray
    cloth: np.ndarray
    cloth_mask: np.ndarray
    cloth_class: str


@dataclass(frozen=True)
class Outfit:
    """Everything but the upper garment that a person wears; None for what is missing."""

    lower: lower.Skirt | lower.LegWear
    tights: lower.LegWear | None
    tucked: bool
    jacket: UpperGarment | None
    shoes: lower.Shoes | None
    belt: lower.Belt | None
    bag: accessories.Bag | None
    neckwear: accessories.Neckwear | None
    eyewear: head.Eyewear | None
    headwear: head.Headwear | None


@dataclass(frozen=True)
class Person:
    """One person in one pose with their outfit, in body coordinates."""

    figure: Figure
    looks: head.Looks
    outfit: Outfit


def draw_doll(
    seed: int,
    index: int,
    size: tuple[int, int] = DEFAULT_SIZE,
    *,
    wearing: int | None = None,
    try_on: bool = False,
) -> Doll:
    """Draws doll number `index` of the set `seed`: the same arguments give the same bytes.

    Person, garment and scene come from separate random streams. So `draw_doll(seed, i, wearing=j)` is the person of
    doll i, in the same pose, place and light, in the upper garment of doll j: the true answer of unpaired try-on.

    Args:
        seed: of the set, 0 or more.
        index: of the doll in the set, 0 or more.
        size: (width, height) in pixels, at least 48 x 64.
        wearing: index of the doll whose upper garment to wear; its own where None.
        try_on: frame the figure from head to thighs, as VITON does, always with a top or a closed outer garment as
            the upper garment, and nothing worn open over it.

    Raises:
        UserError: an argument is out of range.
    """
    check_arguments(seed, index, size, wearing)
    person = _sample_person(np.random.default_rng([seed, index, _PERSON]), size, try_on)
    source = index if wearing is None else wearing
    garment = _sample_garment(np.random.default_rng([seed, source, _GARMENT]), try_on)
    flat = FlatGarment(garment, size)
    canvas = _paint(np.random.default_rng([seed, index, _SCENE]), person, flat, size)
    labels, image = canvas
    labels = _absorb_specks(labels)
    cloth, cloth_mask = flat.picture()
    present = [name for name in DEEPFASHION15.classes[1:] if (labels == _LABEL(name)).any()]
    return Doll(
        image=image,
        label_map=labels,
        instances=[(name, labels == _LABEL(name)) for name in present],
        keypoints=_visible_keypoints(person.figure, labels),
        cloth=cloth,
        cloth_mask=cloth_mask,
        cloth_class=garment.class_name,
    )


def check_arguments(seed: int, index: int, size: tuple[int, int], wearing: int | None) -> None:
    """Raises `UserError` when an argument of `draw_doll` is out of range."""
    for name, value in (("seed", seed), ("index", index), ("wearing", wearing or 0)):
        if value < 0:
            raise UserError(f"{name} is {value}: it must be 0 or more")
    if size[0] < _MINIMUM_SIZE[0] or size[1] < _MINIMUM_SIZE[1]:
        raise UserError(f"size is {size[0]} x {size[1]} (width x height): at least 48 x 64 pixels are needed")


def _sample_garment(rng: np.random.Generator, try_on: bool) -> UpperGarment:
    """Draws what is worn above: on its own stream, so that another person can wear it."""
    shares = {"top": 0.82, "dress": 0.0, "outer": 0.18} if try_on else {"top": 0.66, "dress": 0.26, "outer": 0.08}
    return sample_upper(rng, str(rng.choice(list(shares), p=list(shares.values()))))


def _sample_person(rng: np.random.Generator, size: tuple[int, int], try_on: bool) -> Person:
    body = sample_body(rng)
    posture = sample_posture(rng)
    legs = sample_legs(rng, body, posture)
    trunk = Trunk(body, posture, legs)
    arms = (sample_arm(rng, body, trunk, -1), sample_arm(rng, body, trunk, 1))
    cropped = try_on or rng.random() < 0.22
    camera = _aim(rng, size, cropped, legs)
    figure = Figure(body, posture, arms, legs, camera)
    looks = head.sample_looks(rng, body)
    return Person(figure, looks, _sample_outfit(rng, body, (arms[0].gesture, arms[1].gesture), try_on))


def _aim(rng: np.random.Generator, size: tuple[int, int], cropped: bool, legs: tuple[Leg, Leg]) -> Camera:
    """Frames the whole figure, or (cropped) head to thighs; never wider than the image."""
    width, height = size
    reference = min(height, width * 4 / 3)
    sole = max(legs[0].ankle[1], legs[1].ankle[1]) + ANKLE
    crown = CHIN + 0.155
    if cropped:
        scale = reference * rng.uniform(1.35, 1.7)
        top = height * rng.uniform(0.06, 0.1)
    else:
        scale = reference * rng.uniform(0.86, 0.93) / (sole + crown)
        top = (height - scale * (sole + crown)) * rng.uniform(0.4, 0.75)
    x = width * (0.5 + rng.uniform(-0.05, 0.05))
    return Camera(scale, np.array([x, top + scale * crown]))


def _sample_outfit(rng: np.random.Generator, body: Body, gestures: tuple[str, str], try_on: bool) -> Outfit:
    """Draws the rest of the clothes. Every draw is made whether it is used or not, so that none shifts another."""
    feminine = body.feminine > 0.5
    kind = rng.choice(["skirt", "pants", "leggings"], p=[0.36, 0.34, 0.3] if feminine else [0.0, 0.88, 0.12])
    skirt, pants, leggings = lower.sample_skirt(rng), lower.sample_pants(rng), lower.sample_leggings(rng)
    bottom = {"skirt": skirt, "pants": pants, "leggings": leggings}[str(kind)]

    def maybe(chance: float, value: object) -> object:
        return value if rng.random() < chance else None

    jacket = maybe(0.0 if try_on else 0.3, opened(sample_upper(rng, "outer")))
    occlusion = 0.22 if try_on else 1.0  # accessories over the garment are rarer in shop pictures
    return Outfit(
        lower=bottom,
        tights=maybe(0.16, leggings),
        tucked=bool(rng.random() < 0.35),
        jacket=jacket,
        shoes=maybe(0.96, lower.sample_shoes(rng, body.feminine)),
        belt=maybe(0.36 * occlusion, lower.sample_belt(rng, bottom.fabric.colours[0])),
        bag=maybe(0.4 * occlusion, accessories.sample_bag(rng, gestures)),
        neckwear=maybe(
            0.34 * occlusion,
            accessories.sample_neckwear(rng, "collar" if rng.random() < 0.3 else "crew", bottom.fabric.colours[0]),
        ),
        eyewear=maybe(0.32, head.sample_eyewear(rng)),
        headwear=maybe(0.3, head.sample_headwear(rng)),
    )


def _paint(
    rng: np.random.Generator, person: Person, flat: FlatGarment, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Paints everything back to front; returns labels (H, W) and image (H, W, 3) uint8."""
    figure, outfit = person.figure, person.outfit
    angle = rng.uniform(-0.9, 0.9)
    light = (float(np.sin(angle)), float(-np.cos(angle)))
    background = scene.sample_background(rng, size)
    feet = np.stack([figure.camera(moved(leg.ankle, 0.0, ANKLE)) for leg in figure.legs])
    canvas = Canvas(scene.cast_floor_shadow(background, feet, figure.unit), light)
    worn = WornGarment(flat, figure, _LABEL(flat.garment.class_name), size)
    jacket = None if outfit.jacket is None or flat.garment.class_name == "outer" else outfit.jacket
    over = None if jacket is None else WornGarment(FlatGarment(jacket, size), figure, _LABEL("outer"), size)
    _Dresser(canvas, person, worn, over).dress()
    return canvas.labels, scene.finish(rng, canvas.image, light)


class _Dresser:
    """The order in which a person is painted."""

    def __init__(self, canvas: Canvas, person: Person, worn: WornGarment, over: WornGarment | None) -> None:
        self.canvas, self.person, self.worn, self.over = canvas, person, worn, over
        self.figure, self.looks, self.outfit = person.figure, person.looks, person.outfit

    def dress(self) -> None:
        """Paints everything from the back to the front."""
        self._paint_behind()
        self._paint_below()
        self._paint_trunk()
        self._paint_head()
        for side in SIDES:
            if (
                self.figure.arms[(side + 1) // 2].depth == "front"
                and self.figure.arms[(side + 1) // 2].gesture != "head"
            ):
                self._paint_arm(side)
        if self.outfit.bag is not None:
            accessories.paint_bag(self.canvas, self.figure, self.outfit.bag, _LABEL("bag"))
            if self.outfit.bag.kind == "hand":
                self._paint_hand(self.outfit.bag.side)

    def _paint_behind(self) -> None:
        head.paint_hair_behind(self.canvas, self.figure, self.looks, _LABEL("hair"))
        for side in SIDES:
            arm = self.figure.arms[(side + 1) // 2]
            if arm.depth == "back" or arm.gesture == "head":
                self._paint_arm(side)

    def _paint_arm(self, side: int) -> None:
        """Bare arm and hand, then the sleeves over them."""
        line = self.figure.arm_line(side)
        skin = self.looks.skin
        self._paint_hand(side)
        self.canvas.paint(
            ribbon(line, self.figure.arm_half_widths(line)),
            skin,
            _LABEL("skin"),
            bulge=0.014 * self.figure.unit,
            shadow=0.4,
        )
        self.worn.paint_sleeve(self.canvas, side)
        if self.over is not None:
            self.over.paint_sleeve(self.canvas, side)

    def _paint_hand(self, side: int) -> None:
        unit, skin = self.figure.unit, self.looks.skin
        wrist = self.figure.arm_line(side)[-1]
        along = self.figure.hand_direction(side)
        across = np.array([along[1], -along[0]]) * side
        palm = ribbon(np.stack([wrist, wrist + along * 0.036 * unit]), np.array([0.0135, 0.0195]) * unit)
        fingers = []
        for offset, length, spread in (
            (-0.0135, 0.03, -0.1),
            (-0.0045, 0.036, -0.03),
            (0.0045, 0.034, 0.03),
            (0.0135, 0.026, 0.12),
        ):
            root = wrist + (along * 0.034 + across * offset) * unit
            tip = root + (along + across * spread) * length * unit
            fingers += ribbon(np.stack([root, tip]), np.array([0.0056, 0.0046]) * unit)
        root = wrist + (along * 0.012 - across * 0.012) * unit
        thumb = ribbon(
            np.stack([root, root + (along * 0.026 - across * 0.016) * unit]), np.array([0.0068, 0.005]) * unit
        )
        self.canvas.paint([*palm, *fingers, *thumb], skin, _LABEL("skin"), bulge=0.008 * unit, shadow=0.25)

    def _paint_below(self) -> None:
        """Legs, feet and what is worn on them; a dress replaces the skirt or the pants."""
        canvas, figure, outfit = self.canvas, self.figure, self.outfit
        for side in SIDES:
            line = figure.leg_line(side)
            parts = [*ribbon(line, figure.leg_half_widths(line)), lower.foot_outline(figure, side, 0.0)]
            canvas.paint(parts, self.looks.skin, _LABEL("skin"), bulge=0.02 * figure.unit)
        canvas.paint([torso_outline(figure)], self.looks.skin, _LABEL("skin"), bulge=0.02 * figure.unit)
        below = None if self.worn.garment.class_name == "dress" else outfit.lower
        legs = below if isinstance(below, lower.LegWear) else outfit.tights
        boots_over = outfit.shoes is not None and (
            outfit.shoes.kind == "boot" and (legs is None or legs.class_name == "leggings")
        )
        if legs is not None and boots_over:
            lower.paint_leg_wear(canvas, figure, legs, _LABEL(legs.class_name))
        if outfit.shoes is not None:
            for side in SIDES:
                lower.paint_shoe(canvas, figure, outfit.shoes, side, _LABEL("footwear"))
        if legs is not None and not boots_over:
            lower.paint_leg_wear(canvas, figure, legs, _LABEL(legs.class_name))
        if isinstance(below, lower.Skirt) and not outfit.tucked:
            lower.paint_skirt(canvas, figure, below, _LABEL("skirt"))

    def _paint_trunk(self) -> None:
        canvas, figure, outfit = self.canvas, self.figure, self.outfit
        self.worn.paint_back(canvas)
        head.paint_neck(canvas, figure, self.looks, _LABEL("skin"))
        self.worn.paint_front(canvas)
        if outfit.tucked and self.worn.garment.class_name == "top":
            self._paint_tucked()
        if outfit.belt is not None:
            lower.paint_belt(canvas, figure, outfit.belt, self.worn.garment.ease[1] * 0.6, _LABEL("belt"))
        if self.over is not None:
            self.over.paint_front(canvas)
        if outfit.neckwear is not None:
            accessories.paint_neckwear(canvas, figure, outfit.neckwear, _LABEL("neckwear"))
        if outfit.bag is not None:
            accessories.paint_bag_strap(canvas, figure, outfit.bag, _LABEL("bag"))

    def _paint_tucked(self) -> None:
        """The skirt or the hips of the pants over the hem of the top."""
        below = self.outfit.lower
        if isinstance(below, lower.Skirt):
            lower.paint_skirt(self.canvas, self.figure, below, _LABEL("skirt"))
        else:
            lower.paint_leg_wear(self.canvas, self.figure, below, _LABEL(below.class_name))

    def _paint_head(self) -> None:
        canvas, figure, outfit = self.canvas, self.figure, self.outfit
        head.paint_face(canvas, figure, self.looks, _LABEL("face"))
        head.paint_hair_front(canvas, figure, self.looks, _LABEL("hair"))
        if outfit.eyewear is not None:
            head.paint_eyewear(canvas, figure, outfit.eyewear, _LABEL("eyeglass"))
        if outfit.headwear is not None:
            head.paint_headwear(canvas, figure, outfit.headwear, _LABEL("headwear"))


def _absorb_specks(labels: np.ndarray) -> np.ndarray:
    """Gives the pixels of classes with next to no area to the label around them."""
    counts = np.bincount(labels.ravel(), minlength=16)
    least = max(4.0, _SPECK * labels.size)
    for label in np.flatnonzero((counts > 0) & (counts < least)):
        rows, columns = np.nonzero(labels == label)
        window = labels[max(rows.min() - 2, 0) : rows.max() + 3, max(columns.min() - 2, 0) : columns.max() + 3]
        around = np.bincount(window[window != label], minlength=16)
        labels[labels == label] = around.argmax()
    return labels


def _visible_keypoints(figure: Figure, labels: np.ndarray) -> np.ndarray:
    """The joints with confidence: 1 visible, 0.5 behind something, all zero outside the image."""
    height, width = labels.shape
    result = np.zeros((18, 3))
    far_ear = None if abs(figure.posture.head_yaw) < 0.3 else (17 if figure.posture.head_yaw > 0 else 16)
    for i, (x, y) in enumerate(figure.keypoints()):
        if 1 < x < width - 1 and 1 < y < height - 1 and i != far_ear:
            result[i] = x, y, 1.0
    return result
