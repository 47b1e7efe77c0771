"""A canvas that paints shaded, anti-aliased shapes and keeps the label map of what is on top."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from seg_vton.data.paper_doll.shapes import Point, Polygons, ellipse, ribbon
from seg_vton.labels import DEEPFASHION15

LABELS = {name: i for i, name in enumerate(DEEPFASHION15.classes)}
"""Ids of `deepfashion15` by class name."""

SUPERSAMPLE = 4
_LIT = np.float32(1.06)  # brightness of a surface that faces the viewer
_SHIFT = 3  # sub-pixel bits that OpenCV's drawing gets
_FADE = 0.085  # radius in statures around the root of a shape where its light and shadow fade out


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
        rows, columns = (np.arange(s.start, s.stop, dtype=np.float32) + np.float32(0.5) for s in self.window)
        return columns[None, :], rows[:, None]


def rasterize(polygons: Polygons, size: tuple[int, int], pad: int = 2) -> Patch | None:
    """Coverage of the union of `polygons` on a canvas of `size` (width, height); None when nothing is inside.

    Points are in pixels; pixel i covers [i, i + 1). The window reaches `pad` pixels beyond the polygons.
    """
    points = np.concatenate(polygons)
    left, top, right, bottom = _bounds(points, size, pad)
    if right <= left or bottom <= top:
        return None
    fine = np.zeros(((bottom - top) * SUPERSAMPLE, (right - left) * SUPERSAMPLE), np.uint8)
    scaled = ((points - (left, top)) * SUPERSAMPLE - 0.5) * (1 << _SHIFT)
    corners, start = np.rint(scaled).astype(np.int32), 0
    for polygon in polygons:  # one call for all would leave holes where they overlap
        cv2.fillPoly(fine, [corners[start : start + len(polygon)]], 255, shift=_SHIFT)
        start += len(polygon)
    coarse = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return Patch(left, top, coarse.astype(np.float32) * np.float32(1 / 255))


def _bounds(points: np.ndarray, size: tuple[int, int], margin: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the pixels around points (N, 2), within a canvas."""
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + margin, size)
    return *low.tolist(), *high.tolist()


class Canvas:
    """An RGB image, painted back to front, with the label of the topmost shape in every pixel.

    Args:
        background: (H, W, 3) RGB in [0, 255].
        light: unit x, y vector in the image plane that points to the light (y is down).
        unit: the stature in pixels. Points are in pixels, widths and radii in statures.

    Attributes:
        image: (H, W, 3) float32 RGB in [0, 255].
        labels: (H, W) uint8, 0 where only background is.
    """

    def __init__(self, background: np.ndarray, light: tuple[float, float], unit: float) -> None:
        self.image = background.astype(np.float32)
        self.labels = np.zeros(background.shape[:2], np.uint8)
        self.light, self.unit = light, unit

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.labels.shape[1], self.labels.shape[0]

    def stroke(
        self, line: np.ndarray, half_width: float | np.ndarray, *args: Any, round_ends: bool = True, **options: Any
    ) -> None:
        """Paints a polyline (N, 2), see `ribbon`; the other arguments are those of `paint`."""
        self.paint(ribbon(line, half_width * self.unit, round_ends), *args, **options)

    def oval(self, center: Point, radii: Point, *args: Any, angle: float = 0.0, **options: Any) -> None:
        """Paints an ellipse turned by `angle` (radians, clockwise); the other arguments are those of `paint`."""
        self.paint([ellipse(center, *np.multiply(radii, self.unit), angle)], *args, **options)

    def paint(
        self,
        shape: Polygons | Patch | None,
        color: np.ndarray | Callable[[Patch], np.ndarray],
        label: str | None = None,
        *,
        pad: int | None = None,
        bulge: float = 0.0,
        shadow: float = 0.0,
        opacity: float = 1.0,
        root: np.ndarray | None = None,
    ) -> None:
        """Paints a region on top of the image.

        Args:
            shape: polygons, or their coverage.
            color: (3,) or (h, w, 3) RGB in [0, 255], or what gives it for the region's window.
            label: class of the pixels covered by half or more; None leaves the labels as they are (a detail).
            pad: pixels of the window beyond the polygons; by default as many as the rounding needs.
            bulge: radius of the rounding that the light shows at the region's edge; 0 is flat.
            shadow: strength in [0, 1] of the soft shadow on the figure underneath.
            opacity: of the color; the label does not depend on it.
            root: pixel (2,) around which light and shadow fade out, where the shape grows out of the one underneath
                (an arm out of the shoulder).
        """
        radius = bulge * self.unit
        if not isinstance(shape, Patch):
            shape = rasterize(shape, self.size, 2 + int(2 * radius) if pad is None else pad)
        if shape is None:
            return
        if callable(color):
            color = color(shape)
        alpha, fade = shape.alpha, 1.0
        if root is not None:  # 0 within half of the radius, 1 beyond it
            (x, y), center = shape.pixel_centers(), np.float32(root)
            fade = np.clip(np.hypot(x - center[0], y - center[1]) * np.float32(2 / (_FADE * self.unit)) - 1, 0, 1)
        if shadow:
            self._cast_shadow(Patch(shape.x, shape.y, alpha * fade), shadow)
        if bulge:
            color = color * (_LIT + (shade(alpha, radius, self.light) - _LIT) * fade)[..., None]
        window = self.image[shape.window]
        window += (color - window) * (alpha * np.float32(opacity))[..., None]
        if label is not None:
            self.labels[shape.window][alpha >= 0.5] = LABELS[label]

    def _cast_shadow(self, patch: Patch, strength: float) -> None:
        """Darkens the figure (never the background) around and below a patch that is about to be painted."""
        spread = max(self.size) / 110
        reach = int(3 * spread) + 1
        rows, columns = patch.window
        top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
        bottom, right = min(rows.stop + reach, self.size[1]), min(columns.stop + reach, self.size[0])
        dark = np.zeros((bottom - top, right - left), np.float32)
        dark[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = patch.alpha
        dark = self._to_light(soften(dark, spread), -spread)
        dark *= self.labels[top:bottom, left:right] > 0
        self.image[top:bottom, left:right] *= 1 - np.float32(strength) * dark[..., None]

    def crease(self, lines: list[np.ndarray], half_width: float, strength: float, label: str) -> None:
        """Draws fold lines: dark on the side away from the light, bright on the other, only on one label.

        Args:
            lines: polylines (N, 2) in pixels.
            half_width: softness.
            strength: change of brightness, in [0, 1].
            label: class of the cloth that is folded.
        """
        if not lines:
            return
        half_width *= self.unit
        left, top, right, bottom = _bounds(np.concatenate(lines), self.size, int(4 * half_width) + 3)
        if right <= left or bottom <= top:
            return
        mark = np.zeros((bottom - top, right - left), np.uint8)
        corners = [np.rint((line - (left, top) - 0.5) * (1 << _SHIFT)).astype(np.int32) for line in lines]
        cv2.polylines(mark, corners, False, 255, 1, cv2.LINE_AA, shift=_SHIFT)
        spread = max(half_width, 0.6)
        dark = soften(mark.astype(np.float32), spread) * np.float32(strength * 2 * spread / 255)
        bright = self._to_light(dark, 1.6 * spread)
        change = (np.float32(0.6) * bright - dark) * (self.labels[top:bottom, left:right] == LABELS[label])
        self.image[top:bottom, left:right] *= 1 + np.clip(change, -strength, strength)[..., None]

    def _to_light(self, array: np.ndarray, distance: float) -> np.ndarray:
        """`array` (h, w) moved toward the light by whole pixels; zeros come in."""
        x, y = (round(axis * distance) for axis in self.light)
        return cv2.warpAffine(array, np.float32([[1, 0, x], [0, 1, y]]), array.shape[::-1], flags=cv2.INTER_NEAREST)


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


def soften(alpha: np.ndarray, radius: float) -> np.ndarray:
    """A nearly Gaussian blur of standard deviation `radius` pixels: two box filters, as fast for any radius."""
    width = 2 * int(np.sqrt(6 * radius**2 + 1) / 2) + 1
    once = cv2.blur(alpha, (width, width), borderType=cv2.BORDER_REPLICATE)
    return cv2.blur(once, (width, width), borderType=cv2.BORDER_REPLICATE)
