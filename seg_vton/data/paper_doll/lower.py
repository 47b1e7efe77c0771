"""Below the waist: skirts, pants, leggings, footwear and belts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seg_vton.data.paper_doll.body import ANKLE, CROTCH, HIP, SHOULDER, SIDES, WAIST, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Patch
from seg_vton.data.paper_doll.lots import Color, contrasting, fashion_color, pick
from seg_vton.data.paper_doll.shapes import (
    Point,
    ThinPlateSpline,
    along_and_across,
    arc_length,
    between,
    curve,
    cut,
    ribbon,
    tube,
)
from seg_vton.data.paper_doll.textures import LOWER_MIX, Fabric, sample_fabric

_RISE = WAIST - 0.02  # height of the waistband of pants and skirts

_Legs = list[tuple[np.ndarray, np.ndarray]]  # middle line and half-widths in pixels of each trouser leg


def _outline(
    figure: Figure, reach: Callable[[float], float], levels: list[float], bottom: Sequence[Point]
) -> np.ndarray:
    """From the waist down the right side, along `bottom` (pixels) and up the left one; `reach` gives half-widths."""
    right, left = (figure.points((side * reach(h), h) for h in levels) for side in (1, -1))
    return np.concatenate([curve(right), bottom, curve(left[::-1])])


class Skirt:
    """A skirt from the waist to `hem`: pencil, straight or flared, mini to below the knee."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.fabric = sample_fabric(rng, LOWER_MIX | {"floral": 1.2, "dots": 1.0, "tartan": 1.2})
        self.hem = -rng.uniform(0.11, 0.33)
        self.flare = float(rng.choice([0.004, rng.uniform(0.03, 0.085)]))  # half-width at the hem beyond the legs
        self.pleats = int(rng.integers(0, 9))

    def paint(self, canvas: Canvas, figure: Figure) -> None:
        """Paints the skirt; its fabric follows a thin-plate spline from the upright body."""

        def reach(h: float) -> float:
            ease = np.interp(h, [self.hem, -0.02, _RISE], [self.flare, 0.006 + 0.25 * self.flare, 0.003])
            return figure.trunk.half_width(h) + float(ease)

        levels = [h for h in (_RISE + 0.02, 0.06, 0.0, -0.06, -0.12, -0.2) if h > self.hem + 0.02] + [self.hem]
        hem = figure.points((x * reach(self.hem), self.hem - 0.01 * (1 - x * x)) for x in (0.6, 0.0, -0.6))
        grid = [(x, h) for h in levels for x in (-1, -0.5, 0, 0.5, 1)]
        person = figure.points((x * reach(h), h) for x, h in grid)
        flat = [(x * (0.09 + self.flare * (_RISE - h) / (_RISE - self.hem)), SHOULDER - h) for x, h in grid]
        spline = ThinPlateSpline(person, np.array(flat))
        canvas.paint(
            [_outline(figure, reach, levels, hem)],
            lambda patch: self.fabric.color_at(*spline.over(patch.x, patch.y, *patch.alpha.shape[::-1])),
            "skirt",
            pad=2 + int(0.05 * figure.unit),
            bulge=0.03,
            shadow=0.35,
        )
        folds = [
            figure.points((x * reach(h), h) for h in np.linspace(0.04, self.hem + 0.006, 6))
            for x in np.linspace(-0.8, 0.8, self.pleats)
        ]
        canvas.crease(folds, 0.004, 0.22 if self.flare > 0.02 else 0.08, "skirt")
        band = figure.points((x * reach(_RISE + 0.012), _RISE + 0.012) for x in (-1, -0.4, 0.4, 1))
        canvas.stroke(band, 0.008, self.fabric.ground * 0.8, "skirt", round_ends=False)


@dataclass(frozen=True)
class LegWear:
    """Pants, shorts or leggings: `length` along the leg (1 is the ankle), looseness at thigh and end."""

    class_name: str
    fabric: Fabric
    length: float
    ease: tuple[float, float]
    denim: bool = False

    def paint(self, canvas: Canvas, figure: Figure, hips_only: bool = False) -> None:
        """Paints them; `hips_only` leaves the legs out, to cover the hem of a top that is tucked in."""
        thighs = [figure.pixels(figure.legs[side].hip + np.array([-side * 0.02, 0.06])) for side in (1, -1)]
        fork = [thighs[0], figure.point(0.0, CROTCH - 0.012), thighs[1]]
        levels = [_RISE + 0.018, 0.06, 0.02, HIP - 0.01]
        parts = [_outline(figure, lambda h: figure.trunk.half_width(h) + self.ease[0] * 0.5, levels, fork)]
        legs = [_leg_tube(figure, side, self.length, self.ease) for side in SIDES]
        edge = {}
        if not hips_only:
            parts += [*tube(*legs[0]), *tube(*legs[1])]
            edge = {"bulge": 0.009, "shadow": 0.25}
        canvas.paint(parts, lambda patch: self._colors(canvas, figure, legs, patch), self.class_name, pad=6, **edge)
        self._paint_details(canvas, figure, legs)

    def _colors(self, canvas: Canvas, figure: Figure, legs: _Legs, patch: Patch) -> np.ndarray:
        """Lit colors (h, w, 3): each pixel takes the fabric along the leg that it is deeper inside of."""
        unit = np.float32(figure.unit)
        nearest = np.full(patch.alpha.shape, np.inf, np.float32)
        x, y, light = (np.zeros_like(nearest) for _ in range(3))
        for side, (line, widths) in zip(SIDES, legs, strict=True):
            along, across = along_and_across(line, *patch.pixel_centers())
            depth = across / np.interp(along, arc_length(line), widths).astype(np.float32)
            mine = np.abs(depth) < nearest
            nearest = np.where(mine, np.abs(depth), nearest)
            x = np.where(mine, across / unit + np.float32(0.05 * side), x)
            y = np.where(mine, along / unit + np.float32(SHOULDER), y)
            round_part = np.clip((along / unit - np.float32(0.03)) * 10, 0, 1)
            lit = -0.3 * depth * depth + np.float32(0.14 * canvas.light[0]) * depth
            light = np.where(mine, lit * round_part, light)
        color = self.fabric.color_at(x, y)
        if self.denim:
            faded = np.clip(1 - 2.2 * nearest, 0, 1) * np.clip((y - SHOULDER - 0.05) * 12, 0, 1) * np.float32(0.16)
            color += (np.float32([228, 234, 240]) - color) * faded[..., None]
        return color * (1.04 + np.clip(light, -0.42, 0.2))[..., None]

    def _paint_details(self, canvas: Canvas, figure: Figure, legs: _Legs) -> None:
        """Fly, folds, waistband and pockets."""
        unit, pants = figure.unit, self.class_name == "pants"
        crotch = figure.point(0.0, CROTCH - 0.004)
        creases = [np.stack([*figure.points([(0.0, _RISE + 0.01), (0.0, 0.02)]), crotch])]
        for side, (line, widths) in zip(SIDES, legs, strict=True):
            creases.append(np.stack([crotch, crotch + np.array([side * 0.045 * unit, -0.028 * unit])]))
            if pants and self.length > 0.7:
                for back, reach in ((-1, 0.4), (-3, -0.3), (-7, 0.2)):
                    fold = np.array([[-widths[back], 0.0], [widths[back] * reach, -0.012 * unit]])
                    creases.append(line[back] + fold)
        canvas.crease(creases, 0.003, 0.18, self.class_name)
        if not pants:
            return
        reach = figure.trunk.half_width(_RISE)
        band = figure.points((x * reach, _RISE + 0.012) for x in (-1.02, -0.4, 0.4, 1.02))
        canvas.stroke(band, 0.009, self.fabric.ground * 0.86, "pants", round_ends=False)
        for side in SIDES:
            pocket = figure.points((side * reach * x, h) for x, h in ((0.62, _RISE), (0.74, 0.065), (1.05, 0.05)))
            canvas.stroke(curve(pocket), 0.0016, self.fabric.ground * np.float32(0.7))


def sample_pants(rng: np.random.Generator) -> LegWear:
    """Draws trousers, jeans or shorts."""
    denim = bool(rng.random() < 0.45)
    if denim:
        fabric = sample_fabric(rng, {"heather": 1.0})
        blue = tuple(np.array([70.0, 98.0, 140.0]) * rng.uniform(0.55, 1.25))
        fabric = replace(fabric, colors=(blue, (215.0, 222.0, 230.0), (180.0, 130.0, 70.0)))
    else:
        fabric = sample_fabric(rng, {"plain": 3.0, "heather": 1.0, "checks": 0.2, "stripes": 0.2})
    length = float(rng.choice([rng.uniform(0.24, 0.42), rng.uniform(0.78, 0.88), 1.02], p=[0.2, 0.15, 0.65]))
    loose = rng.uniform(0.005, 0.018)
    return LegWear("pants", fabric, length, (loose, rng.uniform(0.008, 0.03) + (0.006 if length < 0.5 else 0)), denim)


def sample_leggings(rng: np.random.Generator) -> LegWear:
    """Draws leggings: tight, dark more often than not."""
    fabric = sample_fabric(rng, {"plain": 4.0, "heather": 1.5, "blocks": 0.3, "dots": 0.4, "floral": 0.4})
    if rng.random() < 0.6:
        fabric = replace(fabric, colors=(fashion_color(rng, dark=1.0, light=0.0), *fabric.colors[1:]))
    return LegWear("leggings", fabric, rng.uniform(0.8, 0.97), (0.0025, 0.0025))


def _leg_tube(figure: Figure, side: int, length: float, ease: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Middle line and half-widths in pixels of a trouser leg."""
    line, bare = cut(*figure.leg_line(side), length)
    looseness = np.interp(np.linspace(0, 1, len(line)), [0, 0.3, 1], [ease[0] * 0.4, ease[0], ease[1]])
    return line, bare + looseness * figure.unit


class Belt:
    """A belt around the waist at height `h` that stands out from the clothes' color `ground`."""

    def __init__(self, rng: np.random.Generator, ground: Color) -> None:
        self.color = np.float32(contrasting(rng, ground, least=90))
        self.buckle = np.float32([214, 182, 92] if rng.random() < 0.6 else [205, 207, 212])
        self.half_height = rng.uniform(0.0095, 0.0145)
        self.h = WAIST - rng.uniform(0.0, 0.022)

    def paint(self, canvas: Canvas, figure: Figure, ease: float) -> None:
        """Paints the belt with its buckle; `ease` is the looseness of the garment under it."""
        reach = figure.trunk.half_width(self.h) + ease
        line = figure.points((x * reach, self.h - 0.003 * (1 - x * x)) for x in np.linspace(-1, 1, 9))
        canvas.stroke(line, self.half_height, self.color, "belt", round_ends=False, bulge=0.006, shadow=0.3)
        center = line[4]
        frame = np.array([[-1.3, -1.15], [1.3, -1.15], [1.3, 1.15], [-1.3, 1.15]]) * (self.half_height * figure.unit)
        canvas.paint([frame + center], self.buckle, "belt")
        canvas.paint([frame * 0.55 + center], self.color * 0.8)


class Shoes:
    """A pair of shoes: `kind` is sneaker, boot, pump or sandal."""

    def __init__(self, rng: np.random.Generator, feminine: float) -> None:
        if feminine > 0.5:
            self.kind = pick(rng, sneaker=0.45, boot=0.25, pump=0.2, sandal=0.1)
        else:
            self.kind = pick(rng, sneaker=0.6, boot=0.35, sandal=0.05)
        self.color = np.float32(fashion_color(rng, dark=0.45, light=0.25))
        self.sole = np.float32([232, 230, 225]) if self.kind == "sneaker" else self.color * 0.45
        self.shaft = rng.uniform(0.05, 0.17) if self.kind == "boot" else 0.0

    def paint(self, canvas: Canvas, figure: Figure, side: int) -> None:
        """Paints one shoe over the bare foot."""
        unit, leg = figure.unit, figure.legs[side]
        outline = figure.foot_outline(side, 0.006 if self.kind in ("sneaker", "boot") else 0.003)
        top = figure.pixels(leg.ankle)
        toe = figure.pixels(leg.ankle + np.array([0.05 * np.sin(leg.turn), ANKLE + 0.006]))

        def strap(t: float, reach: float, half_width: float, color: np.ndarray, label: str | None = None) -> None:
            line = between(top, toe, t) + np.array([[-reach * unit, 0], [reach * unit, 0]])
            canvas.stroke(line, half_width, color, label)

        if self.kind == "sandal":  # the skin between the straps stays visible
            sole = outline[outline[:, 1] > outline[:, 1].max() - 0.012 * unit]
            canvas.paint([sole], self.color * 0.7, "footwear")
            for t, reach in ((0.05, 0.019), (0.4, 0.023), (0.72, 0.025)):
                strap(t, reach, 0.0055, self.color, "footwear")
            return
        if self.kind == "pump":
            outline = outline[outline[:, 1] > top[1] + 0.018 * unit]
        parts = [outline]
        if self.kind == "boot":
            line, widths = _leg_tube(figure, side, 1.0, (0.006, 0.008))
            lengths = arc_length(line)
            shaft = lengths > lengths[-1] - self.shaft * unit
            shaft[-2:] = True
            parts += ribbon(line[shaft], widths[shaft])
        canvas.paint(parts, self.color, "footwear", bulge=0.012, shadow=0.3)
        sole = figure.foot_outline(side, 0.007)
        sole = sole[sole[:, 1] > sole[:, 1].max() - 0.014 * unit]
        if len(sole) > 2:
            canvas.paint([sole], self.sole, "footwear")
        if self.kind == "sneaker":
            for t in (0.35, 0.55, 0.75):
                strap(t, 0.011, 0.0022, self.sole)
