"""Painting a person back to front: the order in which body, clothes and accessories cover each other."""

from seg_vton.data.paper_doll import accessories, head, limbs, lower
from seg_vton.data.paper_doll.body import SIDES
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.wardrobe import Person
from seg_vton.data.paper_doll.worn import WornGarment


def dress(canvas: Canvas, person: Person, worn: WornGarment, jacket: WornGarment | None) -> None:
    """Paints a person from the back to the front.

    Args:
        canvas: with the background.
        person: body, looks and outfit.
        worn: the upper garment on the person.
        jacket: an outer garment worn open over it.
    """
    figure, looks, outfit = person.figure, person.looks, person.outfit
    below = None if worn.garment.class_name == "dress" else outfit.lower
    skirt = below if isinstance(below, lower.Skirt) else None
    legs = below if isinstance(below, lower.LegWear) else outfit.tights
    tucked = outfit.tucked and worn.garment.class_name == "top"

    head.paint_hair_behind(canvas, figure, looks)
    for side in figure.arms_behind:
        _paint_arm(canvas, person, worn, jacket, side)
    for side in SIDES:
        limbs.paint_leg(canvas, figure, side, looks.skin)
    worn.paint_back(canvas)
    limbs.paint_trunk(canvas, figure, looks.skin)
    if legs is not None and legs.class_name == "leggings":
        lower.paint_leg_wear(canvas, figure, legs)
    if outfit.shoes is not None:
        for side in SIDES:
            lower.paint_shoe(canvas, figure, outfit.shoes, side)
    if legs is not None and legs.class_name == "pants":
        lower.paint_leg_wear(canvas, figure, legs)
    if skirt is not None and not tucked:
        lower.paint_skirt(canvas, figure, skirt)

    worn.paint_front(canvas, tucked)
    if tucked and skirt is not None:
        lower.paint_skirt(canvas, figure, skirt)
    elif tucked:
        lower.paint_leg_wear(canvas, figure, legs, hips_only=True)
    if outfit.belt is not None:
        lower.paint_belt(canvas, figure, outfit.belt, worn.garment.ease[1] * 0.6)
    if jacket is not None:
        jacket.paint_front(canvas)
    if outfit.neckwear is not None:
        accessories.paint_neckwear(canvas, figure, outfit.neckwear)
    if outfit.bag is not None:
        accessories.paint_bag_strap(canvas, figure, outfit.bag)

    head.paint_face(canvas, figure, looks)
    head.paint_hair_front(canvas, figure, looks)
    if outfit.eyewear is not None:
        head.paint_eyewear(canvas, figure, outfit.eyewear)
    if outfit.headwear is not None:
        head.paint_headwear(canvas, figure, outfit.headwear)
    for side in SIDES:
        if side not in figure.arms_behind:
            _paint_arm(canvas, person, worn, jacket, side)
    if outfit.bag is not None:
        accessories.paint_bag(canvas, figure, outfit.bag)
        if outfit.bag.kind == "hand":
            limbs.paint_hand(canvas, figure, outfit.bag.side, looks.skin)


def _paint_arm(canvas: Canvas, person: Person, worn: WornGarment, jacket: WornGarment | None, side: int) -> None:
    """The bare arm, then the sleeves over it."""
    limbs.paint_arm(canvas, person.figure, side, person.looks.skin)
    worn.paint_sleeve(canvas, side)
    if jacket is not None:
        jacket.paint_sleeve(canvas, side)
