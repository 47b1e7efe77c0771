"""The bare body: trunk, neck, arms, hands and legs."""

from __future__ import annotations

import numpy as np

from seg_vton.data.paper_doll.body import CHEST, CROTCH, HIP, NECK, SIDES, WAIST, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Polygons
from seg_vton.data.paper_doll.shapes import moved, ribbon, smooth

SHOULDER_FADE = 0.085
"""Radius in statures around the shoulder joint where an arm's light fades into the trunk's."""

_FINGERS = ((-0.0135, 0.03, -0.1), (-0.0045, 0.036, -0.03), (0.0045, 0.034, 0.03), (0.0135, 0.026, 0.12))
"""Place across the palm, length (statures) and spread of each finger."""


def paint_trunk(canvas: Canvas, figure: Figure, skin: np.ndarray, label: int) -> None:
    """Paints the torso from the crotch to the shoulders, and the neck."""
    radius = figure.body.neck * figure.unit
    line = np.stack([figure.spine(0, NECK - 0.03), figure.spine(0, NECK + 0.01), figure.head_point(0.0, 0.22)])
    neck = ribbon(line, np.array([1.1, 0.98, 0.98]) * radius)
    canvas.paint([_torso_outline(figure), *neck], skin, label, bulge=0.011 * figure.unit)


def _torso_outline(figure: Figure) -> np.ndarray:
    trunk = figure.trunk
    left = [figure.point(-trunk.half_width(h), h) for h in (HIP, 0.06, WAIST, 0.175, CHEST)]
    shoulders = [_shoulder_slope(figure, side) for side in SIDES]
    right = [figure.point(trunk.half_width(h), h) for h in (CHEST, 0.175, WAIST, 0.06, HIP)]
    bottom = [figure.point(trunk.half_width(CROTCH) * x, CROTCH) for x in (0.95, 0.0, -0.95)]
    return smooth([*left, *shoulders[0], *shoulders[1][::-1], *right, *bottom], steps=4)


def _shoulder_slope(figure: Figure, side: int) -> list[np.ndarray]:
    """Pixels along the shoulder from its tip to the side of the neck."""
    shoulder, neck = figure.arm(side).shoulder, side * figure.body.neck
    radius = figure.body.arm[0]
    tip = figure.camera(moved(shoulder, side * 0.4 * radius, -0.75 * radius))
    return [tip, figure.spine(1.75 * neck, NECK - 0.006), figure.spine(0.98 * neck, NECK + 0.012)]


def paint_leg(canvas: Canvas, figure: Figure, side: int, skin: np.ndarray, label: int) -> None:
    """Paints one leg with its foot."""
    line = figure.leg_line(side)
    parts = [*ribbon(line, figure.leg_half_widths(line)), figure.foot_outline(side)]
    canvas.paint(parts, skin, label, bulge=0.02 * figure.unit)


def paint_arm(canvas: Canvas, figure: Figure, side: int, skin: np.ndarray, label: int) -> None:
    """Paints one arm from the shoulder to the fingertips."""
    line = figure.arm_line(side)
    limb = [*ribbon(line, figure.arm_half_widths(line)), *_hand(figure, side, line[-1])]
    root = (line[0], SHOULDER_FADE * figure.unit)
    canvas.paint(limb, skin, label, bulge=0.011 * figure.unit, shadow=0.4, root=root)


def paint_hand(canvas: Canvas, figure: Figure, side: int, skin: np.ndarray, label: int) -> None:
    """Paints one hand again, over what it holds."""
    wrist = figure.arm_line(side)[-1]
    canvas.paint(_hand(figure, side, wrist), skin, label, bulge=0.008 * figure.unit, shadow=0.2)


def _hand(figure: Figure, side: int, wrist: np.ndarray) -> Polygons:
    """Palm, four fingers and the thumb."""
    unit = figure.unit
    along = figure.hand_direction(side)
    across = np.array([along[1], -along[0]]) * side
    parts = ribbon(np.stack([wrist, wrist + along * 0.036 * unit]), np.array([0.0135, 0.0195]) * unit)
    for offset, length, spread in _FINGERS:
        root = wrist + (along * 0.034 + across * offset) * unit
        tip = root + (along + across * spread) * length * unit
        parts += ribbon(np.stack([root, tip]), np.array([0.0056, 0.0046]) * unit)
    root = wrist + (along * 0.012 - across * 0.012) * unit
    tip = root + (along * 0.026 - across * 0.016) * unit
    return parts + ribbon(np.stack([root, tip]), np.array([0.0068, 0.005]) * unit)
