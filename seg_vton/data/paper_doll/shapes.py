"""Outlines: smooth curves, discs, ellipses and ribbons as polygons, in any unit."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from seg_vton.data.paper_doll.canvas import Polygons

Point = Sequence[float] | np.ndarray


def smooth(points: Sequence[Point], closed: bool = True, steps: int = 6) -> np.ndarray:
    """A Catmull-Rom curve through `points`: (N, 2), `steps` samples between two points."""
    knots = np.asarray(points, np.float64)
    if closed:
        before, start, after, end = (np.roll(knots, shift, axis=0) for shift in (1, 0, -1, -2))
    else:
        padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
        before, start, after, end = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    before, start, after, end = (knot[:, None, :] for knot in (before, start, after, end))
    square, cube = 2 * before - 5 * start + 4 * after - end, 3 * start - before - 3 * after + end
    curve = (0.5 * (2 * start + (after - before) * t + square * t**2 + cube * t**3)).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])


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
    direction = (line[-1] - line[-2]) / max(float(np.linalg.norm(line[-1] - line[-2])), 1e-9)
    points += np.maximum(at - lengths[-1], 0)[:, None] * direction
    return points, np.interp(at, lengths, values)
