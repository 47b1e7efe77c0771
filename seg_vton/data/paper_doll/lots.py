"""Drawing by lot: names and the colors of clothes."""

import colorsys

import numpy as np

Color = tuple[float, float, float]
"""RGB in [0, 255]."""


def pick(rng: np.random.Generator, **shares: float) -> str:
    """Draws one of the names, each as often as its share says; the shares sum to 1."""
    return str(rng.choice(list(shares), p=list(shares.values())))


def fashion_color(rng: np.random.Generator, dark: float = 0.3, light: float = 0.25) -> Color:
    """Draws a color as clothes have it: near black (share `dark`), near white (share `light`), else any hue."""
    kind, hue = rng.random(), rng.random()
    if kind < dark:
        saturation, value = rng.uniform(0, 0.35), rng.uniform(0.12, 0.33)
    elif kind < dark + light:
        hue = rng.uniform(0.05, 0.16) if rng.random() < 0.6 else hue
        saturation, value = rng.uniform(0, 0.18), rng.uniform(0.78, 0.91)
    else:
        saturation, value = rng.uniform(0.35, 0.85), rng.uniform(0.4, 0.88)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def contrasting(rng: np.random.Generator, color: Color, least: float = 70) -> Color:
    """Draws a fashion color that differs from `color` by at least `least` (RGB distance)."""
    for _ in range(12):
        other = fashion_color(rng, dark=0.25, light=0.3)
        if np.linalg.norm(np.subtract(other, color)) > least:
            return other
    return (24.0, 24.0, 28.0) if sum(color) > 380 else (228.0, 226.0, 220.0)
