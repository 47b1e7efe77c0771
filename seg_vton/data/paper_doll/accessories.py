"""Bags and neckwear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg_vton.data.paper_doll.body import CHEST, NECK, SHOULDER, Figure
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.lots import contrasting, fashion_color
from seg_vton.data.paper_doll.shapes import between, ellipse, moved, ribbon, rotation, smooth


@dataclass(frozen=True)
class Bag:
    """A bag: `kind` is hand (held), cross (strap across the torso) or shoulder; `side` is where it hangs."""

    kind: str
    side: int
    color: np.ndarray
    metal: np.ndarray
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


def sample_bag(rng: np.random.Generator, gestures: tuple[str, str]) -> Bag:
    """Draws a bag that the arms' gestures can hold."""
    free = [side for side, gesture in zip((-1, 1), gestures, strict=True) if gesture in ("down", "out")]
    kind = str(rng.choice(["hand", "cross", "shoulder"], p=[0.5, 0.3, 0.2])) if free else "cross"
    side = int(rng.choice(free)) if free else int(rng.choice([-1, 1]))
    width = rng.uniform(0.055, 0.085)
    return Bag(
        kind,
        side,
        np.float32(fashion_color(rng, dark=0.35, light=0.1)),
        np.float32([212, 178, 92]),
        width,
        width * rng.uniform(0.7, 1.05),
    )


def sample_neckwear(rng: np.random.Generator, feminine: float) -> Neckwear:
    """Draws neckwear."""
    shares = [0.5, 0.08, 0.2, 0.22] if feminine > 0.5 else [0.4, 0.36, 0.06, 0.18]
    color = fashion_color(rng, dark=0.15, light=0.15)
    accent = contrasting(rng, color)
    kind = str(rng.choice(["scarf", "tie", "necklace", "bandana"], p=shares))
    return Neckwear(kind, np.float32(color), np.float32(accent), rng.uniform(0.1, 0.2), int(rng.choice([-1, 1])))


def bag_center(figure: Figure, bag: Bag) -> np.ndarray:
    """Pixel (2,) of the middle of the bag's top edge."""
    if bag.kind == "hand":
        wrist = figure.arm_line(bag.side)[-1]
        return wrist + (figure.hand_direction(bag.side) * 0.05 + (0.0, 0.05)) * figure.unit
    reach = figure.trunk.half_width(0.0)
    x, h = (1.05, 0.0) if bag.kind == "cross" else (1.25, 0.1)
    return figure.point(bag.side * reach * x, h)


def paint_bag_strap(canvas: Canvas, figure: Figure, bag: Bag, label: int) -> None:
    """Paints what lies on the torso: the strap of a cross-body or a shoulder bag."""
    if bag.kind == "hand":
        return
    top = bag_center(figure, bag)
    if bag.kind == "cross":
        over = -bag.side
        points = [
            figure.point(over * 0.062, SHOULDER + 0.022),
            figure.point(over * 0.03, 0.2),
            figure.point(bag.side * 0.045, 0.1),
            top,
        ]
    else:
        points = [figure.point(bag.side * 0.08, SHOULDER + 0.016), figure.point(bag.side * 0.088, 0.23), top]
    canvas.paint(
        ribbon(smooth(points, closed=False), 0.0085 * figure.unit),
        bag.color * 0.85,
        label,
        bulge=0.004 * figure.unit,
        shadow=0.3,
    )


def paint_bag(canvas: Canvas, figure: Figure, bag: Bag, label: int) -> None:
    """Paints the bag's body, its flap and, where it is held, its handle."""
    unit = figure.unit
    top = bag_center(figure, bag)
    swing = rotation(0.0 if bag.kind == "hand" else 0.12 * -bag.side)
    width, height = bag.width * unit, bag.height * unit * 1.15

    def place(points: list[tuple[float, float]]) -> np.ndarray:
        return top + (np.array(points) * (width, height)) @ swing.T

    if bag.kind == "hand":
        wrist = top - (0.0, 0.042 * unit)
        arc = smooth(
            [
                place([(-0.55, 0.05)])[0],
                between(place([(-0.45, 0)])[0], wrist, 0.7),
                wrist,
                between(place([(0.45, 0)])[0], wrist, 0.7),
                place([(0.55, 0.05)])[0],
            ],
            closed=False,
        )
        canvas.paint(ribbon(arc, 0.0055 * unit), bag.color * 0.8, label)
    body = smooth(place([(-0.86, 0.0), (0.86, 0.0), (1.0, 0.9), (0.9, 1.0), (-0.9, 1.0), (-1.0, 0.9)]), steps=4)
    canvas.paint([body], bag.color, label, bulge=0.014 * unit, shadow=0.35)
    flap = smooth(place([(-0.88, 0.02), (0.88, 0.02), (0.9, 0.4), (0.0, 0.56), (-0.9, 0.4)]), steps=4)
    canvas.paint([flap], bag.color * 0.86, bulge=0.006 * unit)
    canvas.paint([ellipse(place([(0.0, 0.52)])[0], 0.011 * unit, 0.008 * unit)], bag.metal)


def paint_neckwear(canvas: Canvas, figure: Figure, neckwear: Neckwear, label: int) -> None:
    """Paints neckwear over the garments."""
    {"scarf": _paint_scarf, "tie": _paint_tie, "necklace": _paint_necklace, "bandana": _paint_bandana}[neckwear.kind](
        canvas, figure, neckwear, label
    )


def _paint_scarf(canvas: Canvas, figure: Figure, scarf: Neckwear, label: int) -> None:
    unit, neck = figure.unit, figure.body.neck
    for side, length, x in ((scarf.side, scarf.length, 0.03), (scarf.side, scarf.length * 0.75, 0.012)):
        tail = np.stack(
            [
                figure.point(side * x, NECK - 0.02),
                figure.point(side * (x + 0.008), NECK - 0.5 * scarf.length),
                figure.point(side * (x + 0.005), NECK - length - 0.03),
            ]
        )
        widths = np.interp(np.linspace(0, 1, 13), [0, 1], [0.014, 0.021]) * unit
        line = smooth(tail, closed=False)
        canvas.paint(ribbon(line, widths, round_ends=False), scarf.color * 0.95, label, bulge=0.012 * unit, shadow=0.35)
        for back in (2, 3):
            end = line[-back]
            canvas.paint(
                ribbon(
                    np.stack([moved(end, -widths[-1], 0), moved(end, widths[-1], 0)]), 0.0035 * unit, round_ends=False
                ),
                scarf.accent,
            )
    center = figure.camera(figure.trunk.center(NECK + 0.006))
    loop = ellipse(center, neck * 2.0 * unit, 0.027 * unit, figure.posture.shoulder_tilt)
    canvas.paint([loop], scarf.color, label, bulge=0.014 * unit, shadow=0.35)
    folds = [
        smooth(
            [center + np.array([x, y + bend]) * unit for x, bend in ((-0.05, -0.004), (0.0, 0.006), (0.05, -0.004))],
            closed=False,
        )
        for y in (-0.009, 0.004, 0.014)
    ]
    canvas.crease(folds, 0.004 * unit, 0.35, label)


def _paint_tie(canvas: Canvas, figure: Figure, tie: Neckwear, label: int) -> None:
    knot, end = NECK - 0.032, CHEST - tie.length * 0.75
    blade = [
        (0.006, knot - 0.008),
        (0.0165, end + 0.02),
        (0.0, end - 0.01),
        (-0.0165, end + 0.02),
        (-0.006, knot - 0.008),
    ]
    unit = figure.unit
    canvas.paint([np.stack([figure.point(x, h) for x, h in blade])], tie.color, label, bulge=0.006 * unit, shadow=0.3)
    for h in np.arange(end + 0.03, knot - 0.02, 0.022):
        stripe = np.stack([figure.point(-0.011, h - 0.006), figure.point(0.011, h + 0.006)])
        canvas.paint(ribbon(stripe, 0.0024 * unit, round_ends=False), tie.accent, opacity=0.8)
    top = [(-0.012, knot + 0.014), (0.012, knot + 0.014), (0.0085, knot - 0.01), (-0.0085, knot - 0.01)]
    canvas.paint([np.stack([figure.point(x, h) for x, h in top])], tie.color * 0.9, label, bulge=0.004 * unit)


def _paint_necklace(canvas: Canvas, figure: Figure, necklace: Neckwear, label: int) -> None:
    reach = figure.body.neck
    drop = 0.04 + 0.25 * necklace.length
    line = smooth(
        [figure.point(x * reach * 1.25, NECK + 0.004 - drop * (1 - x * x)) for x in (-1, -0.6, 0, 0.6, 1)], closed=False
    )
    canvas.paint(ribbon(line, 0.0052 * figure.unit), necklace.accent, label, shadow=0.3)
    canvas.paint(
        [ellipse(line[len(line) // 2] + (0, 0.008 * figure.unit), 0.014 * figure.unit, 0.014 * figure.unit)],
        np.float32([214, 178, 84]),
        label,
    )


def _paint_bandana(canvas: Canvas, figure: Figure, bandana: Neckwear, label: int) -> None:
    """A neckerchief: a band around the neck and a triangle in front."""
    reach, unit = figure.body.neck, figure.unit
    triangle = [
        (-1.35 * reach, NECK + 0.008),
        (0.0, NECK - 0.012),
        (1.35 * reach, NECK + 0.008),
        (0.5 * reach, NECK - 0.05),
        (0.0, NECK - 0.085),
        (-0.5 * reach, NECK - 0.05),
    ]
    canvas.paint(
        [smooth([figure.point(x, h) for x, h in triangle], steps=4)],
        bandana.color,
        label,
        bulge=0.01 * unit,
        shadow=0.35,
    )
    for x, h in ((0.0, -0.03), (-0.6, -0.02), (0.6, -0.02), (0.0, -0.06)):
        canvas.paint([ellipse(figure.point(x * reach, NECK + h), 0.0042 * unit, 0.0042 * unit)], bandana.accent)
    band = np.stack([figure.spine(x * reach * 1.1, NECK + 0.012) for x in (-1, 0, 1)])
    canvas.paint(ribbon(band, 0.01 * unit), bandana.color * 0.93, label, bulge=0.005 * unit)
