"""Bodies, poses and the posed figure: where everything is, before anything is drawn.

Units are fractions of the stature. In the upright body, `h` is the height above the hip joints and `x` the distance
from the middle, positive to the right of the image (the subject's left). `side` is -1 for the subject's right limb
(left in the image) and +1 for the left one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seg_vton.data.paper_doll.lots import pick
from seg_vton.data.paper_doll.shapes import Point, arc_length, between, rotation, smooth, unit_vector

CROTCH, HIP, WAIST, CHEST, SHOULDER, NECK, CHIN = -0.038, 0.0, 0.112, 0.235, 0.302, 0.335, 0.366
"""Heights of the landmarks of every upright body."""

_LEVELS = np.array([CROTCH, HIP, 0.06, WAIST, 0.175, CHEST, SHOULDER])
THIGH, SHIN, ANKLE = 0.238, 0.225, 0.038
SIDES = (-1, 1)

KEYPOINTS = (
    'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist',
    'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle',
    'right_eye', 'left_eye', 'right_ear', 'left_ear',
)  # fmt: skip
"""OpenPose's COCO-18 joints in its order; right and left are the subject's."""


def _unit(value: float) -> float:
    """`value` kept in [0, 1]; np.clip is slow for single numbers."""
    return min(max(value, 0.0), 1.0)


@dataclass(frozen=True)
class Body:
    """Proportions of one person, in fractions of the stature."""

    widths: tuple[float, ...]  # half-widths of the torso at the seven levels from crotch to shoulder tip
    neck: float  # half-width of the neck
    head: float  # height of the head, chin to crown
    head_width: float  # half-width of the head
    upper_arm: float  # length, shoulder joint to elbow
    forearm: float  # length, elbow to wrist
    arm: tuple[float, float, float]  # half-widths of the arm at shoulder, elbow and wrist
    leg: tuple[float, float, float, float]  # half-widths of the leg at hip joint, knee, calf and ankle
    feminine: float  # 0 to 1; moves waist, shoulders, hair and make-up

    def half_width(self, h: float) -> float:
        """Half-width of the torso at height `h`; constant below the crotch and above the shoulder."""
        return float(np.interp(h, _LEVELS, self.widths))


def sample_body(rng: np.random.Generator) -> Body:
    """Draws the proportions of one person."""
    feminine = float(np.clip(rng.choice([0.15, 0.85], p=[0.35, 0.65]) + rng.normal(0, 0.08), 0, 1))
    return make_body(feminine, build=rng.normal(0, 1), head=rng.uniform(0.142, 0.152), arms=rng.uniform(0.97, 1.04))


def make_body(feminine: float, build: float, head: float, arms: float) -> Body:
    """Proportions from a few numbers.

    `feminine` is 0 (broad shoulders) to 1 (narrow waist, wide hips); `build` 0 for average, -1 slender, +1 sturdy (a
    standard deviation); `head` the height of the head; `arms` the relative length of the arms.
    """
    girth = 1 + 0.075 * float(np.clip(build, -1.8, 1.8))
    masculine = 1 - feminine
    widths = [0.092 + 0.006 * feminine, 0.089 + 0.008 * feminine, 0.081 + 0.004 * feminine]
    widths += [narrow + wider * masculine for narrow, wider in ((0.069, 0.013), (0.077, 0.014), (0.086, 0.013))]
    widths += [0.107 + 0.015 * masculine]
    return Body(
        widths=tuple(width * girth for width in widths),
        neck=(0.0275 + 0.006 * masculine) * girth**0.5,
        head=head,
        head_width=head * (0.355 + 0.012 * masculine),
        upper_arm=0.163 * arms,
        forearm=0.142 * arms,
        arm=tuple(w * girth for w in (0.029 + 0.005 * masculine, 0.022 + 0.003 * masculine, 0.0155)),
        leg=tuple(w * girth for w in (0.05, 0.031, 0.0325, 0.016)),
        feminine=feminine,
    )


STANDARD_BODY = make_body(feminine=0.6, build=0.0, head=0.147, arms=1.0)
"""The body that flat garments are cut for."""


@dataclass(frozen=True)
class Arm:
    """One posed arm: joints (2,) in body coordinates (y down, pelvis at the origin); `gesture` as in `GESTURES`."""

    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    gesture: str


@dataclass(frozen=True)
class Leg:
    """One posed leg: joints (2,) in body coordinates; `turn` is the foot's outward angle in radians."""

    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    turn: float

    def at(self, h: float) -> np.ndarray:
        """Point (2,) of the middle line at height `h`, 0 or less, measured along the leg."""
        if -h <= THIGH:
            return between(self.hip, self.knee, -h / THIGH)
        return between(self.knee, self.ankle, (-h - THIGH) / SHIN)


@dataclass(frozen=True)
class Posture:
    """Angles (radians) of the trunk and the head; positive is clockwise on the screen."""

    lean: float = 0.0  # of the spine
    shoulder_tilt: float = 0.0  # of the shoulder line
    hip_tilt: float = 0.0  # of the hip line
    yaw: float = 0.0  # turn of the trunk about the vertical; positive shows more of the image's left side
    bow: float = 0.0  # sideways bend of the spine at the waist, in statures
    head_tilt: float = 0.0  # of the head
    head_yaw: float = 0.0  # turn of the face; positive looks to the right of the image


def sample_posture(rng: np.random.Generator) -> Posture:
    """Draws a standing posture: upright, in contrapposto, leaning or slightly turned."""
    hip_tilt = rng.normal(0, 0.045)
    yaw = float(np.clip(rng.normal(0, 0.22), -0.5, 0.5))
    return Posture(
        lean=float(np.clip(rng.normal(0, 0.035), -0.09, 0.09)),
        shoulder_tilt=float(np.clip(-0.7 * hip_tilt + rng.normal(0, 0.03), -0.12, 0.12)),
        hip_tilt=float(np.clip(hip_tilt, -0.1, 0.1)),
        yaw=yaw,
        bow=float(np.clip(0.12 * hip_tilt + rng.normal(0, 0.004), -0.016, 0.016)),
        head_tilt=float(np.clip(rng.normal(0, 0.06), -0.16, 0.16)),
        head_yaw=float(np.clip(0.8 * yaw + rng.normal(0, 0.22), -0.6, 0.6)),
    )


@dataclass(frozen=True)
class Trunk:
    """The posed spine with its widths: maps garment coordinates of the torso and the skirt to the body plane."""

    body: Body
    posture: Posture
    legs: dict[int, Leg]

    def center(self, h: float) -> np.ndarray:
        """Point (2,) of the middle line at height `h`; below the hips it follows the legs."""
        if h < HIP:
            return between((self.legs[-1].at(h) + self.legs[1].at(h)) / 2, (0.0, -h), 0.25)
        up = rotation(self.posture.lean) @ (0.0, -h)
        return up + np.array([self.posture.bow * np.sin(np.pi * _unit(h / SHOULDER)), 0.0])

    def across(self, h: float) -> np.ndarray:
        """Unit vector (2,) to the right of the image along the body's horizontal at height `h`."""
        weight = _unit(h / SHOULDER)
        angle = self.posture.hip_tilt * (1 - weight) + self.posture.shoulder_tilt * weight
        angle *= _unit(1 + h / 0.25)
        return np.array([np.cos(angle), np.sin(angle)])

    def half_width(self, h: float) -> float:
        """Half-width of the posed trunk at `h`; below the crotch it spans both legs."""
        width = self.body.half_width(h) * np.cos(self.posture.yaw) ** 0.5
        if h >= CROTCH:
            return width
        spread = abs(self.legs[1].at(h)[0] - self.legs[-1].at(h)[0]) / 2
        depth = _unit(-h / (THIGH + SHIN))
        return max(spread + float(np.interp(depth, [0, 0.5, 1], [0.047, 0.034, 0.02])), 0.055)

    def point(self, x: float, h: float) -> np.ndarray:
        """Point (2,) of the front surface `x` from the middle at height `h`."""
        reach = max(self.half_width(h), 1e-6)
        relief = 0.05 * np.sin(self.posture.yaw) * max(0.0, 1 - (x / reach) ** 2)
        return self.center(h) + self.across(h) * (x + relief)


def solve_arm(shoulder: np.ndarray, wrist: np.ndarray, upper: float, lower: float, outward: int) -> np.ndarray:
    """Elbow (2,) of a two-bone arm from `shoulder` toward `wrist`, bent to the `outward` side (+-1 in x)."""
    reach = wrist - shoulder
    distance = float(np.clip(np.linalg.norm(reach), abs(upper - lower) + 1e-4, 0.998 * (upper + lower)))
    along = (distance**2 + upper**2 - lower**2) / (2 * distance)
    height = np.sqrt(max(upper**2 - along**2, 0.0))
    direction = unit_vector(reach)
    normal = np.array([-direction[1], direction[0]])
    return shoulder + direction * along + normal * (height if normal[0] * outward >= 0 else -height)


GESTURES = dict(
    down=0.36, hip=0.13, cross=0.14, bent=0.11, raised=0.05, wave=0.05, out=0.06, back=0.06, head=0.04,
)  # fmt: skip
"""How often each gesture is drawn."""

_BONE_ANGLES = {  # of upper arm and forearm, from straight down and outwards, in degrees
    "down": ((6, 19), (-9, 15)), "raised": ((128, 158), (165, 205)), "wave": ((38, 80), (145, 185)),
    "out": ((24, 52), (20, 60)),
}  # fmt: skip
_WRISTS = {  # x, outwards from the middle, the hip or the head, and h
    "hip": ((0.0, 0.012), (0.05, 0.09)), "cross": ((0.0, 0.06), (0.09, 0.19)), "bent": ((0.015, 0.07), (0.07, 0.15)),
    "back": ((0.0, 0.04), (0.0, 0.06)), "head": ((0.01, 0.025), (0.42, 0.47)),
}  # fmt: skip


def _down(side: int, degrees: float) -> np.ndarray:
    """Unit vector (2,) at an angle from straight down, outwards."""
    return np.array([side * np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])


def sample_arm(rng: np.random.Generator, body: Body, trunk: Trunk, side: int, gesture: str | None = None) -> Arm:
    """Draws a pose of one arm."""
    gesture = gesture or pick(rng, **GESTURES)
    lift = 0.022 if gesture in ("raised", "head") else 0.0
    joint = body.half_width(SHOULDER) - body.arm[0] * 0.85 - 0.4 * lift
    shoulder = trunk.center(SHOULDER) + trunk.across(SHOULDER) * side * joint * np.cos(trunk.posture.yaw) ** 0.5
    shoulder = shoulder + np.array([0.0, 0.02 - lift])  # the joint is below the shoulder line
    if gesture in _BONE_ANGLES:
        upper, lower = (_down(side, rng.uniform(*limits)) for limits in _BONE_ANGLES[gesture])
        elbow = shoulder + body.upper_arm * upper
        return Arm(shoulder, elbow, elbow + body.forearm * rng.uniform(0.9, 1.0) * lower, gesture)
    x, h = (rng.uniform(*limits) for limits in _WRISTS[gesture])
    base = {"hip": trunk.half_width(0.06), "head": body.head_width}.get(gesture, 0.0)
    wrist = trunk.point((-side if gesture == "cross" else side) * (base + x), h)
    shorten = rng.uniform(0.84, 0.95) if gesture != "hip" else rng.uniform(0.92, 1.0)
    upper, lower = body.upper_arm * (shorten + 1) / 2, body.forearm * shorten
    elbow = solve_arm(shoulder, wrist, upper, lower, outward=side)
    reach = wrist - elbow
    wrist = elbow + reach * min(1.0, lower / max(float(np.linalg.norm(reach)), 1e-9))
    return Arm(shoulder, elbow, wrist, gesture)


def sample_legs(rng: np.random.Generator, body: Body, posture: Posture) -> dict[int, Leg]:
    """Draws a stance: the legs by side."""
    stance = pick(rng, stand=0.4, apart=0.2, contrapposto=0.25, walk=0.15)
    free = rng.choice(SIDES)
    legs = {}
    for side in SIDES:
        relaxed = (rng.uniform(0, 4), rng.uniform(-1, 3), 1.0)
        apart = (rng.uniform(7, 14), rng.uniform(5, 12), 1.0)
        if side == free:
            bent = (rng.uniform(7, 15), rng.uniform(-4, 4), 0.97)
            step = (rng.uniform(-4, 0), rng.uniform(-3, 2), 0.9)
        else:
            bent = (rng.uniform(-2, 2), rng.uniform(-2, 1), 1.0)
            step = (rng.uniform(1, 4), 1.0, 1.0)
        # thigh and shin in degrees, outwards
        thigh, shin, shorten = {"stand": relaxed, "apart": apart, "contrapposto": bent, "walk": step}[stance]
        joint = body.half_width(HIP) - body.leg[0] * 0.92
        hip = np.array([np.cos(posture.hip_tilt), np.sin(posture.hip_tilt)]) * side * joint
        knee = hip + THIGH * _down(side, thigh)
        ankle = knee + SHIN * shorten * _down(side, shin)
        legs[side] = Leg(hip, knee, ankle, turn=side * rng.uniform(0.12, 0.5))
    return legs


class Figure:
    """One person in one pose, seen by a camera: everything below is in pixels, with the stature as the unit of widths.

    Attributes:
        trunk: the spine with its widths, in body coordinates, as arms and legs are, which stand by side.
        unit: the stature in pixels.
        origin: (2,) pixel of the middle between the hip joints.
        head_angle: of the head in radians, clockwise on the screen.
    """

    def __init__(self, trunk: Trunk, arms: dict[int, Arm], unit: float, origin: np.ndarray) -> None:
        self.trunk, self.body, self.posture, self.legs = trunk, trunk.body, trunk.posture, trunk.legs
        self.arms, self.unit, self.origin = arms, unit, origin
        self.head_angle = self.posture.lean + self.posture.head_tilt
        self._head_up = np.array([np.sin(self.head_angle), -np.cos(self.head_angle)])
        self._chin = self.pixels(trunk.center(NECK) + self._head_up * (CHIN - NECK))

    def pixels(self, points: Point | Sequence[Point]) -> np.ndarray:
        """Pixels (..., 2) of body coordinates (..., 2)."""
        return self.origin + self.unit * np.asarray(points)

    def point(self, x: float, h: float) -> np.ndarray:
        """Pixel (2,) of the trunk's front surface `x` from the middle at height `h` (both in statures)."""
        return self.pixels(self.trunk.point(x, h))

    def points(self, points: Iterable[tuple[float, float]]) -> np.ndarray:
        """Pixels (N, 2) of points (x, h) of the trunk's front surface."""
        return np.stack([self.point(x, h) for x, h in points])

    def spine(self, x: float, h: float) -> np.ndarray:
        """Pixel (2,) beside the spine: `x` from it at height `h`, without the front's relief."""
        return self.pixels(self.trunk.center(h) + self.trunk.across(h) * x)

    def arm_line(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """The bare arm from shoulder to wrist: middle line (N, 2), rounded at the elbow, and half-widths (N,)."""
        arm, (shoulder, elbow, wrist) = self.arms[side], self.body.arm
        widths = [shoulder, shoulder * 0.9, elbow, elbow * 1.04, wrist]
        return self._limb(arm.shoulder, arm.elbow, arm.wrist, [0, 0.25, 0.53, 0.66, 1.0], widths)

    def leg_line(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """The bare leg from hip joint to ankle: middle line (N, 2), rounded at the knee, and half-widths (N,)."""
        leg, (thigh, knee, calf, ankle) = self.legs[side], self.body.leg
        widths = [thigh, thigh * 0.93, knee, calf * 1.03, ankle]
        return self._limb(leg.hip, leg.knee, leg.ankle, [0, 0.2, 0.5, 0.68, 1.0], widths)

    def _limb(
        self, start: np.ndarray, joint: np.ndarray, end: np.ndarray, at: list[float], widths: list[float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A polyline whose corner is a parabola, with the widths that stand at shares of its length."""
        enter, leave = between(joint, start, 0.2), between(joint, end, 0.2)
        t = np.linspace(0, 1, 7)[:, None]
        corner = (1 - t) ** 2 * enter + 2 * t * (1 - t) * joint + t**2 * leave
        line = np.concatenate([[start, between(start, enter, 0.5)], corner, [between(leave, end, 0.5), end]])
        line = self.pixels(line)
        lengths = arc_length(line)
        return line, self.unit * np.interp(lengths / lengths[-1], at, widths)

    def hand_direction(self, side: int) -> np.ndarray:
        """Unit vector (2,) from the wrist along the hand: the forearm's, a little relaxed downwards."""
        arm = self.arms[side]
        forearm = unit_vector(arm.wrist - arm.elbow)
        if arm.gesture == "hip":
            return unit_vector(forearm * 0.4 + np.array([-0.5 * side, 0.6]))
        return unit_vector(forearm + np.array([0.0, 0.25 if arm.gesture in ("down", "out") else 0.0]))

    def head(self, points: Point | Sequence[Point], turn: float = 0.0) -> np.ndarray:
        """Pixels (..., 2) of points (..., 2) on the head.

        x is in half-widths from its middle, y from 0 at the chin to 1 at the crown. `turn` says how much the points
        follow the face when the head turns (1 for the tip of the nose).
        """
        x, y = np.split(np.asarray(points, np.float64), 2, axis=-1)
        across = np.array([-self._head_up[1], self._head_up[0]])
        shift = turn * 0.55 * np.sin(self.posture.head_yaw)
        upwards = y * self.body.head * self._head_up
        return self._chin + self.unit * (upwards + (x + shift) * self.body.head_width * across)

    def foot_outline(self, side: int, grow: float = 0.0) -> np.ndarray:
        """A foot seen from the front, turned outwards, as a polygon (N, 2) in pixels; `grow` widens it for shoes."""
        ankle, turn = self.legs[side].ankle, self.legs[side].turn
        toe = ankle + np.array([0.05 * np.sin(turn), ANKLE + 0.012])
        width = 0.019 + grow
        outer = np.array([np.cos(turn * 0.6), 0.25 * np.sin(turn)]) * width
        middle, up = between(ankle, toe, 0.55), np.array([0.0, -0.008])
        top = [ankle + np.array([x * width, -0.004]) for x in (-0.9, 0.9)]
        front = [toe + 1.1 * outer + up, toe + np.array([0.0, 0.008 + grow * 0.5]), toe - 1.1 * outer + up]
        return self.pixels(smooth([*top, middle + 1.15 * outer, *front, middle - 1.15 * outer], steps=5))

    @property
    def far_ear(self) -> int:
        """Side of the ear that a turned head hides; 0 where it hides none."""
        return 0 if abs(self.posture.head_yaw) < 0.3 else 1 if self.posture.head_yaw > 0 else -1

    @property
    def arms_behind(self) -> list[int]:
        """Sides of the arms that are behind the trunk or the head."""
        return [side for side in SIDES if self.arms[side].gesture in ("back", "head")]

    def keypoints(self) -> np.ndarray:
        """The 18 joints, (18, 2) pixels in the order of `KEYPOINTS`."""
        right, left = (self.pixels([arm.shoulder, arm.elbow, arm.wrist]) for arm in self.arms.values())
        legs = [self.pixels([leg.hip, leg.knee, leg.ankle]) for leg in self.legs.values()]
        neck = (right[0] + left[0]) / 2
        eyes = self.head([(side * 0.42, 0.5) for side in SIDES], turn=0.85)
        ears = self.head([(side * 0.98, 0.46) for side in SIDES], turn=-0.12)
        return np.stack([self.head((0.0, 0.34), turn=1.0), neck, *right, *left, *legs[0], *legs[1], *eyes, *ears])
