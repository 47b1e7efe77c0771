"""Backgrounds, and the last touch of light and sensor noise."""

import cv2
import numpy as np

Size = tuple[int, int]


def sample_background(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Draws a background: (H, W, 3) float32 RGB in [0, 255]; most are light and plain, as in a studio."""
    kinds = (_plain, _gradient, _studio, _cloudy, _bricks, _clutter)
    return kinds[rng.choice(len(kinds), p=[0.24, 0.2, 0.22, 0.14, 0.08, 0.12])](rng, size)


def _pale(rng: np.random.Generator, low: float, high: float = 248) -> np.ndarray:
    gray = rng.uniform(low, high)
    return np.clip(gray + rng.normal(0, 9, 3), 0, 252).astype(np.float32)


def _plain(rng: np.random.Generator, size: Size) -> np.ndarray:
    return np.tile(_pale(rng, 205), (size[1], size[0], 1))


def _gradient(rng: np.random.Generator, size: Size) -> np.ndarray:
    corners = np.stack([_pale(rng, 150) for _ in range(4)]).reshape(2, 2, 3)
    return cv2.resize(corners, size, interpolation=cv2.INTER_LINEAR)


def _studio(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A wall and a floor that meet in a soft line."""
    wall, floor = _pale(rng, 190), _pale(rng, 150, 230)
    horizon = rng.uniform(0.72, 0.88) * size[1]
    weight = np.clip((np.arange(size[1], dtype=np.float32) - horizon) / (size[1] * rng.uniform(0.01, 0.06)), 0, 1)
    return np.broadcast_to((wall + (floor - wall) * weight[:, None])[:, None, :], (size[1], size[0], 3)).copy()


def _cloudy(rng: np.random.Generator, size: Size) -> np.ndarray:
    base = _pale(rng, 120, 220)
    noise = np.zeros(size[::-1], np.float32)
    for cells, strength in ((3, 16), (9, 8), (28, 5)):
        knots = rng.normal(0, strength, (cells * 4 // 3, cells)).astype(np.float32)
        noise += cv2.resize(knots, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(base + noise[..., None] * np.float32([1.0, 0.97, 0.9]), 0, 252)


def _bricks(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Bricks, tiles or planks with mortar."""
    image = _cloudy(rng, size)
    brick_height = size[1] / rng.integers(12, 22)
    brick_width = brick_height * rng.choice([1.0, 2.2, 6.0])
    y = np.arange(size[1])[:, None]
    row = np.floor(y / brick_height)
    across = np.arange(size[0])[None, :] / brick_width + 0.5 * (row % 2)
    column = np.floor(across)
    tone = rng.normal(0, 7, (64, 64)).astype(np.float32)
    image += tone[row.astype(int) % 64, column.astype(int) % 64][..., None]
    image[(across - column < 1.4 / brick_width) | (y % brick_height < 1.4)] *= rng.uniform(0.82, 1.12)
    return np.clip(image, 0, 252)


def _clutter(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A street or a room out of focus: boxes and discs, blurred."""
    image = _studio(rng, size)
    for _ in range(rng.integers(6, 14)):
        color = np.clip(_pale(rng, 60, 230) + rng.normal(0, 25, 3), 0, 252).tolist()
        x, y = rng.uniform(-0.1, 1.0) * size[0], rng.uniform(-0.1, 0.85) * size[1]
        width, height = rng.uniform(0.06, 0.35) * size[0], rng.uniform(0.06, 0.45) * size[1]
        if rng.random() < 0.7:
            cv2.rectangle(image, (int(x), int(y)), (int(x + width), int(y + height)), color, -1)
        else:
            cv2.circle(image, (int(x), int(y)), int(width / 2), color, -1)
    return cv2.GaussianBlur(image, (0, 0), size[1] * rng.uniform(0.006, 0.02))


def cast_floor_shadow(background: np.ndarray, feet: np.ndarray, unit: float) -> None:
    """Darkens the floor of `background` softly under the feet (N, 2) pixels; `unit` is the stature in pixels."""
    height, width = background.shape[:2]
    cover = np.zeros((height // 4 + 1, width // 4 + 1), np.uint8)
    center = feet.mean(axis=0) / 4
    spread = (np.ptp(feet[:, 0]) / 2 + 0.06 * unit) / 4
    axes = (max(1, int(spread)), max(1, int(0.018 * unit / 4) + 1))
    cv2.ellipse(cover, (int(center[0]), int(center[1])), axes, 0, 0, 360, 255, -1)
    soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), max(1.0, 0.012 * unit / 2))
    dark = cv2.resize(soft, (cover.shape[1] * 4, cover.shape[0] * 4))[:height, :width]
    background *= 1 - np.float32(0.32 / 255) * dark[..., None]


def finish(rng: np.random.Generator, image: np.ndarray, light: tuple[float, float]) -> np.ndarray:
    """Adds a fall-off of the light, a color cast and sensor noise: (H, W, 3) uint8 RGB."""
    height, width = image.shape[:2]
    slope = rng.uniform(0.0, 0.1)
    x = np.linspace(-1, 1, width, dtype=np.float32) * light[0]
    y = np.linspace(-1, 1, height, dtype=np.float32) * light[1]
    gain = np.float32(rng.uniform(0.93, 1.04)) * (1 + rng.normal(0, 0.018, 3)).astype(np.float32)
    lit = image * ((1 + slope * (x[None, :] + y[:, None]) / 2)[..., None] * gain)
    grain = rng.integers(-4, 5, (height, width, 1), dtype=np.int8).astype(np.float32) * rng.uniform(0.3, 1.0)
    return np.clip(np.rint(lit + grain), 0, 255).astype(np.uint8)
