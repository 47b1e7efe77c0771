"""An upper garment on a figure: the flat one, deformed."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np

from seg_vton.data.paper_doll.body import CHEST, SHOULDER, SIDES, STANDARD_BODY, WAIST, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Patch, rasterize
from seg_vton.data.paper_doll.flat import TURTLE, FlatGarment
from seg_vton.data.paper_doll.limbs import SHOULDER_FADE
from seg_vton.data.paper_doll.shapes import arc_length, between, cut, ellipse, moved, normals, ribbon, smooth
from seg_vton.data.paper_doll.warp import ThinPlateSpline, along_and_across, quad_map, sample


class WornGarment:
    """A flat garment on a figure.

    The front follows a thin-plate spline through matched landmarks, each sleeve follows its arm; both take their
    colors from `FlatGarment.albedo` alone.
    """

    def __init__(self, flat: FlatGarment, figure: Figure, label: int, size: tuple[int, int]) -> None:
        self.flat, self.figure, self.label, self._size = flat, figure, label, size
        self.garment = flat.garment
        self._shrink()

    def _shrink(self) -> None:
        """Makes the albedo about as fine as the person, so that sampling does not alias."""
        ratio = min(1.0, 1.25 * self.figure.unit / self.flat.scale)
        size = [max(8, round(side * ratio)) for side in self.flat.canvas_size]
        self._ratio = np.array(size) / self.flat.canvas_size
        self._albedo, self._front, self._back = (
            cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            for image in (self.flat.albedo, self.flat.front, self.flat.back)
        )

    @cached_property
    def _landmarks(self) -> tuple[np.ndarray, np.ndarray]:
        """Matched landmarks (N, 2): pixels on the person, pixels of the shrunk albedo."""
        person, flat = [], []
        pattern, trunk = self.flat.pattern, self.figure.trunk
        levels = [h for h in (CHEST - 0.012, 0.175, WAIST, 0.05, -0.02, -0.12, -0.2) if h > self.garment.hem + 0.02]
        for h in [*levels, self.garment.hem]:
            for x in (-1.0, -0.5, 0.0, 0.5, 1.0):
                flat.append((x * pattern.half_width(h), SHOULDER - h))
                person.append(self.figure.point(x * (trunk.half_width(h) + self.garment.ease_at(h)), h))
        for side in SIDES:
            flat.append(pattern.tip * (side, 1))
            person.append(self._shoulder_tip(side))
            flat.append(pattern.neck * (side, 1))
            person.append(self._neck_side(side))
        depth = pattern.neck[1] + 0.02
        flat.append((0.0, depth))
        person.append(self.figure.point(0.0, SHOULDER - depth))
        if self.garment.neckline == "turtle":
            for side in SIDES:
                flat.append((side * STANDARD_BODY.neck * 1.12, pattern.neck[1] - TURTLE))
                person.append(self._neck_side(side, 1.12, TURTLE))
        return np.array(person), self.flat.pixels(np.array(flat)) * self._ratio

    def _shoulder_tip(self, side: int) -> np.ndarray:
        arm = self.figure.arm(side)
        trunk, radius = self.figure.trunk, self.figure.body.arm[0]
        outer = moved(arm.shoulder + trunk.across(SHOULDER) * side * radius * 0.7, 0.0, -0.75 * radius)
        neck = trunk.center(SHOULDER)
        return self.figure.camera(
            between(neck, outer, min(self.garment.strap, 1.0)) - np.array([0, 0.02 * (1 - min(self.garment.strap, 1))])
        )

    def _neck_side(self, side: int, width: float | None = None, above: float = 0.0) -> np.ndarray:
        relative = self.garment.neck_width if width is None else width
        h = SHOULDER - self.flat.pattern.neck[1] + above
        return self.figure.spine(side * self.figure.body.neck * relative, h)

    @cached_property
    def _window(self) -> tuple[int, int, int, int]:
        """left, top, width, height of the part of the image that the front may cover."""
        width, height = self._size
        margin = 0.06 * self.figure.unit
        low = np.maximum(np.floor(self._landmarks[0].min(axis=0) - margin), 0).astype(int)
        high = np.minimum(np.ceil(self._landmarks[0].max(axis=0) + margin), (width, height)).astype(int)
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])

    @cached_property
    def _front_map(self) -> tuple[np.ndarray, np.ndarray]:
        person, flat = self._landmarks
        return ThinPlateSpline(person, flat).over(*self._window)

    def _torso(self, cover: np.ndarray) -> tuple[Patch, np.ndarray] | None:
        left, top, width, height = self._window
        if width <= 0 or height <= 0:
            return None
        x, y = self._front_map
        return Patch(left, top, sample(cover, x, y)), sample(self._albedo, x, y)

    def paint_back(self, canvas: Canvas) -> None:
        """Paints the inside of the back, which shoulders and neck then cover."""
        torso = self._torso(self._back)
        if torso is not None:
            canvas.blend(torso[0], torso[1] * np.float32(0.6), self.label)

    def paint_front(self, canvas: Canvas, tucked: bool = False) -> None:
        """Paints the front; `tucked` ends it at the waistband."""
        cover = self._front.copy()
        if tucked:
            cover[round(self._flat_row(WAIST - 0.018)) :] = 0
        torso = self._torso(cover)
        if torso is None:
            return
        canvas.blend(*torso, self.label, bulge=0.028 * self.figure.unit, shadow=0.35)
        canvas.crease(self._folds(), 0.005 * self.figure.unit, 0.1, self.label)

    def _flat_row(self, h: float) -> float:
        """Row of the shrunk albedo that holds the height `h`."""
        return float(self.flat.pixels(np.array([0.0, SHOULDER - h]))[1] * self._ratio[1])

    def _folds(self) -> list[np.ndarray]:
        """Fold lines: from the armpits to the chest, and at the waist on the side to which the trunk bends."""
        figure, trunk = self.figure, self.figure.trunk
        folds = []
        for side in SIDES:
            raised = 1.0 if figure.arm(side).gesture in ("raised", "wave", "head", "out") else 0.5
            chest, waist = trunk.half_width(CHEST), trunk.half_width(WAIST)
            pull = [
                figure.point(side * chest * x, h) for x, h in ((0.95, 0.225), (0.7, 0.205), (0.7 - 0.4 * raised, 0.2))
            ]
            folds.append(smooth(pull, closed=False))
            bend = 0.5 + np.clip(6 * side * (trunk.posture.lean + 4 * trunk.posture.bow), -0.4, 0.5)
            for h, reach, drop in ((WAIST + 0.012, 0.5, 0.022), (WAIST - 0.022, 0.34, -0.012)):
                ends = ((1.0, 0.0), (1 - 0.5 * reach, 0.3 * drop), (1 - reach * (0.5 + bend), drop))
                folds.append(smooth([figure.point(side * waist * x, h - fall) for x, fall in ends], closed=False))
        return folds

    def paint_sleeve(self, canvas: Canvas, side: int) -> None:
        """Paints one sleeve, if the garment has any."""
        if not self.garment.sleeve:
            return
        line, widths = self.sleeve_tube(side)
        polygons = [*ribbon(line, widths, round_ends=False), ellipse(line[0], widths[0], widths[0])]
        patch = rasterize(polygons, canvas.size, pad=6)
        if patch is None:
            return
        along, across = along_and_across(line, patch)
        lengths = arc_length(line)
        half = np.interp(along, lengths, widths).astype(np.float32)
        v = np.clip(across / half * side * -1, -1, 1)
        u = np.clip(along / np.float32(lengths[-1]), 0, 1)
        x, y = quad_map(self.flat.sleeve_pixels(side) * self._ratio, u, v)
        unit = self.figure.unit
        root = (line[0], SHOULDER_FADE * unit)
        canvas.blend(patch, sample(self._albedo, x, y), self.label, bulge=0.016 * unit, shadow=0.4, root=root)
        canvas.crease(self._elbow_folds(side, line, widths), 0.0045 * unit, 0.2, self.label)

    def _elbow_folds(self, side: int, line: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        """Fold lines inside a bent elbow and across the upper arm."""
        arm, unit = self.figure.arm(side), self.figure.unit
        if self.garment.sleeve < 0.8:
            return []
        upper, lower = arm.elbow - arm.shoulder, arm.wrist - arm.elbow
        turn = float(upper[0] * lower[1] - upper[1] * lower[0]) / float(np.hypot(*upper) * np.hypot(*lower))
        inner = normals(line) * (-np.sign(turn) * widths)[:, None]
        folds = []
        for at, slant in ((5, 2), (7, 1), (8, -1)):
            start = line[at] + inner[at]
            folds.append(np.stack([start, between(start, line[at + slant], 0.4 + 0.9 * abs(turn))]))
        return [fold for fold in folds if np.ptp(fold) > 0.01 * unit]

    def sleeve_tube(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Middle line (N, 2) and half-widths (N,) in pixels of one sleeve."""
        line = self.figure.arm_line(side)
        end = float(arc_length(line)[-1]) * min(self.garment.sleeve, 1.0)
        line, bare = cut(line, self.figure.arm_half_widths(line), end)
        ease = np.linspace(0.003 + 0.4 * self.garment.ease[0], self.garment.sleeve_ease, len(line))
        return line, bare + ease * self.figure.unit
