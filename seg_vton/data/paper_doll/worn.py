"""An upper garment on a figure: the flat one, deformed."""

from functools import cached_property

import cv2
import numpy as np

from seg_vton.data.paper_doll.body import CHEST, SHOULDER, SIDES, STANDARD_BODY, WAIST, Figure
from seg_vton.data.paper_doll.canvas import Canvas, Patch
from seg_vton.data.paper_doll.flat import TURTLE, FlatGarment
from seg_vton.data.paper_doll.shapes import (
    ThinPlateSpline,
    along_and_across,
    arc_length,
    between,
    curve,
    cut,
    normals,
    quad_map,
    sample,
    tube,
)


class WornGarment:
    """A flat garment on a figure.

    The front follows a thin-plate spline through matched landmarks, each sleeve follows its arm; both take their
    colors from `FlatGarment.albedo` alone.
    """

    def __init__(self, flat: FlatGarment, figure: Figure, size: tuple[int, int]) -> None:
        self.flat, self.figure, self._size = flat, figure, size
        self.garment = flat.garment
        # The albedo about as fine as the person, so that sampling does not alias.
        ratio = min(1.0, 1.25 * figure.unit / flat.scale)
        shrunk = [max(8, round(side * ratio)) for side in flat.canvas_size]
        self._ratio = np.array(shrunk) / flat.canvas_size
        self._albedo, self._front, self._back = (
            cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA) for image in (flat.albedo, flat.front, flat.back)
        )

    @cached_property
    def _landmarks(self) -> tuple[np.ndarray, np.ndarray]:
        """Matched landmarks (N, 2): pixels on the person, pixels of the shrunk albedo."""
        person, flat = [], []
        garment, pattern, figure, trunk = self.garment, self.flat.pattern, self.figure, self.figure.trunk
        levels = [h for h in (CHEST - 0.012, 0.175, WAIST, 0.05, -0.02, -0.12, -0.2) if h > garment.hem + 0.02]
        for h in [*levels, garment.hem]:
            for x in (-1.0, -0.5, 0.0, 0.5, 1.0):
                flat.append((x * pattern.half_width(h), SHOULDER - h))
                person.append(figure.point(x * (trunk.half_width(h) + garment.ease_at(h)), h))
        radius, strap = figure.body.arm[0], min(garment.strap, 1.0)
        neck = SHOULDER - pattern.neck[1]
        for side in SIDES:
            flat += [pattern.tip * (side, 1), pattern.neck * (side, 1)]
            outer = figure.arms[side].shoulder + trunk.across(SHOULDER) * side * radius * 0.7
            outer = outer + np.array([0.0, -0.75 * radius])
            tip = between(trunk.center(SHOULDER), outer, strap) - np.array([0, 0.02 * (1 - strap)])
            person += [figure.pixels(tip), figure.spine(side * figure.body.neck * garment.neck_width, neck)]
        depth = pattern.neck[1] + 0.02
        flat.append((0.0, depth))
        person.append(figure.point(0.0, SHOULDER - depth))
        if garment.neckline == "turtle":
            for side in SIDES:
                flat.append((side * STANDARD_BODY.neck * 1.12, pattern.neck[1] - TURTLE))
                person.append(figure.spine(side * figure.body.neck * 1.12, neck + TURTLE))
        return np.array(person), self.flat.pixels(np.array(flat)) * self._ratio

    @cached_property
    def _front_map(self) -> tuple[int, int, np.ndarray, np.ndarray]:
        """left and top of the part of the image that the front may cover, and where it lies in the shrunk albedo."""
        person, margin = self._landmarks[0], 0.06 * self.figure.unit
        left, top = np.maximum(np.floor(person.min(axis=0) - margin), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(person.max(axis=0) + margin), self._size).astype(int).tolist()
        return left, top, *ThinPlateSpline(*self._landmarks).over(left, top, right - left, bottom - top)

    def _torso(self, cover: np.ndarray) -> tuple[Patch, np.ndarray]:
        """What a layer of the flat garment covers on the person, and its colors."""
        left, top, x, y = self._front_map
        return Patch(left, top, sample(cover, x, y)), sample(self._albedo, x, y)

    def paint_back(self, canvas: Canvas) -> None:
        """Paints the inside of the back, which shoulders and neck then cover."""
        patch, color = self._torso(self._back)
        canvas.paint(patch, color * np.float32(0.6), self.garment.class_name)

    def paint_front(self, canvas: Canvas, tucked: bool = False) -> None:
        """Paints the front; `tucked` ends it at the waistband."""
        cover = self._front.copy()
        if tucked:
            waistband = self.flat.pixels((0.0, SHOULDER - (WAIST - 0.018))) * self._ratio
            cover[round(float(waistband[1])) :] = 0
        canvas.paint(*self._torso(cover), self.garment.class_name, bulge=0.028, shadow=0.35)
        canvas.crease(self._folds(), 0.005, 0.1, self.garment.class_name)

    def _folds(self) -> list[np.ndarray]:
        """Fold lines: from the armpits to the chest, and at the waist on the side to which the trunk bends."""
        figure, trunk = self.figure, self.figure.trunk
        chest, waist = trunk.half_width(CHEST), trunk.half_width(WAIST)
        folds = []
        for side in SIDES:
            raised = 1.0 if figure.arms[side].gesture in ("raised", "wave", "head", "out") else 0.5
            pull = ((0.95, 0.225), (0.7, 0.205), (0.7 - 0.4 * raised, 0.2))
            folds.append([(side * chest * x, h) for x, h in pull])
            bend = 0.5 + np.clip(6 * side * (trunk.posture.lean + 4 * trunk.posture.bow), -0.4, 0.5)
            for h, reach, drop in ((WAIST + 0.012, 0.5, 0.022), (WAIST - 0.022, 0.34, -0.012)):
                ends = ((1.0, 0.0), (1 - 0.5 * reach, 0.3 * drop), (1 - reach * (0.5 + bend), drop))
                folds.append([(side * waist * x, h - fall) for x, fall in ends])
        return [curve(figure.points(fold)) for fold in folds]

    def paint_sleeve(self, canvas: Canvas, side: int) -> None:
        """Paints one sleeve, if the garment has any."""
        garment = self.garment
        if not garment.sleeve:
            return
        line, bare = cut(*self.figure.arm_line(side), min(garment.sleeve, 1.0))
        ease = np.linspace(0.003 + 0.4 * garment.ease[0], garment.sleeve_ease, len(line))
        widths, lengths = bare + ease * self.figure.unit, arc_length(line)

        def colors(patch: Patch) -> np.ndarray:
            along, across = along_and_across(line, *patch.pixel_centers())
            half = np.interp(along, lengths, widths).astype(np.float32)
            v = np.clip(across / half * side * -1, -1, 1)
            u = np.clip(along / np.float32(lengths[-1]), 0, 1)
            return sample(self._albedo, *quad_map(self.flat.sleeves[side] * self._ratio, u, v))

        label = garment.class_name
        canvas.paint(tube(line, widths), colors, label, pad=6, bulge=0.016, shadow=0.4, root=line[0])
        if garment.sleeve >= 0.8:
            canvas.crease(self._elbow_folds(side, line, widths), 0.0045, 0.2, label)

    def _elbow_folds(self, side: int, line: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        """Fold lines inside a bent elbow and across the upper arm."""
        arm = self.figure.arms[side]
        upper, lower = arm.elbow - arm.shoulder, arm.wrist - arm.elbow
        turn = float(upper[0] * lower[1] - upper[1] * lower[0]) / float(np.hypot(*upper) * np.hypot(*lower))
        inner = normals(line) * (-np.sign(turn) * widths)[:, None]
        folds = []
        for at, slant in ((5, 2), (7, 1), (8, -1)):
            start = line[at] + inner[at]
            folds.append(np.stack([start, between(start, line[at + slant], 0.4 + 0.9 * abs(turn))]))
        return [fold for fold in folds if np.ptp(fold) > 0.01 * self.figure.unit]
