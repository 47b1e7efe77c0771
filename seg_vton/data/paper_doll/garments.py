"""Upper garments: their cuts, the flat in-shop picture, and how they sit on a figure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import cv2
import numpy as np

from seg_vton.data.paper_doll.body import (
    CHEST,
    HIP,
    NECK,
    SHIN,
    SHOULDER,
    SIDES,
    STANDARD_BODY,
    THIGH,
    WAIST,
    Figure,
    Leg,
    Posture,
    Trunk,
)
from seg_vton.data.paper_doll.canvas import Canvas, Patch, Polygons, rasterise, shade
from seg_vton.data.paper_doll.shapes import arc_length, between, cut, ellipse, moved, ribbon, smooth
from seg_vton.data.paper_doll.textures import OUTER_MIX, UPPER_MIX, Fabric, sample_fabric
from seg_vton.data.paper_doll.warp import ThinPlateSpline, along_and_across, quad_map, sample

Neckline = Literal["crew", "v", "scoop", "boat", "collar", "turtle", "hood", "lapel"]


@dataclass(frozen=True)
class UpperGarment:
    """A top, a dress or an outer garment. Lengths are in statures.

    Attributes:
        class_name: DeepFashion class: `top`, `dress` or `outer`.
        fabric: colours and pattern.
        neckline: shape of the neck opening.
        neck_depth: how far the front neckline lies below the side of the neck.
        neck_width: half-width of the neck opening, relative to the neck.
        sleeve: length of the sleeve as a fraction of the arm, 0 for none.
        sleeve_ease: looseness of the sleeve at its end.
        ease: looseness of the body at chest, waist and hem (half-width beyond the body's).
        hem: height of the hem above the hip joints.
        closure: of the front.
        trim: whether cuffs, hem and neckband have the accent colour.
        pocket: whether there is a pocket.
        strap: half-width from the middle to the shoulder's end, as a fraction of the shoulder (1: set-in sleeve).
    """

    class_name: str
    fabric: Fabric
    neckline: Neckline
    neck_depth: float
    neck_width: float
    sleeve: float
    sleeve_ease: float
    ease: tuple[float, float, float]
    hem: float
    closure: Literal["none", "buttons", "zip", "open"]
    trim: bool
    pocket: bool
    strap: float

    def ease_at(self, h: float) -> float:
        """Half-width of the garment beyond the body's at height `h`."""
        chest, waist, hem = self.ease
        return float(np.interp(h, [min(self.hem, HIP - 0.02), WAIST, CHEST], [hem, waist, chest]))


def sample_upper(rng: np.random.Generator, class_name: str) -> UpperGarment:
    """Draws a garment of one class: `top`, `dress`, or `outer` (closed; see `opened`)."""
    return {"top": _sample_top, "dress": _sample_dress, "outer": _sample_outer}[class_name](rng)


def _sample_top(rng: np.random.Generator) -> UpperGarment:
    cut = rng.choice(["tee", "tank", "shirt", "sweater", "blouse"], p=[0.36, 0.14, 0.18, 0.18, 0.14])
    loose = rng.uniform(0.0, 0.014)
    garment = UpperGarment(
        class_name="top",
        fabric=sample_fabric(rng, UPPER_MIX),
        neckline=str(rng.choice(["crew", "v", "scoop", "boat"], p=[0.45, 0.25, 0.2, 0.1])),
        neck_depth=0.0,
        neck_width=rng.uniform(1.3, 1.6),
        sleeve=rng.uniform(0.24, 0.42),
        sleeve_ease=rng.uniform(0.006, 0.016),
        ease=(0.004 + loose * 0.6, 0.008 + loose, 0.004 + loose),
        hem=rng.uniform(-0.045, 0.035),
        closure="none",
        trim=bool(rng.random() < 0.3),
        pocket=bool(rng.random() < 0.15),
        strap=1.0,
    )
    changes = {
        "tee": {},
        "tank": {"sleeve": 0.0, "strap": rng.uniform(0.62, 0.78), "neck_width": rng.uniform(1.55, 1.85)},
        "shirt": {"neckline": "collar", "closure": "buttons", "sleeve": rng.choice([0.36, 0.98]), "trim": False},
        "sweater": {
            "neckline": str(rng.choice(["crew", "turtle", "v"])),
            "sleeve": 0.98,
            "ease": (0.009 + loose, 0.014 + loose, 0.006 + loose),
        },
        "blouse": {"sleeve": rng.uniform(0.5, 0.85), "sleeve_ease": rng.uniform(0.012, 0.03), "neckline": "v"},
    }[cut]
    return _with_depth(rng, replace(garment, **changes))


def _sample_dress(rng: np.random.Generator) -> UpperGarment:
    flare = rng.choice([rng.uniform(0.0, 0.015), rng.uniform(0.035, 0.085)])
    sleeve = float(rng.choice([0.0, rng.uniform(0.2, 0.4), 0.97], p=[0.45, 0.35, 0.2]))
    garment = UpperGarment(
        class_name="dress",
        fabric=sample_fabric(rng, UPPER_MIX | {"word": 0.1, "floral": 2.4, "dots": 2.0}),
        neckline=str(rng.choice(["crew", "v", "scoop", "boat", "collar"], p=[0.3, 0.25, 0.25, 0.1, 0.1])),
        neck_depth=0.0,
        neck_width=rng.uniform(1.35, 1.75),
        sleeve=sleeve,
        sleeve_ease=rng.uniform(0.006, 0.014),
        ease=(0.003, 0.003 + 0.1 * flare, flare),
        hem=-rng.uniform(0.13, 0.36),
        closure="none",
        trim=bool(rng.random() < 0.25),
        pocket=False,
        strap=1.0 if sleeve else rng.uniform(0.6, 0.8),
    )
    return _with_depth(rng, garment)


def _sample_outer(rng: np.random.Generator) -> UpperGarment:
    cut = rng.choice(["hoodie", "cardigan", "jacket", "coat"], p=[0.28, 0.24, 0.28, 0.2])
    loose = rng.uniform(0.004, 0.012)
    garment = UpperGarment(
        class_name="outer",
        fabric=sample_fabric(rng, OUTER_MIX),
        neckline="crew",
        neck_depth=0.0,
        neck_width=rng.uniform(1.45, 1.65),
        sleeve=rng.uniform(0.96, 1.0),
        sleeve_ease=rng.uniform(0.009, 0.015),
        ease=(0.01 + loose, 0.014 + loose, 0.009 + loose),
        hem=rng.uniform(-0.04, 0.03),
        closure="zip",
        trim=bool(rng.random() < 0.25),
        pocket=True,
        strap=1.03,
    )
    changes = {
        "hoodie": {"neckline": "hood"},
        "cardigan": {"neckline": "v", "closure": "buttons", "hem": rng.uniform(-0.1, 0.0)},
        "jacket": {"neckline": str(rng.choice(["lapel", "collar"])), "closure": "buttons", "trim": False},
        "coat": {"neckline": "lapel", "closure": "buttons", "hem": rng.uniform(-0.24, -0.1), "trim": False},
    }[cut]
    return _with_depth(rng, replace(garment, **changes))


def _with_depth(rng: np.random.Generator, garment: UpperGarment) -> UpperGarment:
    """Sets the depth that goes with the neckline."""
    low, high = {
        'crew': (0.018, 0.026), 'v': (0.055, 0.085), 'scoop': (0.045, 0.065), 'boat': (0.014, 0.02),
        'collar': (0.028, 0.045), 'turtle': (0.012, 0.014), 'hood': (0.03, 0.05), 'lapel': (0.08, 0.11),
    }[garment.neckline]  # fmt: skip
    depth = rng.uniform(low, high)
    width = min(garment.neck_width, 1.35) if garment.neckline in ("collar", "turtle") else garment.neck_width
    return replace(garment, neck_depth=depth, neck_width=2.0 if garment.neckline == "boat" else width)


def opened(garment: UpperGarment) -> UpperGarment:
    """The same outer garment worn open."""
    return replace(garment, closure="open")


def _standard_trunk() -> Trunk:
    legs = []
    for side in SIDES:
        hip = np.array([side * 0.045, 0.0])
        legs.append(Leg(hip, moved(hip, side * 0.005, THIGH), moved(hip, side * 0.006, THIGH + SHIN), 0.0))
    return Trunk(STANDARD_BODY, Posture(), (legs[0], legs[1]))


_FLAT_TRUNK = _standard_trunk()
_TOP = NECK + 0.006  # height of the side of the neck opening
_TURTLE = 0.03  # height of a turtleneck above it
_SLEEVE_ANGLES = {"short": 0.75, "long": 0.3}  # of the flat sleeve from straight down, radians
ARM_LENGTH = STANDARD_BODY.upper_arm + STANDARD_BODY.forearm


class GarmentPattern:
    """The cut pieces of a garment in flat coordinates: (x, y) in statures, y down, shoulders at y = 0."""

    def __init__(self, garment: UpperGarment) -> None:
        self.garment = garment

    def half_width(self, h: float) -> float:
        """Half-width of the flat garment at height `h`."""
        return _FLAT_TRUNK.half_width(h) + self.garment.ease_at(h)

    @property
    def armpit(self) -> np.ndarray:
        """(x, y) of the right armpit."""
        h = CHEST - 0.012 - 0.5 * self.garment.ease[0]
        return np.array([self.half_width(h), SHOULDER - h])

    @property
    def tip(self) -> np.ndarray:
        """(x, y) of the right end of the shoulder seam."""
        x = _FLAT_TRUNK.half_width(SHOULDER) * self.garment.strap + 0.002
        return np.array([x, 0.004 - 0.022 * (1 - min(self.garment.strap, 1))])

    @property
    def neck(self) -> np.ndarray:
        """(x, y) of the right side of the neck opening."""
        width = STANDARD_BODY.neck * self.garment.neck_width
        return np.array([width, SHOULDER - _TOP + 0.35 * (width - STANDARD_BODY.neck)])

    def side_seam(self) -> np.ndarray:
        """Right outline from the end of the shoulder over armhole and waist to the hem, (N, 2)."""
        hem = self.garment.hem
        levels = [h for h in (0.175, WAIST, 0.05, -0.02, -0.12, -0.2) if h > hem + 0.025]
        points = [self.armpit, *([self.half_width(h), SHOULDER - h] for h in levels)]
        points.append([self.half_width(hem), SHOULDER - hem])
        inset = 0.0 if self.garment.sleeve else 0.012
        hole = between(self.tip, self.armpit, 0.5) - (inset, -0.6 * inset)
        return np.concatenate([smooth([self.tip, hole, self.armpit], closed=False), smooth(points, closed=False)[1:]])

    def neckline(self) -> np.ndarray:
        """Front neckline from the left to the right side of the neck, (N, 2)."""
        x, y = self.neck
        depth = self.garment.neck_depth
        t = np.linspace(-1, 1, 17)
        power = {"v": 1.15, "lapel": 1.1, "hood": 1.4, "collar": 1.3}.get(self.garment.neckline, 2.4)
        return np.stack([x * t, y + depth * (1 - np.abs(t) ** power)], axis=1)

    def front(self) -> Polygons:
        """The front without sleeves; two panels where it is open."""
        seam = self.side_seam()
        mirrored = seam * (-1, 1)
        opening = self.neckline()
        if self.garment.closure == "open":
            return [self._panel(seam, opening[8:], 1), self._panel(mirrored, opening[8::-1], -1)]
        hem_y = SHOULDER - self.garment.hem
        hem = [[x * seam[-1, 0], hem_y + 0.008 * (1 - x * x)] for x in (0.6, 0.0, -0.6)]
        outline = np.concatenate([opening, seam, hem, mirrored[::-1]])
        return [outline, *self.collar_parts()]

    def _panel(self, seam: np.ndarray, opening: np.ndarray, side: int) -> np.ndarray:
        """One front panel of an open garment: the edge runs from the neck outwards to the hem."""
        hem_y = SHOULDER - self.garment.hem
        gap = [[side * x, y] for x, y in ((0.05, hem_y + 0.006), (0.043, SHOULDER - WAIST), (0.036, 0.1))]
        return np.concatenate([opening[-1:], seam, gap])

    def collar_parts(self) -> Polygons:
        """Parts that stand above the neckline: the turtleneck."""
        if self.garment.neckline != "turtle":
            return []
        x, y = self.neck
        top = STANDARD_BODY.neck * 1.12
        depth = self.garment.neck_depth
        return [
            np.array(
                [[-x, y], [-top, y - _TURTLE], [0, y - _TURTLE + 0.004], [top, y - _TURTLE], [x, y], [0, y + depth]]
            )
        ]

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

    def sleeve(self, side: int) -> np.ndarray:
        """One sleeve, (4, 2): end of the shoulder seam, cuff outside, cuff inside, armpit."""
        length = self.garment.sleeve * ARM_LENGTH
        angle = float(np.interp(self.garment.sleeve, [0.3, 0.8], [_SLEEVE_ANGLES["short"], _SLEEVE_ANGLES["long"]]))
        down, out = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
        middle = between(self.tip, self.armpit, 0.5) + length * down
        cuff = self.cuff_half_width()
        quad = np.stack([self.tip, middle + out * cuff, middle - out * cuff, self.armpit])
        return quad * (side, 1)

    def cuff_half_width(self) -> float:
        """Half-width of the sleeve's end."""
        shoulder, elbow, wrist = STANDARD_BODY.arm
        bare = float(np.interp(self.garment.sleeve, [0, 0.53, 1], [shoulder, elbow, wrist]))
        return bare + self.garment.sleeve_ease

    def outline_points(self) -> np.ndarray:
        """All corners, for fitting the picture."""
        sleeves = [self.sleeve(side) for side in SIDES] if self.garment.sleeve else []
        return np.concatenate([*self.front(), *self.back(), *sleeves])


class FlatGarment:
    """The flat picture of a garment, drawn at twice the size of the in-shop image.

    Args:
        garment: what to draw.
        size: (width, height) of the in-shop image in pixels.

    Attributes:
        albedo: (2H, 2W, 3) float32 RGB: the cloth without shading; also coloured outside the garment.
        front: (2H, 2W) float32 coverage of the front without sleeves.
        back: (2H, 2W) float32 coverage of the inside of the back.
        scale: pixels per stature.
        origin: (2,) pixel of the middle of the shoulders.
    """

    def __init__(self, garment: UpperGarment, size: tuple[int, int]) -> None:
        self.garment = garment
        self.pattern = GarmentPattern(garment)
        self.canvas_size = (2 * size[0], 2 * size[1])
        self._fit()
        self.front = self._cover(self.pattern.front())
        self.back = self._cover(self.pattern.back())
        self.albedo = self._draw()

    def _fit(self) -> None:
        points = self.pattern.outline_points()
        low, high = points.min(axis=0), points.max(axis=0)
        self.scale = float(np.min(0.88 * np.array(self.canvas_size) / (high - low)))
        self.origin = np.array(self.canvas_size) / 2 - self.scale * (low + high) / 2

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of flat coordinates (..., 2)."""
        return self.origin + self.scale * np.asarray(points)

    def _cover(self, polygons: Polygons) -> np.ndarray:
        cover = np.zeros(self.canvas_size[::-1], np.float32)
        patch = rasterise([self.pixels(polygon) for polygon in polygons], self.canvas_size)
        if patch is not None:
            cover[patch.window] = patch.alpha
        return cover

    def sleeve_pixels(self, side: int) -> np.ndarray:
        """The sleeve's corners (4, 2) in pixels of `albedo`."""
        return self.pixels(self.pattern.sleeve(side))

    @cached_property
    def sleeves(self) -> np.ndarray:
        """(2H, 2W) float32 coverage of both sleeves."""
        if not self.garment.sleeve:
            return np.zeros_like(self.front)
        return self._cover([self.pattern.sleeve(side) for side in SIDES])

    def _draw(self) -> np.ndarray:
        width, height = self.canvas_size
        x = (np.arange(width, dtype=np.float32) + 0.5 - np.float32(self.origin[0])) / np.float32(self.scale)
        y = (np.arange(height, dtype=np.float32) + 0.5 - np.float32(self.origin[1])) / np.float32(self.scale)
        canvas = Canvas(self.garment.fabric.colour_at(x[None], y[:, None]), light=(-0.6, -0.8))
        if self.garment.sleeve:
            for side in SIDES:
                self._draw_sleeve(canvas, side)
        self._draw_details(canvas)
        return np.clip(canvas.image, 8, 236)

    def _draw_sleeve(self, canvas: Canvas, side: int) -> None:
        """Covers the sleeve with the fabric turned along it, with a margin for interpolation, and adds the cuff."""
        quad = self.sleeve_pixels(side)
        start, end = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
        axis = (end - start) / np.linalg.norm(end - start)
        line = np.stack([start - 4 * axis, end + 6 * axis])
        radius = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2])) / 2 + 6
        patch = rasterise([_grown(quad, 4.0)], self.canvas_size)
        if patch is None or radius <= 0:
            return
        along, across = along_and_across(line, patch)
        plain_offset = 1.0 if self.garment.fabric.pattern in ("logo", "word") else 0.0
        fabric = self.garment.fabric
        colour = fabric.colour_at(across / self.scale + plain_offset, along / self.scale)
        canvas.blend(patch, colour)
        cuff = [between(quad[0], quad[1], t) for t in (0.94, 1.02)] + [
            between(quad[3], quad[2], t) for t in (1.02, 0.94)
        ]
        if self.garment.sleeve > 0.8 or self.garment.trim:
            canvas.paint([np.array(cuff)], self._trim_colour())

    def _trim_colour(self) -> np.ndarray:
        fabric = self.garment.fabric
        return fabric.accent if self.garment.trim else fabric.ground * np.float32(0.86)

    def _draw_details(self, canvas: Canvas) -> None:
        """Seams, neckband, collar, closure, pocket and hem."""
        self._draw_hem(canvas)
        self._draw_neckband(canvas)
        if self.garment.closure in ("buttons", "zip"):
            self._draw_closure(canvas)
        if self.garment.pocket:
            self._draw_pocket(canvas)
        if self.garment.neckline in ("collar", "lapel"):
            self._draw_collar(canvas)

    def _draw_hem(self, canvas: Canvas) -> None:
        pattern, hem = self.pattern, SHOULDER - self.garment.hem
        band = 0.012 if self.garment.class_name != "dress" else 0.008
        x = pattern.half_width(self.garment.hem) + 0.02
        strip = np.array(
            [[-x, hem - band], [0, hem - band + 0.008], [x, hem - band], [x, hem + 0.03], [-x, hem + 0.03]]
        )
        canvas.paint([self.pixels(strip)], self._trim_colour(), opacity=0.85 if self.garment.trim else 0.5)
        if self.garment.class_name == "dress":
            y = SHOULDER - WAIST
            seam = np.array([[-0.2, y], [0.0, y + 0.004], [0.2, y]])
            canvas.paint(ribbon(self.pixels(seam), 0.002 * self.scale), self.garment.fabric.ground * 0.7, opacity=0.7)

    def _draw_neckband(self, canvas: Canvas) -> None:
        if self.garment.neckline in ("collar", "lapel"):
            return
        width = {"turtle": 0.003, "hood": 0.012}.get(self.garment.neckline, 0.0065)
        band = ribbon(self.pixels(self.pattern.neckline()), width * self.scale)
        canvas.paint(band, self._trim_colour())
        if self.garment.sleeve == 0:
            for side in (1, -1):
                seam = self.pattern.side_seam()[:13] * (side, 1)
                canvas.paint(ribbon(self.pixels(seam), 0.004 * self.scale), self._trim_colour())

    def _draw_closure(self, canvas: Canvas) -> None:
        top = self.pattern.neck[1] + self.garment.neck_depth
        bottom = SHOULDER - self.garment.hem + 0.02
        dark = self.garment.fabric.ground * np.float32(0.72)
        line = self.pixels(np.array([[0.0, top], [0.0, bottom]]))
        if self.garment.closure == "zip":
            canvas.paint(ribbon(line, 0.0045 * self.scale), dark)
            canvas.paint(ribbon(line, 0.0016 * self.scale), np.float32([190, 190, 195]))
            return
        for x in (-0.009, 0.009):
            canvas.paint(ribbon(moved(line, x * self.scale, 0), 0.0011 * self.scale), dark, opacity=0.8)
        for y in np.arange(top + 0.014, bottom - 0.03, 0.036):
            canvas.paint(
                [ellipse(self.pixels((0.0, y)), 0.0042 * self.scale, 0.0042 * self.scale)], self._button_colour()
            )

    def _button_colour(self) -> np.ndarray:
        ground = self.garment.fabric.ground
        return np.float32([225, 222, 215]) if ground.mean() < 140 else ground * np.float32(0.4)

    def _draw_pocket(self, canvas: Canvas) -> None:
        dark = self.garment.fabric.ground * np.float32(0.75)
        if self.garment.class_name == "top":
            square = np.array(
                [[0.028, 0.085], [0.062, 0.085], [0.062, 0.12], [0.045, 0.127], [0.028, 0.12], [0.028, 0.085]]
            )
            canvas.paint(ribbon(self.pixels(square), 0.0014 * self.scale), dark)
            return
        y = min(SHOULDER - self.garment.hem - 0.07, 0.27)
        for side in SIDES:
            slit = np.array([[side * 0.04, y], [side * 0.068, y + 0.045]])
            canvas.paint(ribbon(self.pixels(slit), 0.0028 * self.scale), dark)

    def _draw_collar(self, canvas: Canvas) -> None:
        """Two flaps from the side of the neck to the closure; a lapel is longer and has a notch."""
        x, y = self.pattern.neck
        depth = self.garment.neck_depth
        fabric = self.garment.fabric
        for side in SIDES:
            if self.garment.neckline == "collar":
                flap = [
                    [x * 0.96, y - 0.003],
                    [x + 0.012, y + 0.006],
                    [0.03, y + depth + 0.022],
                    [0.001, y + depth - 0.002],
                ]
            else:
                flap = [[x * 0.96, y], [x + 0.016, y + 0.008], [0.052, y + 0.04], [0.043, y + 0.046], [0.056, y + 0.052],
                        [0.001, y + depth + 0.004]]  # fmt: skip
            polygon = self.pixels(np.array(flap) * (side, 1))
            canvas.paint([moved(polygon, 0.0, 0.003 * self.scale)], fabric.ground * 0.55, opacity=0.6)
            canvas.paint([polygon], fabric.ground * 0.94 + 8 if not self.garment.trim else fabric.accent)

    def picture(self) -> tuple[np.ndarray, np.ndarray]:
        """The in-shop image and its mask: (H, W, 3) uint8 RGB on white, (H, W) bool."""
        image = np.full((*self.front.shape, 3), 255, np.float32)
        back_colour = self.albedo * np.float32(0.62)
        light = (-0.6, -0.8)
        radius = 0.018 * self.scale
        layers = ((self.back, back_colour), (self.sleeves, self.albedo), (self.front, self.albedo))
        for cover, colour in layers:
            if cover.any():
                shaded = colour * shade(cover, radius, light, strength=0.35)[..., None]
                image += (np.minimum(shaded, 238) - image) * cover[..., None]
        cover = np.maximum(np.maximum(self.front, self.back), self.sleeves)
        size = (self.canvas_size[0] // 2, self.canvas_size[1] // 2)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(cover, size, interpolation=cv2.INTER_AREA) >= 0.5
        return np.clip(np.rint(small), 0, 255).astype(np.uint8), mask


def _grown(polygon: np.ndarray, margin: float) -> np.ndarray:
    """A polygon pushed outwards from its middle by about `margin`."""
    middle = polygon.mean(axis=0)
    offset = polygon - middle
    return polygon + margin * offset / np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-9)


class WornGarment:
    """A flat garment on a figure.

    The front follows a thin-plate spline through matched landmarks, each sleeve follows its arm; both take their
    colours from `FlatGarment.albedo` alone.
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
                flat.append((side * STANDARD_BODY.neck * 1.12, pattern.neck[1] - _TURTLE))
                person.append(self._neck_side(side, 1.12, _TURTLE))
        return np.array(person), self.flat.pixels(np.array(flat)) * self._ratio

    def _shoulder_tip(self, side: int) -> np.ndarray:
        arm = self.figure.arms[(side + 1) // 2]
        trunk, radius = self.figure.trunk, self.figure.body.arm[0]
        outer = arm.shoulder + trunk.across(SHOULDER) * side * radius * 0.85 - (0.0, 0.5 * radius)
        neck = trunk.centre(SHOULDER)
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
        """Paints the inside of the back, which the neck then covers."""
        torso = self._torso(self._back)
        if torso is not None:
            canvas.blend(torso[0], torso[1] * np.float32(0.6), self.label)

    def paint_front(self, canvas: Canvas) -> None:
        """Paints the front."""
        torso = self._torso(self._front)
        if torso is not None:
            canvas.blend(*torso, self.label, bulge=0.028 * self.figure.unit, shadow=0.35)

    def paint_sleeve(self, canvas: Canvas, side: int) -> None:
        """Paints one sleeve, if the garment has any."""
        if not self.garment.sleeve:
            return
        line, widths = self.sleeve_tube(side)
        polygons = [*ribbon(line, widths, round_ends=False), ellipse(line[0], widths[0], widths[0])]
        patch = rasterise(polygons, canvas.size, pad=6)
        if patch is None:
            return
        along, across = along_and_across(line, patch)
        lengths = arc_length(line)
        half = np.interp(along, lengths, widths).astype(np.float32)
        v = np.clip(across / half * side * -1, -1, 1)
        u = np.clip(along / np.float32(lengths[-1]), 0, 1)
        x, y = quad_map(self.flat.sleeve_pixels(side) * self._ratio, u, v)
        canvas.blend(patch, sample(self._albedo, x, y), self.label, bulge=0.016 * self.figure.unit, shadow=0.4)

    def sleeve_tube(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Middle line (N, 2) and half-widths (N,) in pixels of one sleeve."""
        line = self.figure.arm_line(side)
        end = float(arc_length(line)[-1]) * min(self.garment.sleeve, 1.0)
        line, bare = cut(line, self.figure.arm_half_widths(line), end)
        ease = np.linspace(0.006 + 0.5 * self.garment.ease[0], self.garment.sleeve_ease, len(line))
        return line, bare + ease * self.figure.unit
