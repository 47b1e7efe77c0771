"""Shapes in any unit: outlines as polygons, and the deformation from the flat garment to the person.

The torso follows a thin-plate spline through matched landmarks (Bookstein, "Principal warps", PAMI 1989), as CP-VTON's
geometric matching module assumes; each sleeve follows the arm, by arc length along it and distance across it. Both are
backward maps for `cv2.remap`.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

Point = Sequence[float] | np.ndarray

Polygons = list[np.ndarray]
"""A region as the union of filled polygons, each (N, 2) float x, y."""

_COARSE = 4  # pixels between two evaluations of the spline; it is smooth, so the rest is interpolated


def smooth(points: Sequence[Point], steps: int = 6) -> np.ndarray:
    """A closed Catmull-Rom curve through `points`: (N, 2), `steps` samples between two points."""
    return _catmull_rom(*(np.roll(np.asarray(points, np.float64), shift, axis=0) for shift in (1, 0, -1, -2)), steps)


def curve(points: Sequence[Point], steps: int = 6) -> np.ndarray:
    """As `smooth`, but open: from the first point to the last."""
    knots = np.asarray(points, np.float64)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    return np.concatenate([_catmull_rom(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], steps), knots[-1:]])


def _catmull_rom(before: np.ndarray, start: np.ndarray, after: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Samples (N * steps, 2) from each point of `start` on toward that of `after`, with their neighbors (N, 2)."""
    t = (np.arange(steps) / steps)[None, :, None]
    before, start, after, end = (knot[:, None, :] for knot in (before, start, after, end))
    square, cube = 2 * before - 5 * start + 4 * after - end, 3 * start - before - 3 * after + end
    return (0.5 * (2 * start + (after - before) * t + square * t**2 + cube * t**3)).reshape(-1, 2)


def ellipse(center: Point, radius_x: float, radius_y: float, angle: float = 0.0, steps: int = 24) -> np.ndarray:
    """An ellipse turned by `angle` (radians, clockwise on the screen) as a polygon (steps, 2)."""
    local = _unit_circle(steps) * (radius_x, radius_y)
    return np.asarray(center, np.float64) + (local @ rotation(angle).T if angle else local)


@cache
def _unit_circle(steps: int) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def rotation(angle: float) -> np.ndarray:
    """The (2, 2) matrix that turns column vectors by `angle` radians, clockwise on the screen (y is down)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def unit_vector(vector: np.ndarray) -> np.ndarray:
    """`vector` (2,) at length 1; zero stays zero."""
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def normals(line: np.ndarray) -> np.ndarray:
    """Unit normals (N, 2) of a polyline at its points: the direction turned by -90 degrees on the screen."""
    step = line[1:] - line[:-1]
    direction = np.concatenate([step[:1], step[1:] + step[:-1], step[-1:]])
    direction /= np.maximum(np.hypot(direction[:, :1], direction[:, 1:]), 1e-9)
    return direction[:, ::-1] * (1, -1)


def ribbon(line: np.ndarray, half_widths: np.ndarray | float, round_ends: bool = True) -> Polygons:
    """The region within `half_widths` of a polyline: one quadrilateral per segment, discs at the joints.

    Drawn as a union, it has no holes where the line bends sharply. Without `round_ends` the first and the last
    point are cut straight.
    """
    line = np.asarray(line, np.float64)
    half_widths = np.broadcast_to(np.asarray(half_widths, np.float64), len(line))
    offset = normals(line) * half_widths[:, None]
    left, right = line + offset, line - offset
    quads = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)
    step = line[1:] - line[:-1]
    turn = step[1:, 0] * step[:-1, 1] - step[1:, 1] * step[:-1, 0]
    along = step[1:, 0] * step[:-1, 0] + step[1:, 1] * step[:-1, 1]
    bends = np.abs(turn) > 0.052 * along  # by three degrees or more: there the quadrilaterals leave gaps
    joints = [*np.flatnonzero(bends) + 1, *((0, len(line) - 1) if round_ends else ())]
    return [*quads, *(ellipse(line[i], half_widths[i], half_widths[i], steps=16) for i in joints)]


def tube(line: np.ndarray, half_widths: np.ndarray) -> Polygons:
    """A sleeve or a trouser leg: round where it begins, cut straight at its end."""
    return [*ribbon(line, half_widths, round_ends=False), ellipse(line[0], half_widths[0], half_widths[0])]


def arc_length(line: np.ndarray) -> np.ndarray:
    """Cumulative length (N,) along a polyline, 0 at its first point."""
    step = line[1:] - line[:-1]
    return np.concatenate([[0.0], np.cumsum(np.hypot(step[:, 0], step[:, 1]))])


def between(a: Point, b: Point, t: float) -> np.ndarray:
    """The point a fraction `t` of the way from `a` to `b`."""
    return np.asarray(a, np.float64) * (1 - t) + np.asarray(b, np.float64) * t


def cut(line: np.ndarray, values: np.ndarray, share: float, steps: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """The first part of a polyline (N, 2) at even points: (steps, 2), and a quantity `values` (N,) there, (steps,).

    `share` is of the line's length; beyond 1 it goes on straight.
    """
    lengths = arc_length(line)
    at = np.linspace(0, float(lengths[-1]) * share, steps)
    points = np.stack([np.interp(at, lengths, line[:, axis]) for axis in (0, 1)], axis=1)
    points += np.maximum(at - lengths[-1], 0)[:, None] * unit_vector(line[-1] - line[-2])
    return points, np.interp(at, lengths, values)


class ThinPlateSpline:
    """The interpolating thin-plate spline that takes `source` (N, 2) to `target` (N, 2)."""

    def __init__(self, source: np.ndarray, target: np.ndarray) -> None:
        self._knots = np.asarray(source, np.float64)
        count = len(self._knots)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = self._kernel(self._knots) + 1e-3 * np.eye(count)
        system[:count, count] = system[count, :count] = 1
        system[:count, count + 1 :] = self._knots
        system[count + 1 :, :count] = self._knots.T
        right = np.concatenate([np.asarray(target, np.float64), np.zeros((3, 2))])
        self._weights = np.linalg.solve(system, right)

    def _kernel(self, points: np.ndarray) -> np.ndarray:
        square = ((points[:, None, :] - self._knots[None, :, :]) ** 2).sum(-1)
        return square * np.log(np.maximum(square, 1e-12))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Images (M, 2) of `points` (M, 2)."""
        count = len(self._knots)
        affine = self._weights[count] + points @ self._weights[count + 1 :]
        return affine + self._kernel(points) @ self._weights[:count]

    def over(self, left: int, top: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """x and y images, each (height, width) float32, of the pixel centers of a window."""
        columns, rows = width // _COARSE + 2, height // _COARSE + 2
        # cv2.resize puts coarse sample i at fine position (i + .5) * step - .5 from the window's corner.
        x = left + (np.arange(columns) + 0.5) * _COARSE
        y = top + (np.arange(rows) + 0.5) * _COARSE
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        coarse = self(grid).reshape(rows, columns, 2).astype(np.float32)
        fine = cv2.resize(coarse, (columns * _COARSE, rows * _COARSE), interpolation=cv2.INTER_LINEAR)
        return fine[:height, :width, 0], fine[:height, :width, 1]


def along_and_across(line: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the points `x` (1, w), `y` (h, 1) in the frame of a polyline (N, 2), each (h, w) float32.

    For each point the arc length of the nearest point of the line, and the distance to it, positive on the side of
    `normals`.
    """
    lengths = arc_length(line).astype(np.float32)
    line = line.astype(np.float32)
    best = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf, np.float32)
    along, across = np.zeros_like(best), np.zeros_like(best)
    for i in range(len(line) - 1):
        dx, dy = line[i + 1] - line[i]
        length = max(float(np.hypot(dx, dy)), 1e-6)
        dx, dy = dx / length, dy / length
        u = (x - line[i, 0]) * dx + (y - line[i, 1]) * dy
        v = (x - line[i, 0]) * dy - (y - line[i, 1]) * dx
        first, last = i == 0, i == len(line) - 2
        inside = np.clip(u, -np.inf if first else 0, np.inf if last else length)
        square = v * v + (u - inside) ** 2
        nearer = square < best
        best = np.where(nearer, square, best)
        along = np.where(nearer, lengths[i] + inside, along)
        across = np.where(nearer, np.copysign(np.sqrt(square), v), across)
    return along, across


def quad_map(quad: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear point of a quadrilateral: x and y, float32 of the shape of `u`.

    The corners (4, 2) are start at v=-1, end at v=-1, end at v=1, start at v=1; `u` goes from 0 at the start to 1 at
    the end, `v` from -1 to 1 across.
    """
    w = (v + 1) * np.float32(0.5)
    weights = [(1 - u) * (1 - w), u * (1 - w), u * w, (1 - u) * w]
    x, y = (sum(weight * corner for weight, corner in zip(weights, axis, strict=True)) for axis in np.float32(quad).T)
    return x, y


def sample(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of `image` at float32 coordinates (pixel i covers [i, i + 1)); the border is repeated."""
    return cv2.remap(image, x - 0.5, y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
