"""Painting a person back to front: the bare body, and the order in which clothes and accessories cover it."""

from typing import Any

import numpy as np

from seg_vton.data.paper_doll.body import CHEST, CROTCH, HIP, NECK, SIDES, WAIST, Figure
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.head import Looks
from seg_vton.data.paper_doll.lower import LegWear, Skirt
from seg_vton.data.paper_doll.shapes import Polygons, ribbon, smooth
from seg_vton.data.paper_doll.wardrobe import Outfit
from seg_vton.data.paper_doll.worn import WornGarment

_FINGERS = ((-0.0135, 0.03, -0.1), (-0.0045, 0.036, -0.03), (0.0045, 0.034, 0.03), (0.0135, 0.026, 0.12))
"""Place across the palm, length (statures) and spread of each finger."""


def dress(
    canvas: Canvas, figure: Figure, looks: Looks, outfit: Outfit, worn: WornGarment, jacket: WornGarment | None
) -> None:
    """Paints a person on the background of a canvas, from the back to the front; `jacket` is worn open over `worn`."""
    below = None if worn.garment.class_name == "dress" else outfit.lower
    skirt = below if isinstance(below, Skirt) else None
    legs = below if isinstance(below, LegWear) else outfit.tights
    leggings = legs if legs is not None and legs.class_name == "leggings" else None
    tucked = outfit.tucked and worn.garment.class_name == "top"

    def put(thing: Any, *more: Any) -> None:
        if thing is not None:
            thing.paint(canvas, figure, *more)

    def paint_arm(side: int) -> None:
        line, widths = figure.arm_line(side)
        limb = [*ribbon(line, widths), *_hand(figure, side)]
        canvas.paint(limb, looks.skin, "skin", bulge=0.011, shadow=0.4, root=line[0])
        worn.paint_sleeve(canvas, side)
        if jacket is not None:
            jacket.paint_sleeve(canvas, side)

    looks.paint_hair_behind(canvas, figure)
    for side in figure.arms_behind:
        paint_arm(side)
    for side in SIDES:
        leg = [*ribbon(*figure.leg_line(side)), figure.foot_outline(side)]
        canvas.paint(leg, looks.skin, "skin", bulge=0.02)
    worn.paint_back(canvas)
    canvas.paint(_trunk(figure), looks.skin, "skin", bulge=0.011)
    put(leggings)
    for side in SIDES:
        put(outfit.shoes, side)
    put(None if leggings else legs)
    put(None if tucked else skirt)

    worn.paint_front(canvas, tucked)
    if tucked and skirt is not None:
        skirt.paint(canvas, figure)
    elif tucked:
        legs.paint(canvas, figure, hips_only=True)
    put(outfit.belt, worn.garment.ease[1] * 0.6)
    if jacket is not None:
        jacket.paint_front(canvas)
    put(outfit.neckwear)
    if outfit.bag is not None:
        outfit.bag.paint_strap(canvas, figure)

    looks.paint_face(canvas, figure)
    looks.paint_hair_front(canvas, figure)
    put(outfit.eyewear)
    put(outfit.headwear)
    for side in SIDES:
        if side not in figure.arms_behind:
            paint_arm(side)
    put(outfit.bag)
    if outfit.bag is not None and outfit.bag.kind == "hand":  # the hand again, over what it holds
        canvas.paint(_hand(figure, outfit.bag.side), looks.skin, "skin", bulge=0.008, shadow=0.2)


def _trunk(figure: Figure) -> Polygons:
    """The torso from the crotch to the shoulders, and the neck."""
    width, radius = figure.trunk.half_width, figure.body.arm[0]
    left, right = (figure.points((side * width(h), h) for h in (HIP, 0.06, WAIST, 0.175, CHEST)) for side in SIDES)
    slopes = []  # the shoulders, from the tip to the side of the neck
    for side in SIDES:
        tip = figure.pixels(figure.arms[side].shoulder + np.array([side * 0.4 * radius, -0.75 * radius]))
        neck = side * figure.body.neck
        slopes.append([tip, figure.spine(1.75 * neck, NECK - 0.006), figure.spine(0.98 * neck, NECK + 0.012)])
    bottom = figure.points((width(CROTCH) * x, CROTCH) for x in (0.95, 0.0, -0.95))
    torso = smooth([*left, *slopes[0], *slopes[1][::-1], *right[::-1], *bottom], steps=4)
    line = np.stack([figure.spine(0, NECK - 0.03), figure.spine(0, NECK + 0.01), figure.head((0.0, 0.22))])
    return [torso, *ribbon(line, np.array([1.1, 0.98, 0.98]) * (figure.body.neck * figure.unit))]


def _hand(figure: Figure, side: int) -> Polygons:
    """Palm, four fingers and the thumb."""
    wrist, along = figure.pixels(figure.arms[side].wrist), figure.hand_direction(side)
    across = np.array([along[1], -along[0]]) * side

    def bone(start: np.ndarray, step: np.ndarray, widths: tuple[float, float]) -> Polygons:
        root = wrist + start * figure.unit
        return ribbon(np.stack([root, root + step * figure.unit]), np.array(widths) * figure.unit)

    parts = bone(np.zeros(2), along * 0.036, (0.0135, 0.0195))
    for offset, length, spread in _FINGERS:
        parts += bone(along * 0.034 + across * offset, (along + across * spread) * length, (0.0056, 0.0046))
    return parts + bone(along * 0.012 - across * 0.012, along * 0.026 - across * 0.016, (0.0068, 0.005))
