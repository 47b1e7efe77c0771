"""Bags and neckwear."""

from dataclasses import dataclass

import numpy as np

from seg_vton.data.paper_doll.body import CHEST, NECK, SHOULDER, Figure
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.lots import contrasting, fashion_color, pick
from seg_vton.data.paper_doll.shapes import between, ellipse, ribbon, rotation, smooth


@dataclass(frozen=True)
class Bag:
    """A bag: `kind` is hand (held), cross (strap across the torso) or shoulder; `side` is where it hangs."""

    kind: str
    side: int
    color: np.ndarray
    width: float
    height: float


@dataclass(frozen=True)
class Neckwear:
    """Neckwear: `kind` is scarf, tie, necklace or bandana."""

    kind: str
    color: np.ndarray
    accent: np.ndarray
    length: float
    side: int


def sample_bag(rng: np.random.Generator, free: list[int]) -> Bag:
    """Draws a bag; `free` has the sides of the hands that can hold one."""
    kind = pick(rng, hand=0.5, cross=0.3, shoulder=0.2) if free else "cross"
    side = int(rng.choice(free or [-1, 1]))
    width = rng.uniform(0.055, 0.085)
    color = np.float32(fashion_color(rng, dark=0.35, light=0.1))
    return Bag(kind, side, color, width, width * rng.uniform(0.7, 1.05))


def sample_neckwear(rng: np.random.Generator, feminine: float) -> Neckwear:
    """Draws neckwear."""
    color = fashion_color(rng, dark=0.15, light=0.15)
    accent = contrasting(rng, color)
    if feminine > 0.5:
        kind = pick(rng, scarf=0.5, tie=0.08, necklace=0.2, bandana=0.22)
    else:
        kind = pick(rng, scarf=0.4, tie=0.36, necklace=0.06, bandana=0.18)
    return Neckwear(kind, np.float32(color), np.float32(accent), rng.uniform(0.1, 0.2), int(rng.choice([-1, 1])))


def _bag_top(figure: Figure, bag: Bag) -> np.ndarray:
    """Pixel (2,) of the middle of the bag's top edge."""
    if bag.kind == "hand":
        wrist = figure.camera(figure.arms[bag.side].wrist)
        return wrist + (figure.hand_direction(bag.side) * 0.05 + (0.0, 0.05)) * figure.unit
    x, h = (1.05, 0.0) if bag.kind == "cross" else (1.25, 0.1)
    return figure.point(bag.side * figure.trunk.half_width(0.0) * x, h)


def paint_bag_strap(canvas: Canvas, figure: Figure, bag: Bag) -> None:
    """Paints what lies on the torso: the strap of a cross-body or a shoulder bag."""
    if bag.kind == "hand":
        return
    strap = [(bag.side * 0.08, SHOULDER + 0.016), (bag.side * 0.088, 0.23)]
    if bag.kind == "cross":
        strap = [(-bag.side * 0.062, SHOULDER + 0.022), (-bag.side * 0.03, 0.2), (bag.side * 0.045, 0.1)]
    line = smooth([*figure.points(strap), _bag_top(figure, bag)], closed=False)
    band = ribbon(line, 0.0085 * figure.unit)
    canvas.paint(band, bag.color * 0.85, "bag", bulge=0.004 * figure.unit, shadow=0.3)


def paint_bag(canvas: Canvas, figure: Figure, bag: Bag) -> None:
    """Paints the bag's body, its flap and, where it is held, its handle."""
    unit = figure.unit
    top = _bag_top(figure, bag)
    swing = rotation(0.0 if bag.kind == "hand" else 0.12 * -bag.side)
    size = (bag.width * unit, bag.height * unit * 1.15)

    def place(*points: tuple[float, float]) -> np.ndarray:
        return top + (np.array(points) * size) @ swing.T

    if bag.kind == "hand":
        wrist = top - (0.0, 0.042 * unit)
        start, left, right, end = place((-0.55, 0.05), (-0.45, 0), (0.45, 0), (0.55, 0.05))
        arc = smooth([start, between(left, wrist, 0.7), wrist, between(right, wrist, 0.7), end], closed=False)
        canvas.paint(ribbon(arc, 0.0055 * unit), bag.color * 0.8, "bag")
    body = smooth(place((-0.86, 0.0), (0.86, 0.0), (1.0, 0.9), (0.9, 1.0), (-0.9, 1.0), (-1.0, 0.9)), steps=4)
    canvas.paint([body], bag.color, "bag", bulge=0.014 * unit, shadow=0.35)
    flap = smooth(place((-0.88, 0.02), (0.88, 0.02), (0.9, 0.4), (0.0, 0.56), (-0.9, 0.4)), steps=4)
    canvas.paint([flap], bag.color * 0.86, bulge=0.006 * unit)
    clasp = ellipse(place((0.0, 0.52))[0], 0.011 * unit, 0.008 * unit)
    canvas.paint([clasp], np.float32([212, 178, 92]))


def paint_neckwear(canvas: Canvas, figure: Figure, neckwear: Neckwear) -> None:
    """Paints neckwear over the garments."""
    paint = {"scarf": _paint_scarf, "tie": _paint_tie, "necklace": _paint_necklace, "bandana": _paint_bandana}
    paint[neckwear.kind](canvas, figure, neckwear)


def _paint_scarf(canvas: Canvas, figure: Figure, scarf: Neckwear) -> None:
    unit, side = figure.unit, scarf.side
    widths = np.interp(np.linspace(0, 1, 13), [0, 1], [0.014, 0.021]) * unit
    for length, x in ((scarf.length, 0.03), (scarf.length * 0.75, 0.012)):
        middle, end = NECK - 0.5 * scarf.length, NECK - length - 0.03
        tail = figure.points([(side * x, NECK - 0.02), (side * (x + 0.008), middle), (side * (x + 0.005), end)])
        line = smooth(tail, closed=False)
        band = ribbon(line, widths, round_ends=False)
        canvas.paint(band, scarf.color * 0.95, "neckwear", bulge=0.012 * unit, shadow=0.35)
        for back in (-2, -3):
            stripe = line[back] + np.array([[-widths[-1], 0], [widths[-1], 0]])
            canvas.paint(ribbon(stripe, 0.0035 * unit, round_ends=False), scarf.accent)
    center = figure.camera(figure.trunk.center(NECK + 0.006))
    loop = ellipse(center, figure.body.neck * 2.0 * unit, 0.027 * unit, figure.posture.shoulder_tilt)
    canvas.paint([loop], scarf.color, "neckwear", bulge=0.014 * unit, shadow=0.35)
    bends = ((-0.05, -0.004), (0.0, 0.006), (0.05, -0.004))
    folds = [center + np.array([(x, y + bend) for x, bend in bends]) * unit for y in (-0.009, 0.004, 0.014)]
    canvas.crease([smooth(fold, closed=False) for fold in folds], 0.004 * unit, 0.35, "neckwear")


def _paint_tie(canvas: Canvas, figure: Figure, tie: Neckwear) -> None:
    unit, knot, end = figure.unit, NECK - 0.032, CHEST - tie.length * 0.75
    blade = [(0.006, knot - 0.008), (0.0165, end + 0.02), (0.0, end - 0.01), (-0.0165, end + 0.02)]
    blade = figure.points([*blade, (-0.006, knot - 0.008)])
    canvas.paint([blade], tie.color, "neckwear", bulge=0.006 * unit, shadow=0.3)
    for h in np.arange(end + 0.03, knot - 0.02, 0.022):
        stripe = figure.points([(-0.011, h - 0.006), (0.011, h + 0.006)])
        canvas.paint(ribbon(stripe, 0.0024 * unit, round_ends=False), tie.accent, opacity=0.8)
    top = [(-0.012, knot + 0.014), (0.012, knot + 0.014), (0.0085, knot - 0.01), (-0.0085, knot - 0.01)]
    canvas.paint([figure.points(top)], tie.color * 0.9, "neckwear", bulge=0.004 * unit)


def _paint_necklace(canvas: Canvas, figure: Figure, necklace: Neckwear) -> None:
    unit, reach, drop = figure.unit, figure.body.neck, 0.04 + 0.25 * necklace.length
    chain = [(x * reach * 1.25, NECK + 0.004 - drop * (1 - x * x)) for x in (-1, -0.6, 0, 0.6, 1)]
    line = smooth(figure.points(chain), closed=False)
    canvas.paint(ribbon(line, 0.0052 * unit), necklace.accent, "neckwear", shadow=0.3)
    pendant = ellipse(line[len(line) // 2] + (0, 0.008 * unit), 0.014 * unit, 0.014 * unit)
    canvas.paint([pendant], np.float32([214, 178, 84]), "neckwear")


def _paint_bandana(canvas: Canvas, figure: Figure, bandana: Neckwear) -> None:
    """A neckerchief: a band around the neck and a triangle in front."""
    reach, unit = figure.body.neck, figure.unit
    corners = ((-1.35, 0.008), (0.0, -0.012), (1.35, 0.008), (0.5, -0.05), (0.0, -0.085), (-0.5, -0.05))
    triangle = smooth(figure.points((x * reach, NECK + h) for x, h in corners), steps=4)
    canvas.paint([triangle], bandana.color, "neckwear", bulge=0.01 * unit, shadow=0.35)
    dots = ((0.0, -0.03), (-0.6, -0.02), (0.6, -0.02), (0.0, -0.06))
    for dot in figure.points((x * reach, NECK + h) for x, h in dots):
        canvas.paint([ellipse(dot, 0.0042 * unit, 0.0042 * unit)], bandana.accent)
    band = np.stack([figure.spine(x * reach * 1.1, NECK + 0.012) for x in (-1, 0, 1)])
    canvas.paint(ribbon(band, 0.01 * unit), bandana.color * 0.93, "neckwear", bulge=0.005 * unit)
