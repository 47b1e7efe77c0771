"""Bags and neckwear."""

import numpy as np

from seg_vton.data.paper_doll.body import CHEST, NECK, SHOULDER, Figure
from seg_vton.data.paper_doll.canvas import Canvas
from seg_vton.data.paper_doll.lots import contrasting, fashion_color, pick
from seg_vton.data.paper_doll.shapes import between, curve, rotation, smooth

_GOLD = np.float32([212, 178, 92])


class Bag:
    """A bag: `kind` is hand (held), cross (strap across the torso) or shoulder; `side` is where it hangs."""

    def __init__(self, rng: np.random.Generator, free: list[int]) -> None:
        """`free` has the sides of the hands that can hold a bag."""
        self.kind = pick(rng, hand=0.5, cross=0.3, shoulder=0.2) if free else "cross"
        self.side = int(rng.choice(free or [-1, 1]))
        self.width = rng.uniform(0.055, 0.085)
        self.color = np.float32(fashion_color(rng, dark=0.35, light=0.1))
        self.height = self.width * rng.uniform(0.7, 1.05)

    def _top(self, figure: Figure) -> np.ndarray:
        """Pixel (2,) of the middle of the bag's top edge."""
        if self.kind == "hand":
            wrist = figure.pixels(figure.arms[self.side].wrist)
            return wrist + (figure.hand_direction(self.side) * 0.05 + (0.0, 0.05)) * figure.unit
        x, h = (1.05, 0.0) if self.kind == "cross" else (1.25, 0.1)
        return figure.point(self.side * figure.trunk.half_width(0.0) * x, h)

    def paint_strap(self, canvas: Canvas, figure: Figure) -> None:
        """Paints what lies on the torso: the strap of a cross-body or a shoulder bag."""
        if self.kind == "hand":
            return
        strap = [(self.side * 0.08, SHOULDER + 0.016), (self.side * 0.088, 0.23)]
        if self.kind == "cross":
            strap = [(-self.side * 0.062, SHOULDER + 0.022), (-self.side * 0.03, 0.2), (self.side * 0.045, 0.1)]
        line = curve([*figure.points(strap), self._top(figure)])
        canvas.stroke(line, 0.0085, self.color * 0.85, "bag", bulge=0.004, shadow=0.3)

    def paint(self, canvas: Canvas, figure: Figure) -> None:
        """Paints the bag's body, its flap and, where it is held, its handle."""
        top, unit = self._top(figure), figure.unit
        swing = rotation(0.0 if self.kind == "hand" else 0.12 * -self.side)
        size = (self.width * unit, self.height * unit * 1.15)

        def place(*points: tuple[float, float]) -> np.ndarray:
            return top + (np.array(points) * size) @ swing.T

        if self.kind == "hand":
            wrist = top - (0.0, 0.042 * unit)
            start, left, right, end = place((-0.55, 0.05), (-0.45, 0), (0.45, 0), (0.55, 0.05))
            arc = curve([start, between(left, wrist, 0.7), wrist, between(right, wrist, 0.7), end])
            canvas.stroke(arc, 0.0055, self.color * 0.8, "bag")
        body = smooth(place((-0.86, 0.0), (0.86, 0.0), (1.0, 0.9), (0.9, 1.0), (-0.9, 1.0), (-1.0, 0.9)), steps=4)
        canvas.paint([body], self.color, "bag", bulge=0.014, shadow=0.35)
        flap = smooth(place((-0.88, 0.02), (0.88, 0.02), (0.9, 0.4), (0.0, 0.56), (-0.9, 0.4)), steps=4)
        canvas.paint([flap], self.color * 0.86, bulge=0.006)
        canvas.oval(place((0.0, 0.52))[0], (0.011, 0.008), _GOLD)


class Neckwear:
    """Neckwear over the garments: `kind` is scarf, tie, necklace or bandana."""

    def __init__(self, rng: np.random.Generator, feminine: float) -> None:
        color = fashion_color(rng, dark=0.15, light=0.15)
        self.color, self.accent = np.float32(color), np.float32(contrasting(rng, color))
        if feminine > 0.5:
            self.kind = pick(rng, scarf=0.5, tie=0.08, necklace=0.2, bandana=0.22)
        else:
            self.kind = pick(rng, scarf=0.4, tie=0.36, necklace=0.06, bandana=0.18)
        self.length = rng.uniform(0.1, 0.2)
        self.side = int(rng.choice([-1, 1]))

    def paint(self, canvas: Canvas, figure: Figure) -> None:
        """Paints it."""
        getattr(self, f"_paint_{self.kind}")(canvas, figure)

    def _paint_scarf(self, canvas: Canvas, figure: Figure) -> None:
        unit = figure.unit
        widths = np.linspace(0.014, 0.021, 13)
        for length, x in ((self.length, 0.03), (self.length * 0.75, 0.012)):
            tail = [(x, NECK - 0.02), (x + 0.008, NECK - 0.5 * self.length), (x + 0.005, NECK - length - 0.03)]
            line = curve(figure.points((self.side * x, h) for x, h in tail))
            canvas.stroke(line, widths, self.color * 0.95, "neckwear", round_ends=False, bulge=0.012, shadow=0.35)
            for back in (-2, -3):
                stripe = line[back] + np.array([[-widths[-1] * unit, 0], [widths[-1] * unit, 0]])
                canvas.stroke(stripe, 0.0035, self.accent, round_ends=False)
        center = figure.pixels(figure.trunk.center(NECK + 0.006))
        loop = (figure.body.neck * 2.0, 0.027)
        tilt = figure.posture.shoulder_tilt
        canvas.oval(center, loop, self.color, "neckwear", angle=tilt, bulge=0.014, shadow=0.35)
        bends = ((-0.05, -0.004), (0.0, 0.006), (0.05, -0.004))
        folds = [center + np.array([(x, y + bend) for x, bend in bends]) * unit for y in (-0.009, 0.004, 0.014)]
        canvas.crease([curve(fold) for fold in folds], 0.004, 0.35, "neckwear")

    def _paint_tie(self, canvas: Canvas, figure: Figure) -> None:
        knot, end = NECK - 0.032, CHEST - self.length * 0.75
        blade = [(0.006, knot - 0.008), (0.0165, end + 0.02), (0.0, end - 0.01), (-0.0165, end + 0.02)]
        blade = figure.points([*blade, (-0.006, knot - 0.008)])
        canvas.paint([blade], self.color, "neckwear", bulge=0.006, shadow=0.3)
        for h in np.arange(end + 0.03, knot - 0.02, 0.022):
            stripe = figure.points([(-0.011, h - 0.006), (0.011, h + 0.006)])
            canvas.stroke(stripe, 0.0024, self.accent, round_ends=False, opacity=0.8)
        top = [(-0.012, knot + 0.014), (0.012, knot + 0.014), (0.0085, knot - 0.01), (-0.0085, knot - 0.01)]
        canvas.paint([figure.points(top)], self.color * 0.9, "neckwear", bulge=0.004)

    def _paint_necklace(self, canvas: Canvas, figure: Figure) -> None:
        reach, drop = figure.body.neck, 0.04 + 0.25 * self.length
        chain = [(x * reach * 1.25, NECK + 0.004 - drop * (1 - x * x)) for x in (-1, -0.6, 0, 0.6, 1)]
        line = curve(figure.points(chain))
        canvas.stroke(line, 0.0052, self.accent, "neckwear", shadow=0.3)
        pendant = line[len(line) // 2] + (0, 0.008 * figure.unit)
        canvas.oval(pendant, (0.014, 0.014), np.float32([214, 178, 84]), "neckwear")

    def _paint_bandana(self, canvas: Canvas, figure: Figure) -> None:
        """A neckerchief: a band around the neck and a triangle in front."""
        reach = figure.body.neck
        corners = ((-1.35, 0.008), (0.0, -0.012), (1.35, 0.008), (0.5, -0.05), (0.0, -0.085), (-0.5, -0.05))
        triangle = smooth(figure.points((x * reach, NECK + h) for x, h in corners), steps=4)
        canvas.paint([triangle], self.color, "neckwear", bulge=0.01, shadow=0.35)
        dots = ((0.0, -0.03), (-0.6, -0.02), (0.6, -0.02), (0.0, -0.06))
        for dot in figure.points((x * reach, NECK + h) for x, h in dots):
            canvas.oval(dot, (0.0042, 0.0042), self.accent)
        band = np.stack([figure.spine(x * reach * 1.1, NECK + 0.012) for x in (-1, 0, 1)])
        canvas.stroke(band, 0.01, self.color * 0.93, "neckwear", bulge=0.005)
