"""Head: face, hair, eyeglasses and headwear. Points are (x, y) as in `Figure.head`."""

from dataclasses import dataclass

import cv2
import numpy as np

from seg_vton.data.paper_doll.body import SIDES, Body, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Polygons, rasterize
from seg_vton.data.paper_doll.lots import fashion_color, pick
from seg_vton.data.paper_doll.shapes import Point, ellipse, ribbon, rotation, smooth

SKIN_TONES = np.float32(
    [[247, 219, 196], [240, 204, 176], [228, 184, 150], [210, 161, 122], [184, 132, 94], [150, 102, 70],
     [112, 74, 52], [84, 56, 42]]
)  # fmt: skip
HAIR_TONES = np.float32(
    [[28, 24, 24], [48, 36, 30], [82, 56, 38], [118, 80, 48], [160, 116, 66], [206, 168, 104], [230, 204, 150],
     [150, 70, 36], [176, 174, 172], [96, 44, 60], [60, 70, 110]]
)  # fmt: skip
_HAIR_WEIGHTS = np.array([0.2, 0.16, 0.15, 0.12, 0.09, 0.08, 0.06, 0.05, 0.05, 0.02, 0.02])
_FEMININE_STYLES = dict(
    bald=0.0, short=0.08, quiff=0.0, bob=0.18, long=0.27, wavy=0.17, bun=0.1, ponytail=0.12, afro=0.08
)
_MASCULINE_STYLES = dict(
    bald=0.06, short=0.46, quiff=0.28, bob=0.03, long=0.04, wavy=0.03, bun=0.02, ponytail=0.0, afro=0.08
)


@dataclass(frozen=True)
class Looks:
    """Skin, face and hair of one person."""

    skin: np.ndarray  # RGB
    hair: np.ndarray  # RGB
    style: str  # bald, short, quiff, bob, long, wavy, bun, ponytail, or afro
    hair_length: float  # height (in statures above the hips) where long hair ends
    strands: tuple[int, ...]  # sides (-1, 1) where long hair falls in front of the shoulder
    part: float  # place of the parting, -0.5 to 0.5 head half-widths
    fringe: bool  # whether hair covers the forehead
    lips: np.ndarray  # RGB
    iris: np.ndarray  # RGB
    beard: float  # strength of a beard, 0 for none
    seed: int  # of the strands


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
    blush = np.float32([30, -18, -14]) if feminine else np.float32([8, -14, -12])
    return Looks(
        skin=skin.astype(np.float32),
        hair=HAIR_TONES[rng.choice(len(HAIR_TONES), p=_HAIR_WEIGHTS)] * np.float32(rng.uniform(0.9, 1.1)),
        style=pick(rng, **(_FEMININE_STYLES if feminine else _MASCULINE_STYLES)),
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
    tints = np.float32([[26, 28, 34], [70, 44, 26], [40, 60, 84]])
    frames = np.float32([[22, 22, 24], [92, 56, 30], [196, 160, 84], [150, 30, 36]])
    return Eyewear(
        lens=tints[rng.integers(3)] if sun else np.float32([225, 235, 240]),
        frame=frames[rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])],
        kind=str(rng.choice(["round", "square", "aviator"])),
        opacity=rng.uniform(0.8, 0.96) if sun else 0.25,
        size=rng.uniform(0.36, 0.43),
    )


def sample_headwear(rng: np.random.Generator) -> Headwear:
    """Draws a hat."""
    color = np.float32(fashion_color(rng, dark=0.3, light=0.2))
    trim = color * 0.6 if rng.random() < 0.5 else np.float32(fashion_color(rng))
    return Headwear(pick(rng, beanie=0.3, cap=0.32, fedora=0.28, headband=0.1), color, trim)


def paint_face(canvas: Canvas, figure: Figure, looks: Looks) -> None:
    """Paints the head with ears, beard, eyes, brows, nose and mouth."""
    unit, skin = figure.head_unit, looks.skin
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    y = 0.52 - 0.5 * np.sin(angle)
    x = np.cos(angle) * (1 - 0.24 * np.clip((0.5 - y) / 0.5, 0, 1) ** 1.6)  # narrow at the jaw
    places = [figure.head((side * 0.98, 0.46), -0.12) for side in SIDES if side != figure.far_ear]
    ears = [ellipse(place, 0.15 * unit, 0.25 * unit, figure.posture.head_tilt) for place in places]
    skull = figure.head(np.stack([x, y], axis=1))
    canvas.paint([skull, *ears], skin, "face", bulge=0.3 * unit, shadow=0.5)
    if looks.beard:
        outer = [(-0.97, 0.42), (-0.9, 0.2), (-0.55, 0.03), (0.0, -0.02), (0.55, 0.03), (0.9, 0.2), (0.97, 0.42)]
        inner = [(0.78, 0.36), (0.5, 0.25), (0.3, 0.27), (0.0, 0.265), (-0.3, 0.27), (-0.5, 0.25), (-0.78, 0.36)]
        beard = np.concatenate([figure.head(outer, 0.1), figure.head(inner, 0.7)])
        canvas.paint([beard], looks.hair * 0.9, opacity=looks.beard * 0.8)
    cheek = np.clip(skin + np.float32([14, -14, -8]), 0, 255)
    for side in SIDES:
        canvas.paint([ellipse(figure.head((side * 0.5, 0.3), 0.7), 0.2 * unit, 0.15 * unit)], cheek, opacity=0.3)
        _paint_eye(canvas, figure, looks, side)
    shaded = 1 if canvas.light[0] < 0 else -1
    tip = figure.head([(0.15 * shaded, 0.35), (-0.02, 0.325)], 1.0)
    nose = np.stack([figure.head((0.1 * shaded, 0.48), 0.9), *tip])
    canvas.paint(ribbon(smooth(nose, closed=False), 0.035 * unit), skin * 0.74, opacity=0.7)
    upper = [(-0.27, 0.211), (-0.1, 0.225), (0.0, 0.214), (0.1, 0.225), (0.27, 0.211), (0.0, 0.183)]
    lower = [(-0.25, 0.209), (0.0, 0.188), (0.25, 0.209), (0.13, 0.162), (0.0, 0.15), (-0.13, 0.162)]
    canvas.paint([figure.head(lower, 0.95)], looks.lips)
    canvas.paint([figure.head(upper, 0.95)], looks.lips * 0.86)


def _paint_eye(canvas: Canvas, figure: Figure, looks: Looks, side: int) -> None:
    unit, made_up = figure.head_unit, figure.body.feminine > 0.5
    center = figure.head((side * 0.42, 0.5), 0.85)
    narrow = 1 - 0.35 * max(0.0, side * np.sin(figure.posture.head_yaw))
    white = ellipse(center, 0.2 * unit * narrow, 0.1 * unit, figure.head_angle)
    canvas.paint([white], np.float32([244, 243, 240]))
    canvas.paint([ellipse(center, 0.095 * unit * narrow, 0.1 * unit)], looks.iris)
    canvas.paint([ellipse(center, 0.045 * unit, 0.05 * unit)], np.float32([12, 10, 10]))
    lid = [(side * 0.42 + x, 0.5 + y) for x, y in ((-0.23, 0.0), (0.0, 0.052), (0.23, 0.004))]
    color = np.float32([44, 30, 26]) if made_up else looks.skin * 0.45
    canvas.paint(_stroke(figure, lid, 0.85, 0.035), color)
    brow = [(side * (0.42 + x), 0.5 + y) for x, y in ((-0.24, 0.1), (0.02, 0.135), (0.27, 0.105))]
    canvas.paint(_stroke(figure, brow, 0.85, 0.035 if made_up else 0.055), looks.hair * 0.75, opacity=0.8)


def _stroke(figure: Figure, points: list[Point], turn: float, half_width: float) -> Polygons:
    """A curve through points on the head, `half_width` in head half-widths."""
    return ribbon(smooth(figure.head(points, turn), closed=False), half_width * figure.head_unit)


def _paint_hair(
    canvas: Canvas, polygons: Polygons, looks: Looks, figure: Figure, pad: int = 8, shadow: float = 0.3
) -> None:
    """Fills a region with hair: streaks along the head's axis."""
    patch = rasterize(polygons, canvas.size, pad)
    if patch is None:
        return
    height, width = patch.alpha.shape
    rng = np.random.default_rng([looks.seed, width, height])
    streaks = rng.normal(1.0, 0.2, (4, max(2, width // 2))).astype(np.float32)
    streaks = cv2.resize(streaks, (width, height), interpolation=cv2.INTER_LINEAR)
    color = np.clip(looks.hair * streaks[..., None] + 6, 4, 250)
    canvas.blend(patch, color, "hair", bulge=0.022 * figure.unit, shadow=shadow)


def paint_hair_behind(canvas: Canvas, figure: Figure, looks: Looks) -> None:
    """Paints the hair that lies behind the neck and the shoulders."""
    crown = [(-0.8, 0.98), (0.0, 1.06), (0.8, 0.98)]
    if looks.style == "bob":
        left, right = ([(side * 1.24, -0.12), (side * 1.24 * 1.02, 0.5)] for side in SIDES)
        outline = figure.head([*left, *crown, *right[::-1], (0.0, -0.12 + 0.06)])
    elif looks.style in ("long", "wavy"):
        width, end = 1.3 if looks.style == "long" else 1.55, looks.hair_length
        reach = width * figure.body.head_width
        left, right = ([(side * width * 0.98, 0.35), (side * width * 0.96, 0.6)] for side in SIDES)
        low = [(1.12, end + 0.06), (0.85, end), (0, end - 0.01), (-0.85, end), (-1.12, end + 0.06)]
        down = figure.points((x * reach, h) for x, h in low)
        outline = np.concatenate([figure.head([*left, *crown, *right[::-1]]), down])
    elif looks.style == "ponytail":
        outline = figure.head([(0.2, 0.8), (1.1, 0.62), (1.28, 0.1), (1.0, -0.3), (0.8, 0.1), (0.5, 0.5)])
    elif looks.style in ("afro", "bun"):
        y, wide, high = (0.66, 1.62, 1.5) if looks.style == "afro" else (1.12, 0.48, 0.44)
        head_width, unit = figure.body.head_width, figure.unit
        outline = ellipse(figure.head((0.0, y)), wide * head_width * unit, high * head_width * unit)
    else:
        return
    _paint_hair(canvas, [smooth(outline, steps=3)], looks, figure, shadow=0.0)


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


def paint_hair_front(canvas: Canvas, figure: Figure, looks: Looks) -> None:
    """Paints the hair on the skull and beside the face."""
    if looks.style == "bald":
        return
    (low_x, low_y), (high_x, high_y), volume = _HAIRLINES[looks.style]
    crown = [(-0.78, 1.0 + volume), (0.0, 1.055 + volume), (0.78, 1.0 + volume)]
    outline = [(-low_x, low_y), (-high_x, high_y), *crown, (high_x, high_y), (low_x, low_y)]
    x, right, left = (
        (0.94, low_y * 0.5 + 0.16, high_y * 0.5 + 0.16) if low_y > 0.2 else (0.9, low_y - 0.5, high_y - 0.5)
    )
    forehead = 0.6 if looks.fringe else 0.77
    front = [(0.55, forehead), (looks.part, forehead + 0.06), (-0.55, forehead)]
    front = [(x, right), (0.86, 0.63), *front, (-0.86, 0.63), (-x, left)]
    edges = [smooth(figure.head(points, turn), closed=False) for points, turn in ((outline, 0.0), (front, 0.25))]
    _paint_hair(canvas, [np.concatenate(edges)], looks, figure)
    if looks.style not in ("long", "wavy"):
        return
    wide, reach = 1.25 if looks.style == "wavy" else 1.0, figure.body.head_width
    for side in looks.strands:  # over the front of a shoulder
        upper = figure.head([(side * 1.02 * wide, 0.36), (side * 1.08 * wide, -0.05)])
        lower = [(side * reach * 1.25, looks.hair_length + 0.08), (side * reach * 1.05, looks.hair_length - 0.01)]
        line = smooth([*upper, *figure.points(lower)], closed=False)
        widths = np.interp(np.linspace(0, 1, len(line)), [0, 0.5, 0.85, 1], [0.12, 0.34, 0.3, 0.06])
        _paint_hair(canvas, ribbon(line, widths * reach * figure.unit * wide), looks, figure, pad=6)


def paint_eyewear(canvas: Canvas, figure: Figure, eyewear: Eyewear) -> None:
    """Paints glasses; the lenses count as part of them."""
    unit, tilt = figure.head_unit, figure.head_angle
    size = eyewear.size * unit
    bridge = figure.head([(-0.15, 0.52), (0.15, 0.52)], 0.9)
    canvas.paint(ribbon(bridge, 0.05 * unit), eyewear.frame, "eyeglass")
    for side in SIDES:
        temple = np.stack([figure.head((side * 0.78, 0.53), 0.8), figure.head((side * 1.0, 0.51))])
        canvas.paint(ribbon(temple, 0.05 * unit), eyewear.frame, "eyeglass")
        center = figure.head((side * 0.45, 0.49), 0.85)
        narrow = 1 - 0.3 * max(0.0, side * np.sin(figure.posture.head_yaw))
        outer, inner = (
            _lens(eyewear.kind, center, size * narrow * grow, size * grow, tilt, side) for grow in (1.0, 0.8)
        )
        canvas.paint([outer], eyewear.frame, "eyeglass", opacity=0.0)
        if rasterize([inner], canvas.size) is None:
            continue
        canvas.paint([inner], eyewear.lens, opacity=eyewear.opacity)
        canvas.paint(ribbon(np.concatenate([inner, inner[:1]]), 0.1 * size), eyewear.frame)
        glint = center + np.array([[-0.35 * size, 0.1 * size], [-0.05 * size, -0.35 * size]])
        canvas.paint(ribbon(glint, 0.06 * size), np.float32([255, 255, 255]), opacity=0.35)


def _lens(kind: str, center: np.ndarray, width: float, height: float, tilt: float, side: int) -> np.ndarray:
    if kind == "round":
        return ellipse(center, width, height * 0.92, tilt)
    corners = {
        "square": [(-1, -0.62), (1, -0.7), (0.95, 0.6), (-0.9, 0.6)],
        "aviator": [(-0.85, -0.65), (1, -0.7), (1.02, 0.0), (0.45, 0.9), (-0.5, 0.75), (-0.9, 0.0)],
    }[kind]
    points = np.array([(side * x * width, y * height) for x, y in corners])
    return smooth(center + points @ rotation(tilt).T, steps=4)


_HAT_CROWNS = {
    "beanie": [
        (-1.14, 0.62), (-1.16, 0.85), (-0.85, 1.16), (0, 1.27), (0.85, 1.16), (1.16, 0.85), (1.14, 0.62), (0, 0.7),
    ],
    "cap": [(-1.1, 0.66), (-1.12, 0.85), (-0.8, 1.1), (0, 1.18), (0.8, 1.1), (1.12, 0.85), (1.1, 0.66), (0, 0.74)],
    "fedora": [
        (-1, 0.72), (-1, 1), (-0.72, 1.3), (-0.25, 1.24), (0.2, 1.25), (0.72, 1.3), (1, 1), (1, 0.72), (0, 0.76),
    ],
}  # fmt: skip
_VISOR = [
    (-0.98, 0.74), (-0.5, 0.8), (0.0, 0.82), (0.5, 0.8), (0.98, 0.74), (0.9, 0.63), (0.4, 0.585), (0.0, 0.575),
    (-0.4, 0.585), (-0.9, 0.63),
]  # fmt: skip


def paint_headwear(canvas: Canvas, figure: Figure, hat: Headwear) -> None:
    """Paints a hat over the hair."""
    bulge, unit = 0.03 * figure.unit, figure.head_unit
    if hat.kind == "headband":
        band = _stroke(figure, [(-1.1, 0.62), (-0.6, 0.78), (0.0, 0.82), (0.6, 0.78), (1.1, 0.62)], 0.2, 0.14)
        canvas.paint(band, hat.color, "headwear", bulge=bulge * 0.3, shadow=0.3)
        return
    crown = smooth(figure.head(_HAT_CROWNS[hat.kind]), steps=4)
    canvas.paint([crown], hat.color, "headwear", bulge=bulge, shadow=0.35)
    if hat.kind == "beanie":
        fold = _stroke(figure, [(-1.12, 0.68), (-0.5, 0.77), (0.0, 0.79), (0.5, 0.77), (1.12, 0.68)], 0.15, 0.2)
        canvas.paint(fold, hat.trim, "headwear", bulge=0.012 * figure.unit, shadow=0.25)
        ribs = [figure.head([(x, 0.86), (x * 0.75, 1.18)]) for x in np.linspace(-0.9, 0.9, 7)]
        canvas.crease(ribs, 0.06 * unit, 0.2, "headwear")
    elif hat.kind == "cap":
        visor = smooth(figure.head(_VISOR, 0.8), steps=4)
        canvas.paint([visor], hat.trim, "headwear", bulge=0.014 * figure.unit, shadow=0.4)
        seam = np.stack([figure.head((0.0, 0.84), 0.5), figure.head((0.0, 1.17), 0.1)])
        canvas.crease([seam], 0.05 * unit, 0.2, "headwear")
        canvas.paint([ellipse(figure.head((0.0, 1.175)), 0.08 * unit, 0.06 * unit)], hat.trim)
    else:
        brim = ellipse(figure.head((0.0, 0.74), 0.1), 1.85 * unit, 0.36 * unit, figure.head_angle)
        canvas.paint([brim], hat.color * 0.95, "headwear", bulge=0.018 * figure.unit, shadow=0.45)
        band = _stroke(figure, [(-1.0, 0.86), (0.0, 0.8), (1.0, 0.86)], 0.1, 0.13)
        canvas.paint(band, hat.trim, "headwear")
