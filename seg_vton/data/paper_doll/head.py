"""Head: face, hair, eyeglasses and headwear."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from seg_vton.data.paper_doll.body import SIDES, Body, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Patch, rasterize
from seg_vton.data.paper_doll.lots import fashion_color
from seg_vton.data.paper_doll.shapes import Point, ellipse, moved, ribbon, smooth

SKIN_TONES = np.float32(
    [
        [247, 219, 196],
        [240, 204, 176],
        [228, 184, 150],
        [210, 161, 122],
        [184, 132, 94],
        [150, 102, 70],
        [112, 74, 52],
        [84, 56, 42],
    ]
)
HAIR_TONES = np.float32(
    [[28, 24, 24], [48, 36, 30], [82, 56, 38], [118, 80, 48], [160, 116, 66], [206, 168, 104], [230, 204, 150],
     [150, 70, 36], [176, 174, 172], [96, 44, 60], [60, 70, 110]]
)  # fmt: skip
_HAIR_WEIGHTS = np.array([0.2, 0.16, 0.15, 0.12, 0.09, 0.08, 0.06, 0.05, 0.05, 0.02, 0.02])


@dataclass(frozen=True)
class Looks:
    """Skin, face and hair of one person.

    Attributes:
        skin: RGB.
        hair: RGB.
        style: bald, short, quiff, bob, long, wavy, bun, ponytail, or afro.
        hair_length: height (in statures above the hips) where long hair ends.
        strands: sides (-1, 1) where long hair falls in front of the shoulder.
        part: place of the parting, -0.5 to 0.5 head half-widths.
        fringe: whether hair covers the forehead.
        lips: RGB.
        iris: RGB.
        beard: strength of a beard, 0 for none.
        seed: of the strands.
    """

    skin: np.ndarray
    hair: np.ndarray
    style: str
    hair_length: float
    strands: tuple[int, ...]
    part: float
    fringe: bool
    lips: np.ndarray
    iris: np.ndarray
    beard: float
    seed: int


@dataclass(frozen=True)
class Eyewear:
    """Glasses: `kind` is round, square or aviator; `lens` is RGB and its opacity in [0, 1]."""

    kind: str
    frame: np.ndarray
    lens: np.ndarray
    opacity: float
    size: float


@dataclass(frozen=True)
class Headwear:
    """A hat: `kind` is beanie, cap, fedora or headband."""

    kind: str
    color: np.ndarray
    trim: np.ndarray


def sample_looks(rng: np.random.Generator, body: Body) -> Looks:
    """Draws a face and a hairstyle."""
    feminine = body.feminine > 0.5
    tone = rng.uniform(0, len(SKIN_TONES) - 1)
    low = int(tone)
    skin = SKIN_TONES[low] * (low + 1 - tone) + SKIN_TONES[min(low + 1, len(SKIN_TONES) - 1)] * (tone - low)
    styles = {
        "bald": 0.0,
        "short": 0.08,
        "quiff": 0.0,
        "bob": 0.18,
        "long": 0.27,
        "wavy": 0.17,
        "bun": 0.1,
        "ponytail": 0.12,
        "afro": 0.08,
    }
    if not feminine:
        styles = {
            "bald": 0.06,
            "short": 0.46,
            "quiff": 0.28,
            "bob": 0.03,
            "long": 0.04,
            "wavy": 0.03,
            "bun": 0.02,
            "ponytail": 0.0,
            "afro": 0.08,
        }
    blush = np.float32([30, -18, -14]) if feminine else np.float32([8, -14, -12])
    return Looks(
        skin=skin.astype(np.float32),
        hair=HAIR_TONES[rng.choice(len(HAIR_TONES), p=_HAIR_WEIGHTS)] * np.float32(rng.uniform(0.9, 1.1)),
        style=str(rng.choice(list(styles), p=list(styles.values()))),
        hair_length=rng.uniform(0.16, 0.3),
        strands=tuple(side for side in SIDES if rng.random() < 0.55),
        part=rng.uniform(-0.5, 0.5),
        fringe=bool(rng.random() < 0.3),
        lips=np.clip(skin * 0.8 + blush, 0, 255).astype(np.float32),
        iris=np.float32([[62, 44, 32], [70, 100, 130], [84, 104, 66]])[rng.choice(3, p=[0.6, 0.25, 0.15])],
        beard=0.0 if feminine or rng.random() < 0.65 else rng.uniform(0.3, 0.85),
        seed=int(rng.integers(1 << 31)),
    )


def sample_eyewear(rng: np.random.Generator) -> Eyewear:
    """Draws sunglasses or glasses."""
    sun = rng.random() < 0.65
    lens = (
        np.float32([[26, 28, 34], [70, 44, 26], [40, 60, 84]])[rng.integers(3)] if sun else np.float32([225, 235, 240])
    )
    frame = np.float32([[22, 22, 24], [92, 56, 30], [196, 160, 84], [150, 30, 36]])[
        rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])
    ]
    return Eyewear(
        str(rng.choice(["round", "square", "aviator"])),
        frame,
        lens,
        rng.uniform(0.8, 0.96) if sun else 0.25,
        rng.uniform(0.36, 0.43),
    )


def sample_headwear(rng: np.random.Generator) -> Headwear:
    """Draws a hat."""
    color = np.float32(fashion_color(rng, dark=0.3, light=0.2))
    trim = color * 0.6 if rng.random() < 0.5 else np.float32(fashion_color(rng))
    return Headwear(str(rng.choice(["beanie", "cap", "fedora", "headband"], p=[0.3, 0.32, 0.28, 0.1])), color, trim)


def _on_head(figure: Figure, points: list[Point], turn: float = 0.0) -> np.ndarray:
    """Head coordinates (x in half-widths, y from chin to crown) to pixels (N, 2)."""
    return np.stack([figure.head_point(x, y, turn) for x, y in points])


def face_outline(figure: Figure, grow: float = 0.0) -> np.ndarray:
    """The outline of the face and skull as a polygon in pixels; `grow` is in half-widths."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    y = 0.52 - 0.5 * np.sin(angle)
    jaw = np.clip((0.5 - y) / 0.5, 0, 1)
    x = np.cos(angle) * (1 - 0.24 * jaw**1.6)
    points = [(x[i] * (1 + grow), 0.52 + (y[i] - 0.52) * (1 + 0.72 * grow)) for i in range(len(angle))]
    return _on_head(figure, points)


def paint_face(canvas: Canvas, figure: Figure, looks: Looks, label: int) -> None:
    """Paints the head with ears, eyes, brows, nose and mouth."""
    unit = figure.body.head_width * figure.unit
    ears = []
    for side in SIDES:
        if figure.far_ear != ("left_ear" if side > 0 else "right_ear"):
            ears.append(
                ellipse(figure.head_point(side * 0.98, 0.46, -0.12), 0.15 * unit, 0.25 * unit, figure.posture.head_tilt)
            )
    canvas.paint([face_outline(figure), *ears], looks.skin, label, bulge=0.3 * unit, shadow=0.5)
    _paint_beard(canvas, figure, looks)
    cheek = np.clip(looks.skin + np.float32([14, -14, -8]), 0, 255)
    for side in SIDES:
        canvas.paint([ellipse(figure.head_point(side * 0.5, 0.3, 0.7), 0.2 * unit, 0.15 * unit)], cheek, opacity=0.3)
        _paint_eye(canvas, figure, looks, side, unit)
    _paint_nose_and_mouth(canvas, figure, looks, unit)


def _paint_beard(canvas: Canvas, figure: Figure, looks: Looks) -> None:
    if not looks.beard:
        return
    outer = [(-0.97, 0.42), (-0.9, 0.2), (-0.55, 0.03), (0.0, -0.02), (0.55, 0.03), (0.9, 0.2), (0.97, 0.42)]
    inner = [(0.78, 0.36), (0.5, 0.25), (0.3, 0.27), (0.0, 0.265), (-0.3, 0.27), (-0.5, 0.25), (-0.78, 0.36)]
    polygon = np.concatenate([_on_head(figure, outer, 0.1), _on_head(figure, inner, 0.7)])
    canvas.paint([polygon], looks.hair * 0.9, opacity=looks.beard * 0.8)


def _paint_eye(canvas: Canvas, figure: Figure, looks: Looks, side: int, unit: float) -> None:
    center = figure.head_point(side * 0.42, 0.5, 0.85)
    tilt = figure.posture.lean + figure.posture.head_tilt
    narrow = 1 - 0.35 * max(0.0, side * np.sin(figure.posture.head_yaw))
    canvas.paint([ellipse(center, 0.2 * unit * narrow, 0.1 * unit, tilt)], np.float32([244, 243, 240]))
    canvas.paint([ellipse(center, 0.095 * unit * narrow, 0.1 * unit)], looks.iris)
    canvas.paint([ellipse(center, 0.045 * unit, 0.05 * unit)], np.float32([12, 10, 10]))
    lid = smooth(
        [figure.head_point(side * 0.42 + x, 0.5 + y, 0.85) for x, y in ((-0.23, 0.0), (0.0, 0.052), (0.23, 0.004))],
        closed=False,
    )
    canvas.paint(
        ribbon(lid, 0.035 * unit), np.float32([44, 30, 26]) if figure.body.feminine > 0.5 else looks.skin * 0.45
    )
    brow = smooth(
        [figure.head_point(side * (0.42 + x), 0.5 + y, 0.85) for x, y in ((-0.24, 0.1), (0.02, 0.135), (0.27, 0.105))],
        closed=False,
    )
    canvas.paint(ribbon(brow, (0.035 if figure.body.feminine > 0.5 else 0.055) * unit), looks.hair * 0.75, opacity=0.8)


def _paint_nose_and_mouth(canvas: Canvas, figure: Figure, looks: Looks, unit: float) -> None:
    shade_side = 1 if canvas.light[0] < 0 else -1
    nose = [
        figure.head_point(0.1 * shade_side, 0.48, 0.9),
        figure.head_point(0.15 * shade_side, 0.35, 1.0),
        figure.head_point(-0.02, 0.325, 1.0),
    ]
    canvas.paint(ribbon(smooth(nose, closed=False), 0.035 * unit), looks.skin * 0.74, opacity=0.7)
    upper = [(-0.27, 0.211), (-0.1, 0.225), (0.0, 0.214), (0.1, 0.225), (0.27, 0.211), (0.0, 0.183)]
    lower = [(-0.25, 0.209), (0.0, 0.188), (0.25, 0.209), (0.13, 0.162), (0.0, 0.15), (-0.13, 0.162)]
    canvas.paint([_on_head(figure, lower, 0.95)], looks.lips)
    canvas.paint([_on_head(figure, upper, 0.95)], looks.lips * 0.86)


def paint_hair(
    canvas: Canvas, patch: Patch | None, looks: Looks, figure: Figure, label: int, shadow: float = 0.3
) -> None:
    """Fills a covered window with hair: streaks along the head's axis."""
    if patch is None:
        return
    height, width = patch.alpha.shape
    rng = np.random.default_rng([looks.seed, width, height])
    streaks = rng.normal(1.0, 0.2, (4, max(2, width // 2))).astype(np.float32)
    streaks = cv2.resize(streaks, (width, height), interpolation=cv2.INTER_LINEAR)
    color = np.clip(looks.hair * streaks[..., None] + 6, 4, 250)
    canvas.blend(patch, color, label, bulge=0.022 * figure.unit, shadow=shadow)


def paint_hair_behind(canvas: Canvas, figure: Figure, looks: Looks, label: int) -> None:
    """Paints the hair that lies behind the neck and the shoulders."""
    polygons = {
        "bob": lambda: [_curtain(figure, 1.24, -0.12)],
        "long": lambda: [_mane(figure, looks, 1.3)],
        "wavy": lambda: [_mane(figure, looks, 1.55)],
        "afro": lambda: [
            ellipse(figure.head_point(0.0, 0.66), *(np.array([1.62, 1.5]) * figure.body.head_width * figure.unit))
        ],
        "ponytail": lambda: [
            _on_head(figure, [(0.2, 0.8), (1.1, 0.62), (1.28, 0.1), (1.0, -0.3), (0.8, 0.1), (0.5, 0.5)])
        ],
        "bun": lambda: [
            ellipse(
                figure.head_point(0.0, 1.12),
                0.48 * figure.body.head_width * figure.unit,
                0.44 * figure.body.head_width * figure.unit,
            )
        ],
    }.get(looks.style)
    if polygons is not None:
        paint_hair(
            canvas,
            rasterize([smooth(p, steps=3) for p in polygons()], canvas.size, pad=8),
            looks,
            figure,
            label,
            shadow=0.0,
        )


def _curtain(figure: Figure, width: float, bottom: float) -> np.ndarray:
    return _on_head(
        figure,
        [
            (-width, bottom),
            (-width * 1.02, 0.5),
            (-0.8, 0.98),
            (0.0, 1.06),
            (0.8, 0.98),
            (width * 1.02, 0.5),
            (width, bottom),
            (0.0, bottom + 0.06),
        ],
    )


def _mane(figure: Figure, looks: Looks, width: float) -> np.ndarray:
    """Long hair down the back, ending at `looks.hair_length`."""
    top = [
        (-width * 0.98, 0.35),
        (-width * 0.96, 0.6),
        (-0.8, 0.98),
        (0.0, 1.06),
        (0.8, 0.98),
        (width * 0.96, 0.6),
        (width * 0.98, 0.35),
    ]
    reach = width * figure.body.head_width
    low = [
        figure.point(x * reach, h)
        for x, h in (
            (1.12, looks.hair_length + 0.06),
            (0.85, looks.hair_length),
            (0, looks.hair_length - 0.01),
            (-0.85, looks.hair_length),
            (-1.12, looks.hair_length + 0.06),
        )
    ]
    return np.concatenate([_on_head(figure, top), low])


def paint_hair_front(canvas: Canvas, figure: Figure, looks: Looks, label: int) -> None:
    """Paints the hair on the skull and beside the face."""
    hairline = {
        "bald": None,
        "short": ([(-1.07, 0.42), (-1.1, 0.7)], [(1.1, 0.7), (1.07, 0.42)], 0.0),
        "quiff": ([(-1.05, 0.44), (-1.1, 0.75)], [(1.1, 0.75), (1.05, 0.44)], 0.1),
        "bob": ([(-1.2, -0.1), (-1.2, 0.5)], [(1.2, 0.5), (1.2, -0.1)], 0.0),
        "long": ([(-1.2, 0.0), (-1.16, 0.6)], [(1.16, 0.6), (1.2, 0.0)], 0.0),
        "wavy": ([(-1.36, -0.1), (-1.3, 0.5)], [(1.3, 0.5), (1.36, -0.1)], 0.03),
        "bun": ([(-1.05, 0.45), (-1.08, 0.7)], [(1.08, 0.7), (1.05, 0.45)], 0.0),
        "ponytail": ([(-1.05, 0.45), (-1.08, 0.7)], [(1.08, 0.7), (1.05, 0.45)], 0.0),
        "afro": ([(-1.25, 0.42), (-1.5, 0.75)], [(1.5, 0.75), (1.25, 0.42)], 0.28),
    }[looks.style]
    if hairline is None:
        return
    left, right, volume = hairline
    crown = [(-0.78, 1.0 + volume), (0.0, 1.055 + volume), (0.78, 1.0 + volume)]
    inner_x = 0.94 if left[0][1] > 0.2 else 0.9
    low = 0.6 if looks.fringe else 0.77
    front = [
        (inner_x, right[1][1] * 0.5 + 0.16 if left[0][1] > 0.2 else right[1][1] - 0.5),
        (0.86, 0.63),
        (0.55, low),
        (looks.part, low + 0.06),
        (-0.55, low),
        (-0.86, 0.63),
        (-inner_x, left[1][1] * 0.5 + 0.16 if left[0][1] > 0.2 else left[1][1] - 0.5),
    ]
    outline = [*left, *crown, *right]
    polygon = np.concatenate(
        [smooth(_on_head(figure, outline), closed=False), smooth(_on_head(figure, front, 0.25), closed=False)]
    )
    paint_hair(canvas, rasterize([polygon], canvas.size, pad=8), looks, figure, label)
    if looks.style in ("long", "wavy"):
        for side in looks.strands:
            _paint_strand(canvas, figure, looks, side, label)


def _paint_strand(canvas: Canvas, figure: Figure, looks: Looks, side: int, label: int) -> None:
    """Long hair that falls over the front of one shoulder."""
    wide = 1.25 if looks.style == "wavy" else 1.0
    reach = figure.body.head_width
    line = smooth(
        [
            figure.head_point(side * 1.02 * wide, 0.36),
            figure.head_point(side * 1.08 * wide, -0.05),
            figure.point(side * reach * 1.25, looks.hair_length + 0.08),
            figure.point(side * reach * 1.05, looks.hair_length - 0.01),
        ],
        closed=False,
    )
    widths = (
        np.interp(np.linspace(0, 1, len(line)), [0, 0.5, 0.85, 1], [0.12, 0.34, 0.3, 0.06]) * reach * figure.unit * wide
    )
    paint_hair(canvas, rasterize(ribbon(line, widths), canvas.size, pad=6), looks, figure, label)


def paint_eyewear(canvas: Canvas, figure: Figure, eyewear: Eyewear, label: int) -> None:
    """Paints glasses; the lenses count as part of them."""
    unit = figure.body.head_width * figure.unit
    tilt = figure.posture.lean + figure.posture.head_tilt
    size = eyewear.size * unit
    bridge = np.stack([figure.head_point(-0.15, 0.52, 0.9), figure.head_point(0.15, 0.52, 0.9)])
    canvas.paint(ribbon(bridge, 0.05 * unit), eyewear.frame, label)
    for side in SIDES:
        temple = np.stack([figure.head_point(side * 0.78, 0.53, 0.8), figure.head_point(side * 1.0, 0.51, 0.0)])
        canvas.paint(ribbon(temple, 0.05 * unit), eyewear.frame, label)
        center = figure.head_point(side * 0.45, 0.49, 0.85)
        narrow = 1 - 0.3 * max(0.0, side * np.sin(figure.posture.head_yaw))
        outer, inner = (
            _lens(eyewear.kind, center, size * narrow * grow, size * grow, tilt, side) for grow in (1.0, 0.8)
        )
        canvas.paint([outer], eyewear.frame, label, opacity=0.0)
        rim = rasterize([outer], canvas.size)
        hole = rasterize([inner], canvas.size)
        if rim is None or hole is None:
            continue
        canvas.paint([inner], eyewear.lens, opacity=eyewear.opacity)
        canvas.paint(ribbon(np.concatenate([inner, inner[:1]]), 0.1 * size), eyewear.frame)
        glint = np.stack([moved(center, -0.35 * size, 0.1 * size), moved(center, -0.05 * size, -0.35 * size)])
        canvas.paint(ribbon(glint, 0.06 * size), np.float32([255, 255, 255]), opacity=0.35)


def _lens(kind: str, center: np.ndarray, width: float, height: float, tilt: float, side: int) -> np.ndarray:
    if kind == "round":
        return ellipse(center, width, height * 0.92, tilt)
    corners = {
        "square": [(-1, -0.62), (1, -0.7), (0.95, 0.6), (-0.9, 0.6)],
        "aviator": [(-0.85, -0.65), (1, -0.7), (1.02, 0.0), (0.45, 0.9), (-0.5, 0.75), (-0.9, 0.0)],
    }[kind]
    cosine, sine = np.cos(tilt), np.sin(tilt)
    points = np.array([(side * x * width, y * height) for x, y in corners])
    return smooth(center + points @ np.array([[cosine, sine], [-sine, cosine]]), steps=4)


_HAT_CROWNS = {
    "beanie": [
        (-1.14, 0.62), (-1.16, 0.85), (-0.85, 1.16), (0, 1.27), (0.85, 1.16), (1.16, 0.85), (1.14, 0.62), (0, 0.7),
    ],
    "cap": [(-1.1, 0.66), (-1.12, 0.85), (-0.8, 1.1), (0, 1.18), (0.8, 1.1), (1.12, 0.85), (1.1, 0.66), (0, 0.74)],
    "fedora": [
        (-1, 0.72), (-1, 1), (-0.72, 1.3), (-0.25, 1.24), (0.2, 1.25), (0.72, 1.3), (1, 1), (1, 0.72), (0, 0.76),
    ],
}  # fmt: skip


def paint_headwear(canvas: Canvas, figure: Figure, hat: Headwear, label: int) -> None:
    """Paints a hat over the hair."""
    bulge = 0.03 * figure.unit
    unit = figure.body.head_width * figure.unit
    if hat.kind == "headband":
        band = smooth(
            [
                figure.head_point(x, y, 0.2)
                for x, y in ((-1.1, 0.62), (-0.6, 0.78), (0.0, 0.82), (0.6, 0.78), (1.1, 0.62))
            ],
            closed=False,
        )
        return canvas.paint(ribbon(band, 0.14 * unit), hat.color, label, bulge=bulge * 0.3, shadow=0.3)
    canvas.paint([smooth(_on_head(figure, _HAT_CROWNS[hat.kind]), steps=4)], hat.color, label, bulge=bulge, shadow=0.35)
    {"beanie": _beanie_fold, "cap": _cap_visor, "fedora": _fedora_brim}[hat.kind](canvas, figure, hat, label, unit)
    return None


def _beanie_fold(canvas: Canvas, figure: Figure, hat: Headwear, label: int, unit: float) -> None:
    fold = smooth(
        [
            figure.head_point(x, y, 0.15)
            for x, y in ((-1.12, 0.68), (-0.5, 0.77), (0.0, 0.79), (0.5, 0.77), (1.12, 0.68))
        ],
        closed=False,
    )
    canvas.paint(ribbon(fold, 0.2 * unit), hat.trim, label, bulge=0.012 * figure.unit, shadow=0.25)
    ribs = [
        np.stack([figure.head_point(x, 0.86), figure.head_point(x * 0.75, 1.18)]) for x in np.linspace(-0.9, 0.9, 7)
    ]
    canvas.crease(ribs, 0.06 * unit, 0.2, label)


def _cap_visor(canvas: Canvas, figure: Figure, hat: Headwear, label: int, unit: float) -> None:
    visor = [
        (-0.98, 0.74),
        (-0.5, 0.8),
        (0.0, 0.82),
        (0.5, 0.8),
        (0.98, 0.74),
        (0.9, 0.63),
        (0.4, 0.585),
        (0.0, 0.575),
        (-0.4, 0.585),
        (-0.9, 0.63),
    ]
    canvas.paint(
        [smooth(_on_head(figure, visor, 0.8), steps=4)], hat.trim, label, bulge=0.014 * figure.unit, shadow=0.4
    )
    seam = np.stack([figure.head_point(0.0, 0.84, 0.5), figure.head_point(0.0, 1.17, 0.1)])
    canvas.crease([seam], 0.05 * unit, 0.2, label)
    canvas.paint([ellipse(figure.head_point(0.0, 1.175), 0.08 * unit, 0.06 * unit)], hat.trim)


def _fedora_brim(canvas: Canvas, figure: Figure, hat: Headwear, label: int, unit: float) -> None:
    tilt = figure.posture.lean + figure.posture.head_tilt
    brim = ellipse(figure.head_point(0.0, 0.74, 0.1), 1.85 * unit, 0.36 * unit, tilt)
    canvas.paint([brim], hat.color * 0.95, label, bulge=0.018 * figure.unit, shadow=0.45)
    band = smooth([figure.head_point(x, y, 0.1) for x, y in ((-1.0, 0.86), (0.0, 0.8), (1.0, 0.86))], closed=False)
    canvas.paint(ribbon(band, 0.13 * unit), hat.trim, label)
