"""Upper garments: tops, dresses and outer garments, and how they are drawn by lot."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from seg_vton.data.paper_doll.body import CHEST, HIP, WAIST
from seg_vton.data.paper_doll.lots import pick
from seg_vton.data.paper_doll.textures import OUTER_MIX, UPPER_MIX, Fabric, sample_fabric

_NECK_DEPTHS = {
    "crew": (0.018, 0.026), "v": (0.055, 0.085), "scoop": (0.045, 0.065), "boat": (0.014, 0.02),
    "collar": (0.028, 0.045), "turtle": (0.012, 0.014), "hood": (0.03, 0.05), "lapel": (0.08, 0.11),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UpperGarment:
    """A top, a dress or an outer garment. Lengths are in statures."""

    class_name: Literal["top", "dress", "outer"]  # DeepFashion class: `top`, `dress` or `outer`
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
