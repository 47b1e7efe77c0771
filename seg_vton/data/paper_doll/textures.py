"""Fabrics: colors and patterns as functions of garment coordinates, so that cloth and person show the same."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np

_WORDS = ("NYC", "LOVE", "07", "R&B", "YES", "23", "WILD", "SURF", "OK", "1984", "GO", "HI")
PATTERNS = (
    'plain', 'gradient', 'stripes', 'breton', 'checks', 'tartan', 'dots', 'floral', 'blocks', 'heather',
    'logo', 'word', 'band',
)  # fmt: skip
"""Names of the patterns that `Fabric` knows."""


@dataclass(frozen=True)
class Fabric:
    """A cloth with its pattern.

    Attributes:
        pattern: one of `PATTERNS`.
        colors: three RGB triples in [0, 255]: ground, figure, accent.
        period: size of the pattern's repeat, in statures.
        angle: direction of the pattern in radians.
        motif: index of the print, where the pattern is one.
        seed: of the random marks (floral, heather).
    """

    pattern: str
    colors: tuple[tuple[float, float, float], ...]
    period: float
    angle: float
    motif: int
    seed: int

    @property
    def ground(self) -> np.ndarray:
        """The main color, (3,) RGB."""
        return np.array(self.colors[0], np.float32)

    @property
    def accent(self) -> np.ndarray:
        """The color of trimmings, (3,) RGB."""
        return np.array(self.colors[2], np.float32)

    def color_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """RGB, (H, W, 3) float32, at garment coordinates that broadcast to (H, W).

        Args:
            x: distance from the garment's middle in statures, to the right of the image.
            y: distance below the shoulders in statures.
        """
        x, y = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(y, np.float32))
        ground, figure, accent = (np.array(color, np.float32) for color in self.colors)
        weight, second = _PAINTERS[self.pattern](self, x, y)
        color = ground + (figure - ground) * weight[..., None]
        if second is not None:
            color += (accent - color) * second[..., None]
        return color


def fashion_color(rng: np.random.Generator, dark: float = 0.3, light: float = 0.25) -> tuple[float, float, float]:
    """An RGB color as clothes have it: now and then near black or near white, else any hue.

    Args:
        rng: the stream to draw from.
        dark: share of dark neutrals.
        light: share of light neutrals.
    """
    pick = rng.random()
    hue = rng.random()
    if pick < dark:
        return _rgb(hue, rng.uniform(0, 0.35), rng.uniform(0.12, 0.33))
    if pick < dark + light:
        return _rgb(
            rng.uniform(0.05, 0.16) if rng.random() < 0.6 else hue, rng.uniform(0, 0.18), rng.uniform(0.78, 0.91)
        )
    return _rgb(hue, rng.uniform(0.35, 0.85), rng.uniform(0.4, 0.88))


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def contrasting(
    rng: np.random.Generator, color: tuple[float, float, float], least: float = 70
) -> tuple[float, float, float]:
    """A fashion color whose brightness or hue differs from `color` by at least `least` (RGB distance)."""
    for _ in range(12):
        other = fashion_color(rng, dark=0.25, light=0.3)
        if np.linalg.norm(np.subtract(other, color)) > least:
            return other
    return (24.0, 24.0, 28.0) if sum(color) > 380 else (228.0, 226.0, 220.0)


def sample_fabric(rng: np.random.Generator, patterns: dict[str, float] | None = None) -> Fabric:
    """Draws a fabric.

    Args:
        rng: the stream to draw from.
        patterns: relative frequency of each pattern; a mix for upper garments where left out.
    """
    patterns = patterns or UPPER_MIX
    weights = np.array(list(patterns.values()))
    ground = fashion_color(rng)
    figure = contrasting(rng, ground)
    accent = contrasting(rng, ground)
    return Fabric(
        pattern=str(rng.choice(list(patterns), p=weights / weights.sum())),
        colors=(ground, figure, accent),
        period=float(rng.uniform(0.022, 0.05)),
        angle=float(rng.choice([0.0, np.pi / 2, rng.uniform(0.4, 1.1)], p=[0.6, 0.28, 0.12])),
        motif=int(rng.integers(1 << 16)),
        seed=int(rng.integers(1 << 31)),
    )


UPPER_MIX = {
    'plain': 2.0, 'gradient': 1.0, 'stripes': 2.0, 'breton': 1.0, 'checks': 1.2, 'tartan': 1.2, 'dots': 1.4,
    'floral': 1.2, 'blocks': 0.8, 'heather': 0.8, 'logo': 1.8, 'word': 1.2, 'band': 0.8,
}  # fmt: skip
LOWER_MIX = {
    "plain": 5.0,
    "gradient": 0.6,
    "stripes": 0.5,
    "checks": 0.5,
    "tartan": 0.5,
    "dots": 0.4,
    "floral": 0.6,
    "heather": 2.0,
}
OUTER_MIX = {"plain": 4.0, "gradient": 1.0, "heather": 2.0, "checks": 0.6, "tartan": 1.0, "stripes": 0.3}

_Weights = tuple[np.ndarray, np.ndarray | None]


def _turned(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance across the pattern's lines, in repeats: horizontal lines at angle 0."""
    return (y * np.cos(fabric.angle) + x * np.sin(fabric.angle)) / np.float32(fabric.period)


def _step(value: np.ndarray, sharpness: float = 6.0) -> np.ndarray:
    """0 below and 1 above zero with a soft edge."""
    return np.clip(value * np.float32(sharpness) + np.float32(0.5), 0, 1)


def _wave(phase: np.ndarray) -> np.ndarray:
    """A triangle wave of period 1 between -1 and 1 (cheaper than a sine)."""
    return 4 * np.abs(phase - np.floor(phase) - np.float32(0.5)) - 1


def _plain(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    return np.zeros_like(x), None


def _gradient(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    return np.clip((y - 0.05) / 0.24, 0, 1), None


def _stripes(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    return _step(_wave(_turned(fabric, x, y))), None


def _breton(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    """Thin stripes on a wide ground, with a plain yoke."""
    return _step(_wave(y / np.float32(fabric.period)) - 0.35) * (y > 0.05), None


def _checks(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    """Gingham: both directions at half strength."""
    period = np.float32(fabric.period)
    return (_step(_wave(x / period)) + _step(_wave(y / period))) * np.float32(0.5), None


def _tartan(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    period = np.float32(fabric.period * 1.5)
    wide = (_step(_wave(x / period) - 0.1) + _step(_wave(y / period) - 0.1)) * np.float32(0.45)
    thin = np.maximum(_step(-_wave(x / period) - 0.78, 9), _step(-_wave(y / period) - 0.78, 9))
    return wide, thin * np.float32(0.85)


def _dots(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    row = np.floor(y / np.float32(fabric.period))
    u = x / np.float32(fabric.period) + np.float32(0.5) * (row % 2)
    u, v = u - np.floor(u) - np.float32(0.5), y / np.float32(fabric.period) - row - np.float32(0.5)
    return _step(np.float32(0.3) - np.sqrt(u * u + v * v), 9), None


def _noise_at(seed: int, x: np.ndarray, y: np.ndarray, cell: float) -> np.ndarray:
    """Smooth noise in about [-1, 1]: a random grid with `cell` statures between knots, cubic between them."""
    grid = np.random.default_rng(seed).normal(0, 1, (64, 64)).astype(np.float32)
    map_x = np.mod(x / np.float32(cell) + 32, 60) + 1
    map_y = np.mod(y / np.float32(cell) + 8, 60) + 1
    return cv2.remap(grid, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR)


def _floral(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    """Five-petalled blossoms on a jittered grid, with an accent as the heart."""
    cell = np.float32(fabric.period * 1.25)
    column, row = np.floor(x / cell).astype(int), np.floor(y / cell).astype(int)
    jitter = np.random.default_rng(fabric.seed).uniform(-0.16, 0.16, (3, 16, 16)).astype(np.float32)
    offset = jitter[:, row % 16, column % 16]
    u = x / cell - column - np.float32(0.5) - offset[0]
    v = y / cell - row - np.float32(0.5) - offset[1]
    radius = np.sqrt(u * u + v * v)
    petals = np.float32(0.24) + np.float32(0.08) * np.cos(5 * np.arctan2(v, u) + 18 * offset[2])
    return _step(petals - radius, 10), _step(np.float32(0.085) - radius, 12)


def _blocks(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    edge = np.float32(0.09 + 0.001 * (fabric.motif % 60))
    return _step(y - edge, 400), _step(np.float32(0.006) - np.abs(y - edge), 400)


def _heather(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    fine = _noise_at(fabric.seed, x, y * np.float32(0.35), 0.004)
    return np.clip(np.float32(0.1) + np.float32(0.055) * fine, 0, 0.3), None


def _band(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    """A broad band across the chest with a thin one below."""
    top = np.float32(0.07 + 0.001 * (fabric.motif % 40))
    return _step(np.float32(0.02) - np.abs(y - top - 0.02), 400), _step(
        np.float32(0.005) - np.abs(y - top - 0.055), 400
    )


def _logo(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    """A print on the chest: disc, ring, star, heart or mountains, with an accent."""
    size = np.float32(0.03 + 0.00045 * (fabric.motif % 50))
    u, v = x / size, (y - np.float32(0.115)) / size
    radius = np.sqrt(u * u + v * v)
    shape = (fabric.motif // 50) % 5
    if shape == 0:
        return _step(1 - radius, 12), _step(np.float32(0.5) - radius, 12)
    if shape == 1:
        return _step(np.float32(0.22) - np.abs(radius - 0.8), 12), _step(np.float32(0.14) - np.abs(v), 12) * (
            radius < 0.6
        )
    if shape == 2:
        angle = np.arctan2(u, -v)
        return _step(np.float32(0.72) + np.float32(0.3) * _wave(angle * np.float32(5 / (2 * np.pi))) - radius, 12), None
    if shape == 3:
        return _step(
            1 - u * u - (np.float32(-1.1) * v + np.float32(0.2) - np.float32(0.75) * np.sqrt(np.abs(u))) ** 2, 6
        ), None
    hills = np.float32(0.25) + np.float32(0.45) * _wave(u * np.float32(0.9))
    return _step(1 - radius, 12), _step(v - hills, 12) * (radius < 0.92)


def _word(fabric: Fabric, x: np.ndarray, y: np.ndarray) -> _Weights:
    """Letters across the chest."""
    word = _WORDS[fabric.motif % len(_WORDS)]
    letters = np.zeros((64, 40 + 44 * len(word)), np.uint8)  # OpenCV 5 refuses to write on floats
    cv2.putText(letters, word, (20, 52), cv2.FONT_HERSHEY_DUPLEX, 1.9, 255, 7, cv2.LINE_8)
    bitmap = (letters > 0).astype(np.float32)
    scale = np.float32(64 / (0.05 + 0.0006 * (fabric.motif % 40)))
    map_x = x * scale + np.float32(bitmap.shape[1] / 2)
    map_y = (y - np.float32(0.115)) * scale + np.float32(32)
    return cv2.remap(bitmap, map_x, map_y, cv2.INTER_LINEAR, borderValue=0), None


_PAINTERS = {
    'plain': _plain, 'gradient': _gradient, 'stripes': _stripes, 'breton': _breton, 'checks': _checks,
    'tartan': _tartan, 'dots': _dots, 'floral': _floral, 'blocks': _blocks, 'heather': _heather, 'logo': _logo,
    'word': _word, 'band': _band,
}  # fmt: skip
