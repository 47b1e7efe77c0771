"""Fabrics: patterns as functions of garment coordinates, so that cloth and person show the same."""

from dataclasses import dataclass

import cv2
import numpy as np

from seg_vton.data.paper_doll.lots import Color, contrasting, fashion_color

UPPER_MIX = dict(
    plain=2.0, gradient=1.0, stripes=2.0, breton=1.0, checks=1.2, tartan=1.2, dots=1.4, floral=1.2, blocks=0.8,
    heather=0.8, logo=1.8, word=1.2, band=0.8,
)  # fmt: skip
LOWER_MIX = dict(plain=5.0, gradient=0.6, stripes=0.5, checks=0.5, tartan=0.5, dots=0.4, floral=0.6, heather=2.0)
OUTER_MIX = dict(plain=4.0, gradient=1.0, heather=2.0, checks=0.6, tartan=1.0, stripes=0.3)

_WORDS = ("NYC", "LOVE", "07", "R&B", "YES", "23", "WILD", "SURF", "OK", "1984", "GO", "HI")


def _step(value: np.ndarray, sharpness: float = 6.0) -> np.ndarray:
    """0 below and 1 above zero with a soft edge."""
    return np.clip(value * sharpness + 0.5, 0, 1)


def _wave(phase: np.ndarray) -> np.ndarray:
    """A triangle wave of period 1 between -1 and 1 (cheaper than a sine)."""
    return 4 * np.abs(phase - np.floor(phase) - 0.5) - 1


@dataclass(frozen=True)
class Fabric:
    """A cloth with its pattern."""

    pattern: str  # one of `UPPER_MIX`
    colors: tuple[Color, Color, Color]  # ground, figure and accent
    period: float  # size of the pattern's repeat, in statures
    angle: float  # direction of the pattern in radians
    motif: int  # index of the print, where the pattern is one
    seed: int  # of the random marks (floral, heather)

    @property
    def ground(self) -> np.ndarray:
        """The main color, (3,) float32 RGB."""
        return np.float32(self.colors[0])

    @property
    def accent(self) -> np.ndarray:
        """The color of trimmings, (3,) float32 RGB."""
        return np.float32(self.colors[2])

    def color_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """RGB in [0, 255], (H, W, 3), at garment coordinates that broadcast to (H, W).

        `x` is the distance from the garment's middle in statures, to the right of the image; `y` that below the
        shoulders.
        """
        x, y = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(y, np.float32))
        color, *others = np.float32(self.colors)
        for weight, other in zip(getattr(self, f"_{self.pattern}")(x, y), others, strict=False):
            color = color + (other - color) * weight[..., None]
        return color

    # A pattern gives the weight (H, W) of the figure color over the ground and, in some, of the accent over both.

    def _plain(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        return [np.zeros_like(x)]

    def _gradient(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        return [np.clip((y - 0.05) / 0.24, 0, 1)]

    def _stripes(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        across = y * np.cos(self.angle) + x * np.sin(self.angle)
        return [_step(_wave(across / np.float32(self.period)))]

    def _breton(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        return [_step(_wave(y / self.period) - 0.35) * (y > 0.05)]  # the yoke is plain

    def _checks(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        return [(_step(_wave(x / self.period)) + _step(_wave(y / self.period))) * 0.5]

    def _tartan(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        u, v = (_wave(along / (self.period * 1.5)) for along in (x, y))
        return [(_step(u - 0.1) + _step(v - 0.1)) * 0.45, np.maximum(_step(-u - 0.78, 9), _step(-v - 0.78, 9)) * 0.85]

    def _dots(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        v = y / self.period
        row = np.floor(v)
        u = x / self.period + 0.5 * (row % 2)
        u, v = u - np.floor(u) - 0.5, v - row - 0.5
        return [_step(0.3 - np.sqrt(u * u + v * v), 9)]

    def _floral(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """Five-petalled blossoms on a jittered grid, with an accent as the heart."""
        u, v = x / (self.period * 1.25), y / (self.period * 1.25)
        column, row = np.floor(u).astype(int), np.floor(v).astype(int)
        jitter = np.random.default_rng(self.seed).uniform(-0.16, 0.16, (3, 16, 16)).astype(np.float32)
        offset = jitter[:, row % 16, column % 16]
        u, v = u - column - 0.5 - offset[0], v - row - 0.5 - offset[1]
        radius = np.sqrt(u * u + v * v)
        petals = np.float32(0.24) + np.float32(0.08) * np.cos(5 * np.arctan2(v, u) + 18 * offset[2])
        return [_step(petals - radius, 10), _step(np.float32(0.085) - radius, 12)]

    def _blocks(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        below = y - np.float32(0.09 + 0.001 * (self.motif % 60))
        return [_step(below, 400), _step(0.006 - np.abs(below), 400)]

    def _heather(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """A mottle: random numbers 0.004 statures apart, linear between them."""
        grid = np.random.default_rng(self.seed).normal(0, 1, (64, 64)).astype(np.float32)
        column, row = np.mod(x / 0.004 + 32, 60) + 1, np.mod(y * 0.35 / 0.004 + 8, 60) + 1
        return [np.clip(0.1 + 0.055 * cv2.remap(grid, column, row, cv2.INTER_LINEAR), 0, 0.3)]

    def _band(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """A broad band across the chest with a thin one below."""
        below = y - np.float32(0.07 + 0.001 * (self.motif % 40))
        return [_step(0.02 - np.abs(below - 0.02), 400), _step(0.005 - np.abs(below - 0.055), 400)]

    def _logo(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """A print on the chest, with an accent: disc, ring, star, heart or mountains."""
        size = 0.03 + 0.00045 * (self.motif % 50)
        u, v = x / size, (y - 0.115) / size
        radius = np.sqrt(u * u + v * v)
        shape = (self.motif // 50) % 5
        if shape == 0:
            return [_step(1 - radius, 12), _step(0.5 - radius, 12)]
        if shape == 1:
            return [_step(0.22 - np.abs(radius - 0.8), 12), _step(0.14 - np.abs(v), 12) * (radius < 0.6)]
        if shape == 2:
            return [_step(0.72 + 0.3 * _wave(np.arctan2(u, -v) * (5 / (2 * np.pi))) - radius, 12)]
        if shape == 3:
            return [_step(1 - u * u - (-1.1 * v + 0.2 - 0.75 * np.sqrt(np.abs(u))) ** 2, 6)]
        return [_step(1 - radius, 12), _step(v - (0.25 + 0.45 * _wave(u * 0.9)), 12) * (radius < 0.92)]

    def _word(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """Letters across the chest."""
        word = _WORDS[self.motif % len(_WORDS)]
        letters = np.zeros((64, 40 + 44 * len(word)), np.uint8)  # OpenCV 5 refuses to write on floats
        cv2.putText(letters, word, (20, 52), cv2.FONT_HERSHEY_DUPLEX, 1.9, 255, 7, cv2.LINE_8)
        scale = 64 / (0.05 + 0.0006 * (self.motif % 40))
        column, row = x * scale + letters.shape[1] / 2, (y - 0.115) * scale + 32
        return [cv2.remap((letters > 0).astype(np.float32), column, row, cv2.INTER_LINEAR, borderValue=0)]


def sample_fabric(rng: np.random.Generator, patterns: dict[str, float]) -> Fabric:
    """Draws a fabric; `patterns` has the relative frequency of each pattern."""
    weights = np.array(list(patterns.values()))
    ground = fashion_color(rng)
    return Fabric(
        colors=(ground, contrasting(rng, ground), contrasting(rng, ground)),
        pattern=str(rng.choice(list(patterns), p=weights / weights.sum())),
        period=float(rng.uniform(0.022, 0.05)),
        angle=float(rng.choice([0.0, np.pi / 2, rng.uniform(0.4, 1.1)], p=[0.6, 0.28, 0.12])),
        motif=int(rng.integers(1 << 16)),
        seed=int(rng.integers(1 << 31)),
    )
