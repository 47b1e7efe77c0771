"""Below the waist: skirts, pants, leggings, footwear and belts."""

from dataclasses import dataclass, replace

import numpy as np

from seg_vton.data.paper_doll.body import ANKLE, CROTCH, HIP, SHOULDER, SIDES, WAIST, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Patch, rasterize
from seg_vton.data.paper_doll.lots import Color, contrasting, fashion_color, pick
from seg_vton.data.paper_doll.shapes import arc_length, between, cut, ribbon, smooth, tube
from seg_vton.data.paper_doll.textures import LOWER_MIX, Fabric, sample_fabric
from seg_vton.data.paper_doll.warp import ThinPlateSpline, along_and_across

RISE = WAIST - 0.02
"""Height of the waistband of pants and skirts."""


@dataclass(frozen=True)
class Skirt:
    """A skirt from the waist to `hem`; `flare` is the half-width at the hem beyond the legs."""

    fabric: Fabric
    hem: float
    flare: float
    pleats: int


@dataclass(frozen=True)
class LegWear:
    """Pants, shorts or leggings: `length` along the leg (1 is the ankle), looseness at thigh and end."""

    class_name: str
    fabric: Fabric
    length: float
    ease: tuple[float, float]
    denim: bool


@dataclass(frozen=True)
class Shoes:
    """A pair of shoes: `kind` is sneaker, boot, pump or sandal."""

    kind: str
    color: np.ndarray
    sole: np.ndarray
    shaft: float


@dataclass(frozen=True)
class Belt:
    """A belt around the waist at height `h`."""

    color: np.ndarray
    buckle: np.ndarray
    half_height: float
    h: float


def sample_skirt(rng: np.random.Generator) -> Skirt:
    """Draws a skirt: pencil, straight or flared, mini to below the knee."""
    fabric = sample_fabric(rng, LOWER_MIX | {"floral": 1.2, "dots": 1.0, "tartan": 1.2})
    hem, flare = -rng.uniform(0.11, 0.33), rng.choice([0.004, rng.uniform(0.03, 0.085)])
    return Skirt(fabric, hem, float(flare), int(rng.integers(0, 9)))


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
    return LegWear("leggings", fabric, rng.uniform(0.8, 0.97), (0.0025, 0.0025), False)


def sample_shoes(rng: np.random.Generator, feminine: float) -> Shoes:
    """Draws footwear."""
    if feminine > 0.5:
        kind = pick(rng, sneaker=0.45, boot=0.25, pump=0.2, sandal=0.1)
    else:
        kind = pick(rng, sneaker=0.6, boot=0.35, pump=0.0, sandal=0.05)
    color = np.float32(fashion_color(rng, dark=0.45, light=0.25))
    sole = np.float32([232, 230, 225]) if kind == "sneaker" else color * 0.45
    return Shoes(kind, color, sole, rng.uniform(0.05, 0.17) if kind == "boot" else 0.0)


def sample_belt(rng: np.random.Generator, ground: Color) -> Belt:
    """Draws a belt that stands out from the clothes' color `ground`."""
    color = contrasting(rng, ground, least=90)
    buckle = np.float32([214, 182, 92]) if rng.random() < 0.6 else np.float32([205, 207, 212])
    return Belt(np.float32(color), buckle, rng.uniform(0.0095, 0.0145), WAIST - rng.uniform(0.0, 0.022))


def paint_skirt(canvas: Canvas, figure: Figure, skirt: Skirt) -> None:
    """Paints a skirt; its fabric follows a thin-plate spline from the upright body."""
    unit = figure.unit

    def reach(h: float) -> float:
        ease = np.interp(h, [skirt.hem, -0.02, RISE], [skirt.flare, 0.006 + 0.25 * skirt.flare, 0.003])
        return figure.trunk.half_width(h) + float(ease)

    levels = [h for h in (RISE + 0.02, 0.06, 0.0, -0.06, -0.12, -0.2) if h > skirt.hem + 0.02] + [skirt.hem]
    right, left = (figure.points((side * reach(h), h) for h in levels) for side in (1, -1))
    hem = figure.points((x * reach(skirt.hem), skirt.hem - 0.01 * (1 - x * x)) for x in (0.6, 0.0, -0.6))
    outline = np.concatenate([smooth(right, closed=False), hem, smooth(left[::-1], closed=False)])
    patch = rasterize([outline], canvas.size, pad=2 + int(0.05 * unit))
    if patch is None:
        return
    grid = [(x, h) for h in levels for x in (-1, -0.5, 0, 0.5, 1)]
    person = figure.points((x * reach(h), h) for x, h in grid)
    flat = [(x * (0.09 + skirt.flare * (RISE - h) / (RISE - skirt.hem)), SHOULDER - h) for x, h in grid]
    spline = ThinPlateSpline(person, np.array(flat))
    color = skirt.fabric.color_at(*spline.over(patch.x, patch.y, *patch.alpha.shape[::-1]))
    canvas.blend(patch, color, "skirt", bulge=0.03 * unit, shadow=0.35)
    folds = [
        figure.points((x * reach(h), h) for h in np.linspace(0.04, skirt.hem + 0.006, 6))
        for x in np.linspace(-0.8, 0.8, skirt.pleats)
    ]
    canvas.crease(folds, 0.004 * unit, 0.22 if skirt.flare > 0.02 else 0.08, "skirt")
    band = figure.points((x * reach(RISE + 0.012), RISE + 0.012) for x in (-1, -0.4, 0.4, 1))
    canvas.paint(ribbon(band, 0.008 * unit, round_ends=False), skirt.fabric.ground * 0.8, "skirt")


_Legs = list[tuple[np.ndarray, np.ndarray]]


def _leg_tube(figure: Figure, side: int, length: float, ease: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Middle line and half-widths in pixels of a trouser leg."""
    line, bare = cut(*figure.leg_line(side), length)
    looseness = np.interp(np.linspace(0, 1, len(line)), [0, 0.3, 1], [ease[0] * 0.4, ease[0], ease[1]])
    return line, bare + looseness * figure.unit


def paint_leg_wear(canvas: Canvas, figure: Figure, wear: LegWear, hips_only: bool = False) -> None:
    """Paints pants or leggings; `hips_only` leaves the legs out, to cover the hem of a top that is tucked in."""
    width, ease = figure.trunk.half_width, wear.ease[0] * 0.5
    levels = (RISE + 0.018, 0.06, 0.02, HIP - 0.01)
    right, left = (figure.points((side * (width(h) + ease), h) for h in levels) for side in (1, -1))
    thighs = [figure.camera(figure.legs[side].hip + np.array([-side * 0.02, 0.06])) for side in (1, -1)]
    fork = [thighs[0], figure.point(0.0, CROTCH - 0.012), thighs[1]]
    hips = np.concatenate([smooth(right, closed=False), fork, smooth(left[::-1], closed=False)])
    legs = [_leg_tube(figure, side, wear.length, wear.ease) for side in SIDES]
    parts = [hips] if hips_only else [hips, *tube(*legs[0]), *tube(*legs[1])]
    patch = rasterize(parts, canvas.size, pad=6)
    if patch is None:
        return
    edge = {} if hips_only else {"bulge": 0.009 * figure.unit, "shadow": 0.25}
    canvas.blend(patch, _leg_colors(canvas, figure, wear, legs, patch), wear.class_name, **edge)
    _paint_leg_details(canvas, figure, wear, legs)


def _leg_colors(canvas: Canvas, figure: Figure, wear: LegWear, legs: _Legs, patch: Patch) -> np.ndarray:
    """Lit colors (h, w, 3) of pants: each pixel takes the fabric along the leg that it is deeper inside of."""
    unit = np.float32(figure.unit)
    nearest = np.full(patch.alpha.shape, np.inf, np.float32)
    x, y, light = (np.zeros_like(nearest) for _ in range(3))
    for side, (line, widths) in zip(SIDES, legs, strict=True):
        along, across = along_and_across(line, patch)
        depth = across / np.interp(along, arc_length(line), widths).astype(np.float32)
        mine = np.abs(depth) < nearest
        nearest = np.where(mine, np.abs(depth), nearest)
        x = np.where(mine, across / unit + np.float32(0.05 * side), x)
        y = np.where(mine, along / unit + np.float32(SHOULDER), y)
        round_part = np.clip((along / unit - np.float32(0.03)) * 10, 0, 1)
        lit = -0.3 * depth * depth + np.float32(0.14 * canvas.light[0]) * depth
        light = np.where(mine, lit * round_part, light)
    color = wear.fabric.color_at(x, y)
    if wear.denim:
        faded = np.clip(1 - 2.2 * nearest, 0, 1) * np.clip((y - SHOULDER - 0.05) * 12, 0, 1) * np.float32(0.16)
        color += (np.float32([228, 234, 240]) - color) * faded[..., None]
    return color * (1.04 + np.clip(light, -0.42, 0.2))[..., None]


def _paint_leg_details(canvas: Canvas, figure: Figure, wear: LegWear, legs: _Legs) -> None:
    """Fly, folds, waistband and pockets."""
    unit, pants = figure.unit, wear.class_name == "pants"
    crotch = figure.point(0.0, CROTCH - 0.004)
    creases = [np.stack([*figure.points([(0.0, RISE + 0.01), (0.0, 0.02)]), crotch])]
    for side, (line, widths) in zip(SIDES, legs, strict=True):
        creases.append(np.stack([crotch, crotch + np.array([side * 0.045 * unit, -0.028 * unit])]))
        if pants and wear.length > 0.7:
            for back, reach in ((-1, 0.4), (-3, -0.3), (-7, 0.2)):
                creases.append(line[back] + np.array([[-widths[back], 0.0], [widths[back] * reach, -0.012 * unit]]))
    canvas.crease(creases, 0.003 * unit, 0.18, wear.class_name)
    if not pants:
        return
    reach = figure.trunk.half_width(RISE)
    band = figure.points((x * reach, RISE + 0.012) for x in (-1.02, -0.4, 0.4, 1.02))
    canvas.paint(ribbon(band, 0.009 * unit, round_ends=False), wear.fabric.ground * 0.86, "pants")
    for side in SIDES:
        pocket = figure.points((side * reach * x, h) for x, h in ((0.62, RISE), (0.74, 0.065), (1.05, 0.05)))
        canvas.paint(ribbon(smooth(pocket, closed=False), 0.0016 * unit), wear.fabric.ground * np.float32(0.7))


def paint_belt(canvas: Canvas, figure: Figure, belt: Belt, ease: float) -> None:
    """Paints a belt with its buckle; `ease` is the looseness of the garment under it."""
    unit, size = figure.unit, belt.half_height * figure.unit
    reach = figure.trunk.half_width(belt.h) + ease
    line = figure.points((x * reach, belt.h - 0.003 * (1 - x * x)) for x in np.linspace(-1, 1, 9))
    canvas.paint(ribbon(line, size, round_ends=False), belt.color, "belt", bulge=0.006 * unit, shadow=0.3)
    center = line[4]
    frame = np.array([[-1.3, -1.15], [1.3, -1.15], [1.3, 1.15], [-1.3, 1.15]]) * size + center
    canvas.paint([frame], belt.buckle, "belt")
    canvas.paint([(frame - center) * 0.55 + center], belt.color * 0.8)


def paint_shoe(canvas: Canvas, figure: Figure, shoes: Shoes, side: int) -> None:
    """Paints one shoe over the bare foot."""
    unit, leg = figure.unit, figure.legs[side]
    outline = figure.foot_outline(side, 0.006 if shoes.kind in ("sneaker", "boot") else 0.003)
    top = figure.camera(leg.ankle)
    toe = figure.camera(leg.ankle + np.array([0.05 * np.sin(leg.turn), ANKLE + 0.006]))

    def strap(t: float, reach: float) -> np.ndarray:
        return between(top, toe, t) + np.array([[-reach * unit, 0], [reach * unit, 0]])

    if shoes.kind == "sandal":  # the skin between the straps stays visible
        sole = outline[outline[:, 1] > outline[:, 1].max() - 0.012 * unit]
        canvas.paint([sole], shoes.color * 0.7, "footwear")
        for t, reach in ((0.05, 0.019), (0.4, 0.023), (0.72, 0.025)):
            canvas.paint(ribbon(strap(t, reach), 0.0055 * unit), shoes.color, "footwear")
        return
    if shoes.kind == "pump":
        outline = outline[outline[:, 1] > top[1] + 0.018 * unit]
    parts = [outline]
    if shoes.kind == "boot":
        line, widths = _leg_tube(figure, side, 1.0, (0.006, 0.008))
        lengths = arc_length(line)
        shaft = lengths > lengths[-1] - shoes.shaft * unit
        shaft[-2:] = True
        parts += ribbon(line[shaft], widths[shaft])
    canvas.paint(parts, shoes.color, "footwear", bulge=0.012 * unit, shadow=0.3)
    sole = figure.foot_outline(side, 0.007)
    sole = sole[sole[:, 1] > sole[:, 1].max() - 0.014 * unit]
    if len(sole) > 2:
        canvas.paint([sole], shoes.sole, "footwear")
    if shoes.kind == "sneaker":
        for t in (0.35, 0.55, 0.75):
            canvas.paint(ribbon(strap(t, 0.011), 0.0022 * unit), shoes.sole)
