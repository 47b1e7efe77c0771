"""The bare body: trunk, neck, arms, hands and legs."""

import numpy as np

from seg_vton.data.paper_doll.body import CHEST, CROTCH, HIP, NECK, SIDES, WAIST, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Polygons
from seg_vton.data.paper_doll.shapes import ribbon, smooth

SHOULDER_FADE = 0.085
"""Radius in statures around the shoulder joint where an arm's light fades into the trunk's."""

_FINGERS = ((-0.0135, 0.03, -0.1), (-0.0045, 0.036, -0.03), (0.0045, 0.034, 0.03), (0.0135, 0.026, 0.12))
"""Place across the palm, length (statures) and spread of each finger."""


def paint_trunk(canvas: Canvas, figure: Figure, skin: np.ndarray) -> None:
    """Paints the torso from the crotch to the shoulders, and the neck."""
    width, radius = figure.trunk.half_width, figure.body.arm[0]
    levels = (HIP, 0.06, WAIST, 0.175, CHEST)
    left, right = (figure.points((side * width(h), h) for h in levels) for side in SIDES)
    slopes = []  # the shoulders, from the tip to the side of the neck
    for side in SIDES:
        tip = figure.camera(figure.arms[side].shoulder + np.array([side * 0.4 * radius, -0.75 * radius]))
        neck = side * figure.body.neck
        slopes.append([tip, figure.spine(1.75 * neck, NECK - 0.006), figure.spine(0.98 * neck, NECK + 0.012)])
    bottom = figure.points((width(CROTCH) * x, CROTCH) for x in (0.95, 0.0, -0.95))
    torso = smooth([*left, *slopes[0], *slopes[1][::-1], *right[::-1], *bottom], steps=4)
    line = np.stack([figure.spine(0, NECK - 0.03), figure.spine(0, NECK + 0.01), figure.head((0.0, 0.22))])
    neck = ribbon(line, np.array([1.1, 0.98, 0.98]) * (figure.body.neck * figure.unit))
    canvas.paint([torso, *neck], skin, "skin", bulge=0.011 * figure.unit)


def paint_leg(canvas: Canvas, figure: Figure, side: int, skin: np.ndarray) -> None:
    """Paints one leg with its foot."""
    parts = [*ribbon(*figure.leg_line(side)), figure.foot_outline(side)]
    canvas.paint(parts, skin, "skin", bulge=0.02 * figure.unit)


def paint_arm(canvas: Canvas, figure: Figure, side: int, skin: np.ndarray) -> None:
    """Paints one arm from the shoulder to the fingertips."""
    line, widths = figure.arm_line(side)
    root = (line[0], SHOULDER_FADE * figure.unit)
    limb = [*ribbon(line, widths), *_hand(figure, side)]
    canvas.paint(limb, skin, "skin", bulge=0.011 * figure.unit, shadow=0.4, root=root)


def paint_hand(canvas: Canvas, figure: Figure, side: int, skin: np.ndarray) -> None:
    """Paints one hand again, over what it holds."""
    canvas.paint(_hand(figure, side), skin, "skin", bulge=0.008 * figure.unit, shadow=0.2)


def _hand(figure: Figure, side: int) -> Polygons:
    """Palm, four fingers and the thumb."""
    unit, wrist = figure.unit, figure.camera(figure.arms[side].wrist)
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
