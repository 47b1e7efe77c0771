"""Who a doll is and what it wears: everything that is drawn by lot before anything is painted."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from seg_vton.data.paper_doll import accessories, head, lower
from seg_vton.data.paper_doll import body as bodies
from seg_vton.data.paper_doll.body import ANKLE, CHIN, SIDES, Body, Camera, Figure, Trunk
from seg_vton.data.paper_doll.garments import UpperGarment, sample_upper
from seg_vton.data.paper_doll.lots import pick

T = TypeVar("T")

_CHANCES = dict(
    tights=0.16, tucked=0.35, jacket=0.3, shoes=0.96, belt=0.38, bag=0.42, neckwear=0.36, eyewear=0.34, headwear=0.32,
)  # fmt: skip
_TRY_ON_CHANCES = _CHANCES | {"jacket": 0.0, "belt": 0.08, "bag": 0.1, "neckwear": 0.05}
"""Shop pictures seldom have accessories over the garment."""


@dataclass(frozen=True)
class Outfit:
    """Everything but the upper garment that a person wears; None for what is missing."""

    lower: lower.Skirt | lower.LegWear  # a skirt, pants or leggings; a dress replaces it
    tights: lower.LegWear | None  # leggings under a skirt or a dress
    tucked: bool  # whether a top's hem is under `lower`
    jacket: UpperGarment | None  # an outer garment worn open over a top or a dress
    shoes: lower.Shoes | None
    belt: lower.Belt | None
    bag: accessories.Bag | None
    neckwear: accessories.Neckwear | None
    eyewear: head.Eyewear | None
    headwear: head.Headwear | None


@dataclass(frozen=True)
class Person:
    """One person in one pose, framed, with their looks and outfit."""

    figure: Figure
    looks: head.Looks
    outfit: Outfit


def sample_garment(rng: np.random.Generator, try_on: bool) -> UpperGarment:
    """Draws the upper garment: it has its own stream, so that another person can wear it."""
    return sample_upper(rng, pick(rng, top=0.84, outer=0.16) if try_on else pick(rng, top=0.68, dress=0.22, outer=0.1))


def sample_person(rng: np.random.Generator, size: tuple[int, int], try_on: bool) -> Person:
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
    figure = Figure(body, posture, arms, legs, Camera(scale, np.array([x, top + scale * crown])))
    looks = head.sample_looks(rng, body)
    free = [side for side in SIDES if arms[side].gesture in ("down", "out")]
    return Person(figure, looks, _sample_outfit(rng, body, free, try_on))


def _sample_outfit(rng: np.random.Generator, body: Body, free: list[int], try_on: bool) -> Outfit:
    """Draws the clothes below and the accessories; `free` has the sides of the hands that can hold a bag.

    Every draw is made whether its result is worn or not, so that one chance does not shift the draws after it.
    """
    chances = _TRY_ON_CHANCES if try_on else _CHANCES

    def maybe(name: str, value: T) -> T | None:
        return value if rng.random() < chances[name] else None

    kind = rng.choice(3, p=[0.46, 0.22, 0.32] if body.feminine > 0.5 else [0.0, 0.66, 0.34])
    leggings = lower.sample_leggings(rng)
    bottom = (lower.sample_skirt(rng), lower.sample_pants(rng), leggings)[kind]
    ground = bottom.fabric.colors[0]
    return Outfit(
        lower=bottom,
        tights=maybe("tights", leggings),
        tucked=maybe("tucked", True) is not None,
        jacket=maybe("jacket", replace(sample_upper(rng, "outer"), closure="open")),
        shoes=maybe("shoes", lower.sample_shoes(rng, body.feminine)),
        belt=maybe("belt", lower.sample_belt(rng, ground)),
        bag=maybe("bag", accessories.sample_bag(rng, free)),
        neckwear=maybe("neckwear", accessories.sample_neckwear(rng, body.feminine)),
        eyewear=maybe("eyewear", head.sample_eyewear(rng)),
        headwear=maybe("headwear", head.sample_headwear(rng)),
    )
