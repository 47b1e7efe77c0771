"""Head: face, hair, eyeglasses and headwear. Points are (x, y) as in `Figure.head`."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from seg_vton.data.paper_doll.body import SIDES, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Patch
from seg_vton.data.paper_doll.lots import fashion_color, pick
from seg_vton.data.paper_doll.shapes import Point, Polygons, curve, ellipse, ribbon, rotation, smooth

SKIN_TONES = np.float32(
    [[247, 219, 196], [240, 204, 176], [228, 184, 150], [210, 161, 122], [184, 132, 94], [150, 102, 70],
     [112, 74, 52], [84, 56, 42]]
)  # fmt: skip
HAIR_TONES = np.float32(
    [[28, 24, 24], [48, 36, 30], [82, 56, 38], [118, 80, 48], [160, 116, 66], [206, 168, 104], [230, 204, 150],
     [150, 70, 36], [176, 174, 172], [96, 44, 60], [60, 70, 110]]
)  # fmt: skip
_HAIR_WEIGHTS = np.array([0.2, 0.16, 0.15, 0.12, 0.09, 0.08, 0.06, 0.05, 0.05, 0.02, 0.02])
_FEMININE_STYLES = dict(short=0.08, bob=0.18, long=0.27, wavy=0.17, bun=0.1, ponytail=0.12, afro=0.08)
_MASCULINE_STYLES = dict(bald=0.06, short=0.46, quiff=0.28, bob=0.03, long=0.04, wavy=0.03, bun=0.02, afro=0.08)

_HAIRLINES = {  # beside the face, from below, and the height above the crown
    "short": ((1.07, 0.42), (1.1, 0.7), 0.0),
    "quiff": ((1.05, 0.44), (1.1, 0.75), 0.1),
    "bob": ((1.2, -0.1), (1.2, 0.5), 0.0),
    "long": ((1.2, 0.0), (1.16, 0.6), 0.0),
    "wavy": ((1.36, -0.1), (1.3, 0.5), 0.03),
    "bun": ((1.05, 0.45), (1.08, 0.7), 0.0),
    "ponytail": ((1.05, 0.45), (1.08, 0.7), 0.0),
    "afro": ((1.25, 0.42), (1.5, 0.75), 0.28),
}


def _mirrored(left: Sequence[Point], *middle: Point) -> list[Point]:
    """Points on the left, in the middle and, backwards, on the right."""
    return [*left, *middle, *((-x, y) for x, y in reversed(left))]


def _stroke(
    canvas: Canvas, figure: Figure, points: Sequence[Point], turn: float, half_width: float, *args: Any, **options: Any
) -> None:
    """Paints a curve through points on the head, `half_width` in head half-widths."""
    line = curve(figure.head(points, turn))
    canvas.stroke(line, half_width * figure.body.head_width, *args, **options)


class Looks:
    """Skin, face and hair of one person.

    Attributes:
        skin, hair, lips, iris: RGB.
        style: bald or one of `_HAIRLINES`.
        hair_length: height (in statures above the hips) where long hair ends.
        strands: sides (-1, 1) where long hair falls in front of the shoulder.
        part: place of the parting, -0.5 to 0.5 head half-widths.
        fringe: whether hair covers the forehead.
        beard: strength of a beard, 0 for none.
    """

    def __init__(self, rng: np.random.Generator, feminine: bool) -> None:
        tone = rng.uniform(0, len(SKIN_TONES) - 1)
        low = int(tone)
        skin = SKIN_TONES[low] * (low + 1 - tone) + SKIN_TONES[min(low + 1, len(SKIN_TONES) - 1)] * (tone - low)
        blush = np.float32([30, -18, -14] if feminine else [8, -14, -12])
        self.skin, self.lips = np.float32(skin), np.clip(skin * 0.8 + blush, 0, 255).astype(np.float32)
        self.hair = HAIR_TONES[rng.choice(len(HAIR_TONES), p=_HAIR_WEIGHTS)] * np.float32(rng.uniform(0.9, 1.1))
        self.style = pick(rng, **(_FEMININE_STYLES if feminine else _MASCULINE_STYLES))
        self.hair_length = rng.uniform(0.16, 0.3)
        self.strands = [side for side in SIDES if rng.random() < 0.55]
        self.part = rng.uniform(-0.5, 0.5)
        self.fringe = rng.random() < 0.3
        self.iris = np.float32([[62, 44, 32], [70, 100, 130], [84, 104, 66]])[rng.choice(3, p=[0.6, 0.25, 0.15])]
        self.beard = 0.0 if feminine or rng.random() < 0.65 else rng.uniform(0.3, 0.85)
        self._seed = int(rng.integers(1 << 31))

    def paint_face(self, canvas: Canvas, figure: Figure) -> None:
        """Paints the head with ears, beard, eyes, brows, nose and mouth."""
        reach, skin = figure.body.head_width, self.skin
        angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        y = 0.52 - 0.5 * np.sin(angle)
        x = np.cos(angle) * (1 - 0.24 * np.clip((0.5 - y) / 0.5, 0, 1) ** 1.6)  # narrow at the jaw
        places = [figure.head((side * 0.98, 0.46), -0.12) for side in SIDES if side != figure.far_ear]
        radii = 0.15 * reach * figure.unit, 0.25 * reach * figure.unit
        ears = [ellipse(place, *radii, figure.posture.head_tilt) for place in places]
        skull = figure.head(np.stack([x, y], axis=1))
        canvas.paint([skull, *ears], skin, "face", bulge=0.3 * reach, shadow=0.5)
        if self.beard:
            outer = _mirrored([(-0.97, 0.42), (-0.9, 0.2), (-0.55, 0.03)], (0.0, -0.02))
            inner = _mirrored([(0.78, 0.36), (0.5, 0.25), (0.3, 0.27)], (0.0, 0.265))
            beard = np.concatenate([figure.head(outer, 0.1), figure.head(inner, 0.7)])
            canvas.paint([beard], self.hair * 0.9, opacity=self.beard * 0.8)
        cheek = np.clip(skin + np.float32([14, -14, -8]), 0, 255)
        for side in SIDES:
            canvas.oval(figure.head((side * 0.5, 0.3), 0.7), (0.2 * reach, 0.15 * reach), cheek, opacity=0.3)
            self._paint_eye(canvas, figure, side)
        shaded = 1 if canvas.light[0] < 0 else -1
        tip = figure.head([(0.15 * shaded, 0.35), (-0.02, 0.325)], 1.0)
        nose = np.stack([figure.head((0.1 * shaded, 0.48), 0.9), *tip])
        canvas.stroke(curve(nose), 0.035 * reach, skin * 0.74, opacity=0.7)
        upper = [*_mirrored([(-0.27, 0.211), (-0.1, 0.225)], (0.0, 0.214)), (0.0, 0.183)]
        lower = [(-0.25, 0.209), (0.0, 0.188), (0.25, 0.209), (0.13, 0.162), (0.0, 0.15), (-0.13, 0.162)]
        canvas.paint([figure.head(lower, 0.95)], self.lips)
        canvas.paint([figure.head(upper, 0.95)], self.lips * 0.86)

    def _paint_eye(self, canvas: Canvas, figure: Figure, side: int) -> None:
        reach, made_up = figure.body.head_width, figure.body.feminine > 0.5
        center = figure.head((side * 0.42, 0.5), 0.85)
        narrow = reach * (1 - 0.35 * max(0.0, side * np.sin(figure.posture.head_yaw)))
        white = np.float32([244, 243, 240])
        canvas.oval(center, (0.2 * narrow, 0.1 * reach), white, angle=figure.head_angle)
        canvas.oval(center, (0.095 * narrow, 0.1 * reach), self.iris)
        canvas.oval(center, (0.045 * reach, 0.05 * reach), np.float32([12, 10, 10]))
        lid = [(side * 0.42 + x, 0.5 + y) for x, y in ((-0.23, 0.0), (0.0, 0.052), (0.23, 0.004))]
        _stroke(canvas, figure, lid, 0.85, 0.035, np.float32([44, 30, 26]) if made_up else self.skin * 0.45)
        brow = [(side * (0.42 + x), 0.5 + y) for x, y in ((-0.24, 0.1), (0.02, 0.135), (0.27, 0.105))]
        _stroke(canvas, figure, brow, 0.85, 0.035 if made_up else 0.055, self.hair * 0.75, opacity=0.8)

    def _paint_hair(self, canvas: Canvas, polygons: Polygons, pad: int = 8, shadow: float = 0.3) -> None:
        """Fills a region with hair: streaks along the head's axis."""

        def streaked(patch: Patch) -> np.ndarray:
            height, width = patch.alpha.shape
            rng = np.random.default_rng([self._seed, width, height])
            streaks = rng.normal(1.0, 0.2, (4, max(2, width // 2))).astype(np.float32)
            streaks = cv2.resize(streaks, (width, height), interpolation=cv2.INTER_LINEAR)
            return np.clip(self.hair * streaks[..., None] + 6, 4, 250)

        canvas.paint(polygons, streaked, "hair", pad=pad, bulge=0.022, shadow=shadow)

    def paint_hair_behind(self, canvas: Canvas, figure: Figure) -> None:
        """Paints the hair that lies behind the neck and the shoulders."""
        reach, crown = figure.body.head_width, [(-0.8, 0.98), (0.0, 1.06), (0.8, 0.98)]
        if self.style == "bob":
            outline = figure.head([*_mirrored([(-1.24, -0.12), (-1.2648, 0.5)], *crown), (0.0, -0.06)])
        elif self.style in ("long", "wavy"):
            width, end = 1.3 if self.style == "long" else 1.55, self.hair_length
            low = [(1.12, end + 0.06), (0.85, end), (0, end - 0.01), (-0.85, end), (-1.12, end + 0.06)]
            down = figure.points((x * width * reach, h) for x, h in low)
            sides = _mirrored([(-width * 0.98, 0.35), (-width * 0.96, 0.6)], *crown)
            outline = np.concatenate([figure.head(sides), down])
        elif self.style == "ponytail":
            outline = figure.head([(0.2, 0.8), (1.1, 0.62), (1.28, 0.1), (1.0, -0.3), (0.8, 0.1), (0.5, 0.5)])
        elif self.style in ("afro", "bun"):
            y, wide, high = (0.66, 1.62, 1.5) if self.style == "afro" else (1.12, 0.48, 0.44)
            outline = ellipse(figure.head((0.0, y)), wide * reach * figure.unit, high * reach * figure.unit)
        else:
            return
        self._paint_hair(canvas, [smooth(outline, steps=3)], shadow=0.0)

    def paint_hair_front(self, canvas: Canvas, figure: Figure) -> None:
        """Paints the hair on the skull and beside the face."""
        if self.style == "bald":
            return
        (low_x, low_y), (high_x, high_y), volume = _HAIRLINES[self.style]
        crown = [(-0.78, 1.0 + volume), (0.0, 1.055 + volume), (0.78, 1.0 + volume)]
        outline = _mirrored([(-low_x, low_y), (-high_x, high_y)], *crown)
        x, right, left = (
            (0.94, low_y * 0.5 + 0.16, high_y * 0.5 + 0.16) if low_y > 0.2 else (0.9, low_y - 0.5, high_y - 0.5)
        )
        forehead = 0.6 if self.fringe else 0.77
        front = [(0.55, forehead), (self.part, forehead + 0.06), (-0.55, forehead)]
        front = [(x, right), (0.86, 0.63), *front, (-0.86, 0.63), (-x, left)]
        edges = [curve(figure.head(points, turn)) for points, turn in ((outline, 0.0), (front, 0.25))]
        self._paint_hair(canvas, [np.concatenate(edges)])
        if self.style not in ("long", "wavy"):
            return
        wide, reach = 1.25 if self.style == "wavy" else 1.0, figure.body.head_width
        for side in self.strands:  # over the front of a shoulder
            upper = figure.head([(side * 1.02 * wide, 0.36), (side * 1.08 * wide, -0.05)])
            lower = [(side * reach * 1.25, self.hair_length + 0.08), (side * reach * 1.05, self.hair_length - 0.01)]
            line = curve([*upper, *figure.points(lower)])
            widths = np.interp(np.linspace(0, 1, len(line)), [0, 0.5, 0.85, 1], [0.12, 0.34, 0.3, 0.06])
            self._paint_hair(canvas, ribbon(line, widths * reach * figure.unit * wide), pad=6)


class Eyewear:
    """Sunglasses or glasses: `kind` is round, square or aviator."""

    def __init__(self, rng: np.random.Generator) -> None:
        sun = rng.random() < 0.65
        tints = np.float32([[26, 28, 34], [70, 44, 26], [40, 60, 84]])
        frames = np.float32([[22, 22, 24], [92, 56, 30], [196, 160, 84], [150, 30, 36]])
        self.lens = tints[rng.integers(3)] if sun else np.float32([225, 235, 240])
        self.frame = frames[rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])]
        self.kind = str(rng.choice(["round", "square", "aviator"]))
        self.opacity = rng.uniform(0.8, 0.96) if sun else 0.25
        self.size = rng.uniform(0.36, 0.43)

    def paint(self, canvas: Canvas, figure: Figure) -> None:
        """Paints the glasses; the lenses count as part of them."""
        width, size = 0.05 * figure.body.head_width, self.size * figure.body.head_width
        canvas.stroke(figure.head([(-0.15, 0.52), (0.15, 0.52)], 0.9), width, self.frame, "eyeglass")
        for side in SIDES:
            temple = np.stack([figure.head((side * 0.78, 0.53), 0.8), figure.head((side * 1.0, 0.51))])
            canvas.stroke(temple, width, self.frame, "eyeglass")
            center = figure.head((side * 0.45, 0.49), 0.85)
            outer, inner = (self._lens(figure, side, center, size * figure.unit * grow) for grow in (1.0, 0.8))
            canvas.paint([outer], self.frame, "eyeglass", opacity=0.0)
            canvas.paint([inner], self.lens, opacity=self.opacity)
            canvas.stroke(np.concatenate([inner, inner[:1]]), 0.1 * size, self.frame)
            glint = center + np.array([[-0.35, 0.1], [-0.05, -0.35]]) * (size * figure.unit)
            canvas.stroke(glint, 0.06 * size, np.float32([255, 255, 255]), opacity=0.35)

    def _lens(self, figure: Figure, side: int, center: np.ndarray, height: float) -> np.ndarray:
        """Outline of one lens, of half-height `height`; center and height are in pixels."""
        width = height * (1 - 0.3 * max(0.0, side * np.sin(figure.posture.head_yaw)))
        if self.kind == "round":
            return ellipse(center, width, height * 0.92, figure.head_angle)
        corners = {
            "square": [(-1, -0.62), (1, -0.7), (0.95, 0.6), (-0.9, 0.6)],
            "aviator": [(-0.85, -0.65), (1, -0.7), (1.02, 0.0), (0.45, 0.9), (-0.5, 0.75), (-0.9, 0.0)],
        }[self.kind]
        points = np.array([(side * x * width, y * height) for x, y in corners])
        return smooth(center + points @ rotation(figure.head_angle).T, steps=4)


_HAT_CROWNS = {
    "beanie": [*_mirrored([(-1.14, 0.62), (-1.16, 0.85), (-0.85, 1.16)], (0, 1.27)), (0, 0.7)],
    "cap": [*_mirrored([(-1.1, 0.66), (-1.12, 0.85), (-0.8, 1.1)], (0, 1.18)), (0, 0.74)],
    "fedora": [*_mirrored([(-1, 0.72), (-1, 1), (-0.72, 1.3)], (-0.25, 1.24), (0.2, 1.25)), (0, 0.76)],
}
_VISOR = [
    *_mirrored([(-0.98, 0.74), (-0.5, 0.8)], (0.0, 0.82)), *_mirrored([(0.9, 0.63), (0.4, 0.585)], (0.0, 0.575)),
]  # fmt: skip


class Headwear:
    """A hat over the hair: `kind` is beanie, cap, fedora or headband."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.color = np.float32(fashion_color(rng, dark=0.3, light=0.2))
        self.trim = self.color * 0.6 if rng.random() < 0.5 else np.float32(fashion_color(rng))
        self.kind = pick(rng, beanie=0.3, cap=0.32, fedora=0.28, headband=0.1)

    def paint(self, canvas: Canvas, figure: Figure) -> None:
        """Paints it."""
        reach = figure.body.head_width
        if self.kind == "headband":
            band = _mirrored([(-1.1, 0.62), (-0.6, 0.78)], (0.0, 0.82))
            _stroke(canvas, figure, band, 0.2, 0.14, self.color, "headwear", bulge=0.009, shadow=0.3)
            return
        crown = smooth(figure.head(_HAT_CROWNS[self.kind]), steps=4)
        canvas.paint([crown], self.color, "headwear", bulge=0.03, shadow=0.35)
        if self.kind == "beanie":
            fold = _mirrored([(-1.12, 0.68), (-0.5, 0.77)], (0.0, 0.79))
            _stroke(canvas, figure, fold, 0.15, 0.2, self.trim, "headwear", bulge=0.012, shadow=0.25)
            ribs = [figure.head([(x, 0.86), (x * 0.75, 1.18)]) for x in np.linspace(-0.9, 0.9, 7)]
            canvas.crease(ribs, 0.06 * reach, 0.2, "headwear")
        elif self.kind == "cap":
            visor = smooth(figure.head(_VISOR, 0.8), steps=4)
            canvas.paint([visor], self.trim, "headwear", bulge=0.014, shadow=0.4)
            seam = np.stack([figure.head((0.0, 0.84), 0.5), figure.head((0.0, 1.17), 0.1)])
            canvas.crease([seam], 0.05 * reach, 0.2, "headwear")
            canvas.oval(figure.head((0.0, 1.175)), (0.08 * reach, 0.06 * reach), self.trim)
        else:
            center, brim = figure.head((0.0, 0.74), 0.1), (1.85 * reach, 0.36 * reach)
            color = self.color * 0.95
            canvas.oval(center, brim, color, "headwear", angle=figure.head_angle, bulge=0.018, shadow=0.45)
            _stroke(canvas, figure, [(-1.0, 0.86), (0.0, 0.8), (1.0, 0.86)], 0.1, 0.13, self.trim, "headwear")
