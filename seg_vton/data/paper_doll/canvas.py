"""A canvas that paints shaded, anti-aliased shapes and keeps the label map of what is on top."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from seg_vton.labels import DEEPFASHION15

LABELS = {name: i for i, name in enumerate(DEEPFASHION15.classes)}
"""Ids of `deepfashion15` by class name."""

Polygons = list[np.ndarray]
"""A region as the union of filled polygons, each (N, 2) float x, y in pixels; pixel i covers [i, i + 1)."""

SUPERSAMPLE = 4
_LIT = np.float32(1.06)  # brightness of a surface that faces the viewer
_SHIFT = 3  # sub-pixel bits that cv2.fillPoly gets


@dataclass(frozen=True)
class Patch:
    """Coverage of a shape in a window of the canvas."""

    x: int  # left column of the window
    y: int  # top row of the window
    alpha: np.ndarray  # (h, w) float32 in [0, 1]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the window, to index an image with."""
        height, width = self.alpha.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)

    def pixel_centers(self) -> tuple[np.ndarray, np.ndarray]:
        """x (1, w) and y (h, 1) of the window's pixel centers in canvas coordinates, float32."""
        height, width = self.alpha.shape
        x = np.arange(self.x, self.x + width, dtype=np.float32) + np.float32(0.5)
        y = np.arange(self.y, self.y + height, dtype=np.float32) + np.float32(0.5)
        return x[None, :], y[:, None]


def rasterize(polygons: Polygons, size: tuple[int, int], pad: int = 2) -> Patch | None:
    """Coverage of the union of `polygons` on a canvas of `size` (width, height); None when nothing is inside."""
    points = np.concatenate(polygons)
    left, top = np.floor(points.min(axis=0)).astype(int) - pad
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + pad
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, size[0]), min(bottom, size[1])
    if right <= left or bottom <= top:
        return None
    fine = np.zeros(((bottom - top) * SUPERSAMPLE, (right - left) * SUPERSAMPLE), np.uint8)
    scaled = ((points - (left, top)) * SUPERSAMPLE - 0.5) * (1 << _SHIFT)
    corners, start = np.rint(scaled).astype(np.int32), 0
    for polygon in polygons:
        cv2.fillPoly(fine, [corners[start : start + len(polygon)]], 255, shift=_SHIFT)
        start += len(polygon)
    coarse = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return Patch(int(left), int(top), coarse.astype(np.float32) * np.float32(1 / 255))


class Canvas:
    """An RGB image, painted back to front, with the label of the topmost shape in every pixel.

    Args:
        background: (H, W, 3) RGB in [0, 255].
        light: unit x, y vector in the image plane that points to the light (y is down).

    Attributes:
        image: (H, W, 3) float32 RGB in [0, 255].
        labels: (H, W) uint8, 0 where only background is.
    """

    def __init__(self, background: np.ndarray, light: tuple[float, float]) -> None:
        self.image = background.astype(np.float32)
        self.labels = np.zeros(background.shape[:2], np.uint8)
        self.light = light

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.labels.shape[1], self.labels.shape[0]

    def paint(
        self, polygons: Polygons, color: np.ndarray, label: str | None = None, *, bulge: float = 0.0, **options: Any
    ) -> None:
        """Paints a region in one color; the arguments are those of `blend`."""
        patch = rasterize(polygons, self.size, pad=2 + int(2 * bulge))
        if patch is not None:
            self.blend(patch, color, label, bulge=bulge, **options)

    def blend(
        self,
        patch: Patch,
        color: np.ndarray,
        label: str | None = None,
        *,
        bulge: float = 0.0,
        shadow: float = 0.0,
        opacity: float = 1.0,
        root: tuple[np.ndarray, float] | None = None,
    ) -> None:
        """Puts a covered window on top of the image.

        Args:
            patch: coverage and place.
            color: (3,) or (h, w, 3) RGB in [0, 255].
            label: class of the pixels covered by half or more; None leaves the labels as they are (a detail).
            bulge: radius in pixels of the rounding that the light shows at the region's edge; 0 is flat.
            shadow: strength in [0, 1] of the soft shadow on the figure underneath.
            opacity: of the color; the label does not depend on it.
            root: pixel and radius around which light and shadow fade out, where the shape grows out of the one
                underneath (an arm out of the shoulder).
        """
        fade = 1.0
        if root is not None:  # 0 within half of the radius, 1 beyond it
            (x, y), center = patch.pixel_centers(), np.float32(root[0])
            fade = np.clip(np.hypot(x - center[0], y - center[1]) * np.float32(2 / root[1]) - 1, 0, 1)
        if shadow:
            self._cast_shadow(Patch(patch.x, patch.y, patch.alpha * fade), shadow)
        if bulge:
            light = shade(patch.alpha, bulge, self.light)
            color = color * (_LIT + (light - _LIT) * fade)[..., None]
        window = self.image[patch.window]
        window += (color - window) * (patch.alpha * np.float32(opacity))[..., None]
        if label is not None:
            self.labels[patch.window][patch.alpha >= 0.5] = LABELS[label]

    def _cast_shadow(self, patch: Patch, strength: float) -> None:
        """Darkens the figure (never the background) around and below a patch that is about to be painted."""
        spread = max(self.size) / 110
        reach = int(3 * spread) + 1
        rows, columns = patch.window
        top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
        bottom, right = min(rows.stop + reach, self.size[1]), min(columns.stop + reach, self.size[0])
        dark = np.zeros((bottom - top, right - left), np.float32)
        dark[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = patch.alpha
        dark = _shifted(soften(dark, spread), round(-self.light[0] * spread), round(-self.light[1] * spread))
        dark *= self.labels[top:bottom, left:right] > 0
        self.image[top:bottom, left:right] *= 1 - np.float32(strength) * dark[..., None]

    def crease(self, lines: list[np.ndarray], half_width: float, strength: float, label: str) -> None:
        """Draws fold lines: dark on the side away from the light, bright on the other, only on one label.

        Args:
            lines: polylines (N, 2) in pixels.
            half_width: softness in pixels.
            strength: change of brightness, in [0, 1].
            label: class of the cloth that is folded.
        """
        if not lines:
            return
        points, reach = np.concatenate(lines), int(4 * half_width) + 3
        left, top = np.maximum(np.floor(points.min(axis=0)).astype(int) - reach, 0)
        right, bottom = np.minimum(np.ceil(points.max(axis=0)).astype(int) + reach, self.size)
        if right <= left or bottom <= top:
            return
        mark = np.zeros((bottom - top, right - left), np.uint8)
        for line in lines:
            local = np.rint((line - (left, top) - 0.5) * 8).astype(np.int32)
            cv2.polylines(mark, [local], False, 255, 1, cv2.LINE_AA, shift=3)
        spread = max(half_width, 0.6)
        dark = soften(mark.astype(np.float32), spread) * np.float32(strength * 2 * spread / 255)
        bright = _shifted(dark, round(self.light[0] * 1.6 * spread), round(self.light[1] * 1.6 * spread))
        change = (np.float32(0.6) * bright - dark) * (self.labels[top:bottom, left:right] == LABELS[label])
        self.image[top:bottom, left:right] *= 1 + np.clip(change, -strength, strength)[..., None]


def _shifted(array: np.ndarray, x: int, y: int) -> np.ndarray:
    """`array` (h, w) moved by whole pixels; zeros come in."""
    height, width = array.shape
    moved = np.zeros_like(array)
    moved[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = array[
        max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)
    ]
    return moved


def soften(alpha: np.ndarray, radius: float) -> np.ndarray:
    """A nearly Gaussian blur of standard deviation `radius` pixels: two box filters, as fast for any radius."""
    width = 2 * int(np.sqrt(6 * radius**2 + 1) / 2) + 1
    once = cv2.blur(alpha, (width, width), borderType=cv2.BORDER_REPLICATE)
    return cv2.blur(once, (width, width), borderType=cv2.BORDER_REPLICATE)


def shade(alpha: np.ndarray, radius: float, light: tuple[float, float], strength: float = 0.55) -> np.ndarray:
    """Brightness, (h, w) float32 around 1, of a region whose edge is rounded and lit from `light`.

    The blurred coverage is read as a height field: its gradient turns the surface to or from the light, and the
    rim is darker than the middle. Where the region leaves the image there is no rim.
    """
    height = soften(alpha, radius)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125, borderType=cv2.BORDER_REPLICATE)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125, borderType=cv2.BORDER_REPLICATE)
    facing = (slope_x * light[0] + slope_y * light[1]) * np.float32(-1.6 * radius)
    facing = np.minimum(facing, np.float32(0.45) * facing)  # highlights are weaker than shadows
    return _LIT + np.float32(strength) * (facing + 0.45 * (height - 1))
