"""The flat in-shop picture of an upper garment, cut for the standard body."""

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np

from seg_vton.data.paper_doll import body
from seg_vton.data.paper_doll.body import SHOULDER, SIDES, STANDARD_BODY
from seg_vton.data.paper_doll.canvas import Canvas, Patch, rasterize, shade
from seg_vton.data.paper_doll.shapes import Point, Polygons, along_and_across, between, curve, ellipse, unit_vector
from seg_vton.data.paper_doll.wardrobe import UpperGarment

_FLAT_JOINTS = np.array([(0.045, 0.0), (0.045 + 0.005, body.THIGH), (0.045 + 0.006, body.THIGH + body.SHIN)])
_FLAT_LEGS = {side: body.Leg(*(_FLAT_JOINTS * (side, 1)), turn=0.0) for side in SIDES}
_FLAT_TRUNK = body.Trunk(STANDARD_BODY, body.Posture(), _FLAT_LEGS)
_TOP = body.NECK + 0.006  # height of the side of the neck opening
TURTLE = 0.03  # height of a turtleneck above it
_FINER = 1.5  # than the in-shop image
_FLAT_LIGHT = (-0.6, -0.8)
_ARM_LENGTH = STANDARD_BODY.upper_arm + STANDARD_BODY.forearm


class GarmentPattern:
    """The cut pieces of a garment in flat coordinates: (x, y) in statures, y down, shoulders at y = 0.

    Attributes:
        armpit: (x, y) on the right.
        tip: (x, y) of the right end of the shoulder seam.
        neck: (x, y) of the right side of the neck opening.
    """

    def __init__(self, garment: UpperGarment) -> None:
        self.garment = garment
        h = body.CHEST - 0.012 - 0.5 * garment.ease[0]
        self.armpit = np.array([self.half_width(h), SHOULDER - h])
        x = _FLAT_TRUNK.half_width(SHOULDER) * garment.strap + 0.002
        self.tip = np.array([x, 0.004 - 0.022 * (1 - min(garment.strap, 1))])
        x = STANDARD_BODY.neck * garment.neck_width
        self.neck = np.array([x, SHOULDER - _TOP + 0.35 * (x - STANDARD_BODY.neck)])

    def half_width(self, h: float) -> float:
        """Half-width of the flat garment at height `h`."""
        return _FLAT_TRUNK.half_width(h) + self.garment.ease_at(h)

    def side_seam(self) -> np.ndarray:
        """Right outline from the end of the shoulder over armhole and waist to the hem, (N, 2)."""
        hem = self.garment.hem
        levels = [h for h in (0.175, body.WAIST, 0.05, -0.02, -0.12, -0.2) if h > hem + 0.025]
        points = [self.armpit, *([self.half_width(h), SHOULDER - h] for h in levels)]
        points.append([self.half_width(hem), SHOULDER - hem])
        inset = 0.0 if self.garment.sleeve else 0.012
        hole = between(self.tip, self.armpit, 0.5) - (inset, -0.6 * inset)
        return np.concatenate([curve([self.tip, hole, self.armpit]), curve(points)[1:]])

    def neckline(self) -> np.ndarray:
        """Front neckline from the left to the right side of the neck, (N, 2)."""
        x, y = self.neck
        depth = self.garment.neck_depth
        t = np.linspace(-1, 1, 17)
        power = {"v": 1.15, "lapel": 1.1, "hood": 1.4, "collar": 1.3}.get(self.garment.neckline, 2.4)
        return np.stack([x * t, y + depth * (1 - np.abs(t) ** power)], axis=1)

    def front(self) -> Polygons:
        """The front without sleeves, with the turtleneck; two panels where it is open."""
        seam, opening, hem_y = self.side_seam(), self.neckline(), SHOULDER - self.garment.hem
        mirrored = seam * (-1, 1)
        if self.garment.closure == "open":  # the edge runs from the neck outwards to the hem
            edge = np.array([(0.05, hem_y + 0.006), (0.043, SHOULDER - body.WAIST), (0.036, 0.1)])
            right = np.concatenate([opening[-1:], seam, edge])
            return [right, np.concatenate([opening[:1], mirrored, edge * (-1, 1)])]
        hem = [[x * seam[-1, 0], hem_y + 0.008 * (1 - x * x)] for x in (0.6, 0.0, -0.6)]
        parts = [np.concatenate([opening, seam, hem, mirrored[::-1]])]
        if self.garment.neckline == "turtle":
            (x, y), top = self.neck, STANDARD_BODY.neck * 1.12
            collar = [[-x, y], [-top, y - TURTLE], [0, y - TURTLE + 0.004], [top, y - TURTLE], [x, y]]
            parts.append(np.array([*collar, [0, y + self.garment.neck_depth]]))
        return parts

    def back(self) -> Polygons:
        """The inside of the back that shows in the neck opening; a hood lies around it."""
        x, y = self.neck
        opening = self.neckline()
        rise = 0.012 if self.garment.neckline in ("collar", "lapel") else -0.004
        edge = np.stack([opening[::-1, 0], y - rise * (1 - (opening[::-1, 0] / x) ** 2)], axis=1)
        parts = [np.concatenate([opening, edge])]
        if self.garment.neckline == "hood":
            parts.append(ellipse((0.0, y - 0.002), x * 1.5, 0.034))
        return parts

    def sleeves(self) -> Polygons:
        """The sleeves, if any, each (4, 2): end of the shoulder seam, cuff outside, cuff inside, armpit."""
        garment = self.garment
        if not garment.sleeve:
            return []
        angle = float(np.interp(garment.sleeve, [0.3, 0.8], [0.75, 0.3]))  # from straight down, in radians
        down, out = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
        middle = between(self.tip, self.armpit, 0.5) + garment.sleeve * _ARM_LENGTH * down
        cuff = float(np.interp(garment.sleeve, [0, 0.53, 1], STANDARD_BODY.arm)) + garment.sleeve_ease
        quad = np.stack([self.tip, middle + out * cuff, middle - out * cuff, self.armpit])
        return [quad * (side, 1) for side in SIDES]


class FlatGarment:
    """The flat picture of a garment, drawn at 1.5 times the size (width, height) in pixels of the in-shop image.

    Attributes:
        albedo: (h, w, 3) float32 RGB: the cloth without shading; also colored outside the garment.
        front: (h, w) float32 coverage of the front without sleeves.
        back: (h, w) float32 coverage of the inside of the back.
        sleeves: the corners of each sleeve, if any, as of `GarmentPattern.sleeves`, in pixels, by side.
        scale: pixels per stature.
        origin: (2,) pixel of the middle of the shoulders.
    """

    def __init__(self, garment: UpperGarment, size: tuple[int, int]) -> None:
        self.garment, self.size = garment, size
        self.pattern = pattern = GarmentPattern(garment)
        self.canvas_size = (round(_FINER * size[0]), round(_FINER * size[1]))
        points = np.concatenate([*pattern.front(), *pattern.back(), *pattern.sleeves()])
        low, high = points.min(axis=0), points.max(axis=0)
        self.scale = float(np.min(0.88 * np.array(self.canvas_size) / (high - low)))
        self.origin = np.array(self.canvas_size) / 2 - self.scale * (low + high) / 2
        self.sleeves = dict(zip(SIDES, map(self.pixels, pattern.sleeves()), strict=False))
        self._trim = garment.fabric.accent if garment.trim else garment.fabric.ground * np.float32(0.86)
        self.front, self.back = self._cover(pattern.front()), self._cover(pattern.back())
        self.albedo = self._draw()

    def pixels(self, points: Point | Sequence[Point]) -> np.ndarray:
        """Pixels (..., 2) of flat coordinates (..., 2)."""
        return self.origin + self.scale * np.asarray(points)

    def _cover(self, polygons: Polygons) -> np.ndarray:
        cover = np.zeros(self.canvas_size[::-1], np.float32)
        patch = rasterize([self.pixels(polygon) for polygon in polygons], self.canvas_size) if polygons else None
        if patch is not None:
            cover[patch.window] = patch.alpha
        return cover

    def _draw(self) -> np.ndarray:
        """The cloth with sleeves, hem, neckband, closure, pocket and collar."""
        size = zip(self.canvas_size, self.origin, strict=True)
        x, y = ((np.arange(n, dtype=np.float32) + 0.5 - np.float32(o)) / np.float32(self.scale) for n, o in size)
        canvas = Canvas(self.garment.fabric.color_at(x[None], y[:, None]), _FLAT_LIGHT, self.scale)
        collar = self.garment.neckline in ("collar", "lapel")
        for quad in self.sleeves.values():
            self._draw_sleeve(canvas, quad)
        self._draw_hem(canvas)
        if not collar:
            self._draw_neckband(canvas)
        if self.garment.closure in ("buttons", "zip"):
            self._draw_closure(canvas)
        if self.garment.pocket:
            self._draw_pocket(canvas)
        if collar:
            self._draw_collar(canvas)
        return np.clip(canvas.image, 8, 236)

    def _draw_sleeve(self, canvas: Canvas, quad: np.ndarray) -> None:
        """Covers the sleeve with the fabric turned along it, with a margin for interpolation, and adds the cuff."""
        tip, outer, inner, armpit = quad
        start, end = (tip + armpit) / 2, (outer + inner) / 2
        axis = unit_vector(end - start)
        out = np.array([axis[1], -axis[0]])
        out *= np.sign(out @ (tip - armpit))
        grown = quad + 4.0 * (np.outer((1, 1, -1, -1), out) + np.outer((-1, 1, 1, -1), axis))
        fabric = self.garment.fabric

        def colors(patch: Patch) -> np.ndarray:
            length, across = along_and_across(np.stack([start - 4 * axis, end + 6 * axis]), *patch.pixel_centers())
            plain = 1.0 if fabric.pattern in ("logo", "word") else 0.0  # beside the print
            return fabric.color_at(across / self.scale + plain, length / self.scale)

        canvas.paint([grown], colors)
        if self.garment.sleeve > 0.8 or self.garment.trim:
            cuff = [between(tip, outer, t) for t in (0.94, 1.02)]
            cuff += [between(armpit, inner, t) for t in (1.02, 0.94)]
            canvas.paint([np.array(cuff)], self._trim)

    def _draw_hem(self, canvas: Canvas) -> None:
        dress, hem = self.garment.class_name == "dress", SHOULDER - self.garment.hem
        top, x = hem - (0.008 if dress else 0.012), self.pattern.half_width(self.garment.hem) + 0.02
        strip = self.pixels([[-x, top], [0, top + 0.008], [x, top], [x, hem + 0.03], [-x, hem + 0.03]])
        canvas.paint([strip], self._trim, opacity=0.85 if self.garment.trim else 0.5)
        if dress:
            y = SHOULDER - body.WAIST
            seam = self.pixels([[-0.2, y], [0.0, y + 0.004], [0.2, y]])
            canvas.stroke(seam, 0.002, self.garment.fabric.ground * 0.7, opacity=0.7)

    def _draw_neckband(self, canvas: Canvas) -> None:
        width = {"turtle": 0.003, "hood": 0.012}.get(self.garment.neckline, 0.0065)
        canvas.stroke(self.pixels(self.pattern.neckline()), width, self._trim)
        if not self.garment.sleeve:
            for side in (1, -1):  # around the armhole
                canvas.stroke(self.pixels(self.pattern.side_seam()[:13] * (side, 1)), 0.004, self._trim)

    def _draw_closure(self, canvas: Canvas) -> None:
        ground = self.garment.fabric.ground
        dark = ground * np.float32(0.72)
        top, bottom = self.pattern.neck[1] + self.garment.neck_depth, SHOULDER - self.garment.hem + 0.02
        if self.garment.closure == "zip":
            line = self.pixels([[0.0, top], [0.0, bottom]])
            canvas.stroke(line, 0.0045, dark)
            canvas.stroke(line, 0.0016, np.float32([190, 190, 195]))
            return
        for x in (-0.009, 0.009):
            canvas.stroke(self.pixels([[x, top], [x, bottom]]), 0.0011, dark, opacity=0.8)
        color = np.float32([225, 222, 215]) if ground.mean() < 140 else ground * np.float32(0.4)
        for y in np.arange(top + 0.014, bottom - 0.03, 0.036):
            canvas.oval(self.pixels((0.0, y)), (0.0042, 0.0042), color)

    def _draw_pocket(self, canvas: Canvas) -> None:
        """A patch on the chest of a top; two slits in an outer garment."""
        patch = [(0.028, 0.085), (0.062, 0.085), (0.062, 0.12), (0.045, 0.127), (0.028, 0.12), (0.028, 0.085)]
        lines, width = [patch], 0.0014
        if self.garment.class_name != "top":
            y = min(SHOULDER - self.garment.hem - 0.07, 0.27)
            lines, width = [[(side * 0.04, y), (side * 0.068, y + 0.045)] for side in SIDES], 0.0028
        for line in lines:
            canvas.stroke(self.pixels(line), width, self.garment.fabric.ground * np.float32(0.75))

    def _draw_collar(self, canvas: Canvas) -> None:
        """Two flaps from the side of the neck to the closure; a lapel is longer and has a notch."""
        x, y = self.pattern.neck
        low, fabric = y + self.garment.neck_depth, self.garment.fabric
        flap = [[x * 0.96, y - 0.003], [x + 0.012, y + 0.006], [0.03, low + 0.022], [0.001, low - 0.002]]
        if self.garment.neckline == "lapel":
            notch = [[0.052, y + 0.04], [0.043, y + 0.046], [0.056, y + 0.052]]
            flap = [[x * 0.96, y], [x + 0.016, y + 0.008], *notch, [0.001, low + 0.004]]
        for side in SIDES:
            polygon = self.pixels(np.array(flap) * (side, 1))
            canvas.paint([polygon + np.array([0.0, 0.003 * self.scale])], fabric.ground * 0.55, opacity=0.6)
            canvas.paint([polygon], fabric.ground * 0.94 + 8 if not self.garment.trim else fabric.accent)

    @cached_property
    def picture(self) -> tuple[np.ndarray, np.ndarray]:
        """The in-shop image and its mask: (H, W, 3) uint8 RGB on white, (H, W) bool."""
        layers = (self.back, self._cover(self.pattern.sleeves()), self.front, self.albedo)
        back, sleeves, front, albedo = (cv2.resize(layer, self.size, interpolation=cv2.INTER_AREA) for layer in layers)
        image = np.full(albedo.shape, 255, np.float32)
        radius = 0.018 * self.scale / _FINER
        for cover, color in ((back, albedo * np.float32(0.62)), (sleeves, albedo), (front, albedo)):
            shaded = color * shade(cover, radius, _FLAT_LIGHT, strength=0.35)[..., None]
            image += (np.minimum(shaded, 238) - image) * cover[..., None]
        mask = np.maximum(np.maximum(front, back), sleeves) >= 0.5
        return np.clip(np.rint(image), 0, 255).astype(np.uint8), mask
