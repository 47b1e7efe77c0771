"""Painting a person back to front: the order in which body, clothes and accessories cover each other."""

from collections.abc import Callable
from typing import Any

from seg_vton.data.paper_doll import accessories, head, limbs, lower
from seg_vton.data.paper_doll.body import SIDES
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.wardrobe import Person
from seg_vton.data.paper_doll.worn import WornGarment


def dress(canvas: Canvas, person: Person, worn: WornGarment, jacket: WornGarment | None) -> None:
    """Paints a person on the background of a canvas, from the back to the front; `jacket` is worn open over `worn`."""
    figure, looks, outfit = person.figure, person.looks, person.outfit
    below = None if worn.garment.class_name == "dress" else outfit.lower
    skirt = below if isinstance(below, lower.Skirt) else None
    legs = below if isinstance(below, lower.LegWear) else outfit.tights
    leggings = legs if legs is not None and legs.class_name == "leggings" else None
    tucked = outfit.tucked and worn.garment.class_name == "top"

    def put(paint: Callable[..., None], thing: Any, *more: Any) -> None:
        if thing is not None:
            paint(canvas, figure, thing, *more)

    head.paint_hair_behind(canvas, figure, looks)
    for side in figure.arms_behind:
        _paint_arm(canvas, person, worn, jacket, side)
    for side in SIDES:
        limbs.paint_leg(canvas, figure, side, looks.skin)
    worn.paint_back(canvas)
    limbs.paint_trunk(canvas, figure, looks.skin)
    put(lower.paint_leg_wear, leggings)
    for side in SIDES:
        put(lower.paint_shoe, outfit.shoes, side)
    put(lower.paint_leg_wear, None if leggings else legs)
    put(lower.paint_skirt, None if tucked else skirt)

    worn.paint_front(canvas, tucked)
    if tucked and skirt is not None:
        lower.paint_skirt(canvas, figure, skirt)
    elif tucked:
        lower.paint_leg_wear(canvas, figure, legs, hips_only=True)
    put(lower.paint_belt, outfit.belt, worn.garment.ease[1] * 0.6)
    if jacket is not None:
        jacket.paint_front(canvas)
    put(accessories.paint_neckwear, outfit.neckwear)
    put(accessories.paint_bag_strap, outfit.bag)

    head.paint_face(canvas, figure, looks)
    head.paint_hair_front(canvas, figure, looks)
    put(head.paint_eyewear, outfit.eyewear)
    put(head.paint_headwear, outfit.headwear)
    for side in SIDES:
        if side not in figure.arms_behind:
            _paint_arm(canvas, person, worn, jacket, side)
    put(accessories.paint_bag, outfit.bag)
    if outfit.bag is not None and outfit.bag.kind == "hand":
        limbs.paint_hand(canvas, figure, outfit.bag.side, looks.skin)


def _paint_arm(canvas: Canvas, person: Person, worn: WornGarment, jacket: WornGarment | None, side: int) -> None:
    """The bare arm, then the sleeves over it."""
    limbs.paint_arm(canvas, person.figure, side, person.looks.skin)
    worn.paint_sleeve(canvas, side)
    if jacket is not None:
        jacket.paint_sleeve(canvas, side)
