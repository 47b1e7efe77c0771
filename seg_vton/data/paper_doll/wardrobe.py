"""Who a doll is and what it wears: everything that is drawn by lot before anything is painted."""

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from seg_vton.data.paper_doll import body as bodies
from seg_vton.data.paper_doll.accessories import Bag, Neckwear
from seg_vton.data.paper_doll.body import ANKLE, CHEST, CHIN, HIP, SIDES, WAIST, Body, Figure, Trunk
from seg_vton.data.paper_doll.head import Eyewear, Headwear, Looks
from seg_vton.data.paper_doll.lots import pick
from seg_vton.data.paper_doll.lower import Belt, LegWear, Shoes, Skirt, sample_leggings, sample_pants
from seg_vton.data.paper_doll.textures import OUTER_MIX, UPPER_MIX, Fabric, sample_fabric

T = TypeVar("T")

_NECK_DEPTHS = {
    "crew": (0.018, 0.026), "v": (0.055, 0.085), "scoop": (0.045, 0.065), "boat": (0.014, 0.02),
    "collar": (0.028, 0.045), "turtle": (0.012, 0.014), "hood": (0.03, 0.05), "lapel": (0.08, 0.11),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UpperGarment:
    """A top, a dress or an outer garment. Lengths are in statures."""

    class_name: Literal["top", "dress", "outer"]  # DeepFashion class
    fabric: Fabric  # colors and pattern
    neckline: Literal["crew", "v", "scoop", "boat", "collar", "turtle", "hood", "lapel"]  # shape of the neck opening
    neck_depth: float = 0.0  # how far the front neckline lies below the side of the neck
    neck_width: float  # half-width of the neck opening, relative to the neck
    sleeve: float  # length of the sleeve as a fraction of the arm, 0 for none
    sleeve_ease: float  # looseness of the sleeve at its end
    ease: tuple[float, float, float]  # looseness of the body at chest, waist and hem (half-width beyond the body's)
    hem: float  # height of the hem above the hip joints
    closure: Literal["none", "buttons", "zip", "open"] = "none"  # of the front
    trim: bool  # whether cuffs, hem and neckband have the accent color
    pocket: bool  # whether there is a pocket
    # half-width from the middle to the shoulder's end, as a fraction of the shoulder (1: set-in sleeve)
    strap: float = 1.0

    def ease_at(self, h: float) -> float:
        """Half-width of the garment beyond the body's at height `h`."""
        chest, waist, hem = self.ease
        return float(np.interp(h, [min(self.hem, HIP - 0.02), WAIST, CHEST], [hem, waist, chest]))


def sample_upper(rng: np.random.Generator, class_name: Literal["top", "dress", "outer"]) -> UpperGarment:
    """Draws a garment of one class; an outer garment is closed."""
    garment = {"top": _sample_top, "dress": _sample_dress, "outer": _sample_outer}[class_name](rng)
    depth, width = rng.uniform(*_NECK_DEPTHS[garment.neckline]), garment.neck_width
    if garment.neckline in ("collar", "turtle"):
        width = min(width, 1.35)
    return replace(garment, neck_depth=depth, neck_width=2.0 if garment.neckline == "boat" else width)


# Each cut draws its changes whether they are used or not, so that the cut does not shift the draws after it.


def _sample_top(rng: np.random.Generator) -> UpperGarment:
    cut = pick(rng, tee=0.36, tank=0.14, shirt=0.18, sweater=0.18, blouse=0.14)
    loose = rng.uniform(0.0, 0.014)
    garment = UpperGarment(
        class_name="top",
        fabric=sample_fabric(rng, UPPER_MIX),
        neckline=pick(rng, crew=0.45, v=0.25, scoop=0.2, boat=0.1),
        neck_width=rng.uniform(1.3, 1.6),
        sleeve=rng.uniform(0.24, 0.42),
        sleeve_ease=rng.uniform(0.006, 0.016),
        ease=(0.004 + loose * 0.6, 0.008 + loose, 0.004 + loose),
        hem=rng.uniform(-0.045, 0.035),
        trim=bool(rng.random() < 0.3),
        pocket=bool(rng.random() < 0.15),
    )
    wide = (0.009 + loose, 0.014 + loose, 0.006 + loose)
    changes = {
        "tee": {},
        "tank": {"sleeve": 0.0, "strap": rng.uniform(0.62, 0.78), "neck_width": rng.uniform(1.55, 1.85)},
        "shirt": {"neckline": "collar", "closure": "buttons", "sleeve": rng.choice([0.36, 0.98]), "trim": False},
        "sweater": {"neckline": str(rng.choice(["crew", "turtle", "v"])), "sleeve": 0.98, "ease": wide},
        "blouse": {"sleeve": rng.uniform(0.5, 0.85), "sleeve_ease": rng.uniform(0.012, 0.03), "neckline": "v"},
    }
    return replace(garment, **changes[cut])


def _sample_dress(rng: np.random.Generator) -> UpperGarment:
    flare = rng.choice([rng.uniform(0.0, 0.015), rng.uniform(0.035, 0.085)])
    sleeve = float(rng.choice([0.0, rng.uniform(0.2, 0.4), 0.97], p=[0.45, 0.35, 0.2]))
    return UpperGarment(
        class_name="dress",
        fabric=sample_fabric(rng, UPPER_MIX | {"word": 0.1, "floral": 2.4, "dots": 2.0}),
        neckline=pick(rng, crew=0.3, v=0.25, scoop=0.25, boat=0.1, collar=0.1),
        neck_width=rng.uniform(1.35, 1.75),
        sleeve=sleeve,
        sleeve_ease=rng.uniform(0.006, 0.014),
        ease=(0.003, 0.003 + 0.1 * flare, flare),
        hem=-rng.uniform(0.13, 0.36),
        trim=bool(rng.random() < 0.25),
        pocket=False,
        strap=1.0 if sleeve else rng.uniform(0.6, 0.8),
    )


def _sample_outer(rng: np.random.Generator) -> UpperGarment:
    cut = pick(rng, hoodie=0.28, cardigan=0.24, jacket=0.28, coat=0.2)
    loose = rng.uniform(0.004, 0.012)
    garment = UpperGarment(
        class_name="outer",
        fabric=sample_fabric(rng, OUTER_MIX),
        neckline="crew",
        neck_width=rng.uniform(1.45, 1.65),
        sleeve=rng.uniform(0.96, 1.0),
        sleeve_ease=rng.uniform(0.009, 0.015),
        ease=(0.01 + loose, 0.014 + loose, 0.009 + loose),
        hem=rng.uniform(-0.04, 0.03),
        closure="zip",
        trim=bool(rng.random() < 0.25),
        pocket=True,
        strap=1.03,
    )
    changes = {
        "hoodie": {"neckline": "hood"},
        "cardigan": {"neckline": "v", "closure": "buttons", "hem": rng.uniform(-0.1, 0.0)},
        "jacket": {"neckline": str(rng.choice(["lapel", "collar"])), "closure": "buttons", "trim": False},
        "coat": {"neckline": "lapel", "closure": "buttons", "hem": rng.uniform(-0.24, -0.1), "trim": False},
    }
    return replace(garment, **changes[cut])


_CHANCES = dict(
    tights=0.16, tucked=0.35, jacket=0.3, shoes=0.96, belt=0.38, bag=0.42, neckwear=0.36, eyewear=0.34, headwear=0.32,
)  # fmt: skip
_TRY_ON_CHANCES = _CHANCES | {"jacket": 0.0, "belt": 0.08, "bag": 0.1, "neckwear": 0.05}
"""Shop pictures seldom have accessories over the garment."""


@dataclass(frozen=True)
class Outfit:
    """Everything but the upper garment that a person wears; None for what is missing."""

    lower: Skirt | LegWear  # a skirt, pants or leggings; a dress replaces it
    tights: LegWear | None  # leggings under a skirt or a dress
    tucked: bool  # whether a top's hem is under `lower`
    jacket: UpperGarment | None  # an outer garment worn open over a top or a dress
    shoes: Shoes | None
    belt: Belt | None
    bag: Bag | None
    neckwear: Neckwear | None
    eyewear: Eyewear | None
    headwear: Headwear | None


def sample_garment(rng: np.random.Generator, try_on: bool) -> UpperGarment:
    """Draws the upper garment: it has its own stream, so that another person can wear it."""
    return sample_upper(rng, pick(rng, top=0.84, outer=0.16) if try_on else pick(rng, top=0.68, dress=0.22, outer=0.1))


def sample_person(rng: np.random.Generator, size: tuple[int, int], try_on: bool) -> tuple[Figure, Looks, Outfit]:
    """Draws body, pose, framing (the whole figure, or head to thighs), looks and outfit."""
    body, posture = bodies.sample_body(rng), bodies.sample_posture(rng)
    legs = bodies.sample_legs(rng, body, posture)
    trunk = Trunk(body, posture, legs)
    arms = {side: bodies.sample_arm(rng, body, trunk, side) for side in SIDES}
    cropped = rng.random() < 0.22 or try_on
    width, height = size
    reference = min(height, width * 4 / 3)
    sole, crown = max(leg.ankle[1] for leg in legs.values()) + ANKLE, CHIN + 0.155
    zoom, place = rng.random(), rng.random()
    if cropped:
        scale = reference * (1.35 + 0.35 * zoom)
        top = height * (0.06 + 0.04 * place)
    else:
        scale = reference * (0.86 + 0.07 * zoom) / (sole + crown)
        top = (height - scale * (sole + crown)) * (0.4 + 0.35 * place)
    x = width * (0.5 + rng.uniform(-0.05, 0.05))
    figure = Figure(trunk, arms, scale, np.array([x, top + scale * crown]))
    free = [side for side in SIDES if arms[side].gesture in ("down", "out")]
    return figure, Looks(rng, body.feminine > 0.5), _sample_outfit(rng, body, free, try_on)


def _sample_outfit(rng: np.random.Generator, body: Body, free: list[int], try_on: bool) -> Outfit:
    """Draws the clothes below and the accessories; `free` has the sides of the hands that can hold a bag.

    Every draw is made whether its result is worn or not, so that one chance does not shift the draws after it.
    """
    chances = _TRY_ON_CHANCES if try_on else _CHANCES

    def maybe(name: str, value: T) -> T | None:
        return value if rng.random() < chances[name] else None

    kind = rng.choice(3, p=[0.46, 0.22, 0.32] if body.feminine > 0.5 else [0.0, 0.66, 0.34])
    leggings = sample_leggings(rng)
    bottom = (Skirt(rng), sample_pants(rng), leggings)[kind]
    return Outfit(
        lower=bottom,
        tights=maybe("tights", leggings),
        tucked=maybe("tucked", True) is not None,
        jacket=maybe("jacket", replace(sample_upper(rng, "outer"), closure="open")),
        shoes=maybe("shoes", Shoes(rng, body.feminine)),
        belt=maybe("belt", Belt(rng, bottom.fabric.colors[0])),
        bag=maybe("bag", Bag(rng, free)),
        neckwear=maybe("neckwear", Neckwear(rng, body.feminine)),
        eyewear=maybe("eyewear", Eyewear(rng)),
        headwear=maybe("headwear", Headwear(rng)),
    )
