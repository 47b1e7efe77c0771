"""Painting a person back to front: the order in which body, clothes and accessories cover each other."""

from __future__ import annotations

from seg_vton.data.paper_doll import accessories, head, limbs, lower
from seg_vton.data.paper_doll.body import SIDES
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.wardrobe import Person
from seg_vton.data.paper_doll.worn import WornGarment
from seg_vton.labels import DEEPFASHION15

LABELS = {name: i for i, name in enumerate(DEEPFASHION15.classes)}
"""Ids of `deepfashion15` by class name."""


class Dresser:
    """Paints one person.

    Args:
        canvas: with the background.
        person: body, looks and outfit.
        worn: the upper garment on the person.
        jacket: an outer garment worn open over it.
    """

    def __init__(self, canvas: Canvas, person: Person, worn: WornGarment, jacket: WornGarment | None) -> None:
        self.canvas, self.worn, self.jacket = canvas, worn, jacket
        self.figure, self.looks, self.outfit = person.figure, person.looks, person.outfit

    def dress(self) -> None:
        """Paints everything from the back to the front."""
        head.paint_hair_behind(self.canvas, self.figure, self.looks, LABELS["hair"])
        behind = [side for side in SIDES if self.figure.arm(side).gesture in ("back", "head")]
        for side in behind:
            self._paint_arm(side)
        self._paint_below()
        self._paint_trunk()
        self._paint_head()
        for side in SIDES:
            if side not in behind:
                self._paint_arm(side)
        self._paint_bag()

    def _paint_arm(self, side: int) -> None:
        """The bare arm, then the sleeves over it."""
        limbs.paint_arm(self.canvas, self.figure, side, self.looks.skin, LABELS["skin"])
        self.worn.paint_sleeve(self.canvas, side)
        if self.jacket is not None:
            self.jacket.paint_sleeve(self.canvas, side)

    def _paint_bag(self) -> None:
        if self.outfit.bag is None:
            return
        accessories.paint_bag(self.canvas, self.figure, self.outfit.bag, LABELS["bag"])
        if self.outfit.bag.kind == "hand":
            limbs.paint_hand(self.canvas, self.figure, self.outfit.bag.side, self.looks.skin, LABELS["skin"])

    def _paint_below(self) -> None:
        """Legs, feet and what is on them, and the bare trunk."""
        for side in SIDES:
            limbs.paint_leg(self.canvas, self.figure, side, self.looks.skin, LABELS["skin"])
        self.worn.paint_back(self.canvas)
        limbs.paint_trunk(self.canvas, self.figure, self.looks.skin, LABELS["skin"])
        legs = self._leg_wear()
        if legs is not None and legs.class_name == "leggings":
            self._paint_leg_wear(legs)
        for side in SIDES:
            if self.outfit.shoes is not None:
                lower.paint_shoe(self.canvas, self.figure, self.outfit.shoes, side, LABELS["footwear"])
        if legs is not None and legs.class_name == "pants":
            self._paint_leg_wear(legs)
        if not self._tucked:
            self._paint_skirt()

    def _leg_wear(self) -> lower.LegWear | None:
        """Pants or leggings; under a skirt or a dress, the tights."""
        below = self.outfit.lower
        if self.worn.garment.class_name != "dress" and isinstance(below, lower.LegWear):
            return below
        return self.outfit.tights

    @property
    def _tucked(self) -> bool:
        return self.outfit.tucked and self.worn.garment.class_name == "top"

    def _paint_leg_wear(self, wear: lower.LegWear, hips_only: bool = False) -> None:
        lower.paint_leg_wear(self.canvas, self.figure, wear, LABELS[wear.class_name], hips_only)

    def _paint_skirt(self) -> None:
        if isinstance(self.outfit.lower, lower.Skirt) and self.worn.garment.class_name != "dress":
            lower.paint_skirt(self.canvas, self.figure, self.outfit.lower, LABELS["skirt"])

    def _paint_trunk(self) -> None:
        """Upper garments and what lies over them."""
        canvas, figure, outfit = self.canvas, self.figure, self.outfit
        self.worn.paint_front(canvas, self._tucked)
        if self._tucked:
            self._paint_skirt()
            if isinstance(outfit.lower, lower.LegWear):
                self._paint_leg_wear(outfit.lower, hips_only=True)
        if outfit.belt is not None:
            lower.paint_belt(canvas, figure, outfit.belt, self.worn.garment.ease[1] * 0.6, LABELS["belt"])
        if self.jacket is not None:
            self.jacket.paint_front(canvas)
        if outfit.neckwear is not None:
            accessories.paint_neckwear(canvas, figure, outfit.neckwear, LABELS["neckwear"])
        if outfit.bag is not None:
            accessories.paint_bag_strap(canvas, figure, outfit.bag, LABELS["bag"])

    def _paint_head(self) -> None:
        canvas, figure, outfit = self.canvas, self.figure, self.outfit
        head.paint_face(canvas, figure, self.looks, LABELS["face"])
        head.paint_hair_front(canvas, figure, self.looks, LABELS["hair"])
        if outfit.eyewear is not None:
            head.paint_eyewear(canvas, figure, outfit.eyewear, LABELS["eyeglass"])
        if outfit.headwear is not None:
            head.paint_headwear(canvas, figure, outfit.headwear, LABELS["headwear"])
