"""The doll: one picture with everything that is known about it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seg_vton.data.paper_doll import scene
from seg_vton.data.paper_doll.body import ANKLE, KEYPOINTS, Figure
from seg_vton.data.paper_doll.canvas import LABELS, Canvas
from seg_vton.data.paper_doll.dresser import dress
from seg_vton.data.paper_doll.flat import FlatGarment
from seg_vton.data.paper_doll.wardrobe import sample_garment, sample_person
from seg_vton.data.paper_doll.worn import WornGarment
from seg_vton.errors import UserError

DEFAULT_SIZE = (192, 256)
"""Width and height in pixels."""

MINIMUM_SIZE = (48, 64)
"""Width and height in pixels below which nothing can be recognized."""

_PERSON, _GARMENT, _SCENE = 0, 1, 2  # the random streams of one doll
_SPECK = 2.5e-4  # share of the image below which a class is a speck of pixels, not an instance


@dataclass(frozen=True)
class Doll:
    """A dressed figure and the truth about it."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    label_map: np.ndarray  # (H, W) uint8 ids of `deepfashion15`: 0 background, 1 to 15 the classes
    # (18, 3) float64: x, y in pixels and confidence of the COCO-18 joints in OpenPose's order. A joint outside the
    # image is 0 0 0, one behind something has confidence 0.5
    keypoints: np.ndarray
    flat: FlatGarment  # the upper garment (a top, a dress or a closed outer garment), laid flat

    @cached_property
    def instances(self) -> list[tuple[str, np.ndarray]]:
        """(class name, (H, W) bool mask) of what is visible: one per class that occurs, in class order."""
        return [(name, self.label_map == i) for name, i in LABELS.items() if i and (self.label_map == i).any()]

    @property
    def cloth(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the upper garment alone, flat on white, as a shop shows it."""
        return self.flat.picture[0]

    @property
    def cloth_mask(self) -> np.ndarray:
        """(H, W) bool: where the garment is in `cloth`."""
        return self.flat.picture[1]

    @property
    def cloth_class(self) -> str:
        """Class of the upper garment: `top`, `dress` or `outer`."""
        return self.flat.garment.class_name


def draw_doll(
    seed: int, index: int, size: tuple[int, int] = DEFAULT_SIZE, *, wearing: int | None = None, try_on: bool = False
) -> Doll:
    """Draws doll number `index` of the set `seed`: the same arguments give the same bytes.

    Person, garment and scene come from separate random streams. So `draw_doll(seed, i, wearing=j)` is the person of
    doll i, in the same pose, place and light, in the upper garment of doll j: the true answer of unpaired try-on.

    Args:
        seed: of the set, 0 or more.
        index: of the doll in the set, 0 or more.
        size: (width, height) in pixels, at least 48 x 64.
        wearing: index of the doll whose upper garment to wear; its own where None.
        try_on: frame the figure from head to thighs, as VITON does, always with a top or a closed outer garment as the
            upper garment, and nothing worn open over it.
    """
    source = index if wearing is None else wearing
    check_arguments(seed, index, source, size)
    figure, looks, outfit = sample_person(np.random.default_rng([seed, index, _PERSON]), size, try_on)
    flat = FlatGarment(sample_garment(np.random.default_rng([seed, source, _GARMENT]), try_on), size)
    rng = np.random.default_rng([seed, index, _SCENE])
    angle = rng.uniform(-0.9, 0.9)
    background = scene.sample_background(rng, size)
    feet = figure.pixels([leg.ankle for leg in figure.legs.values()]) + np.array([0.0, ANKLE * figure.unit])
    scene.cast_floor_shadow(background, feet, figure.unit)
    canvas = Canvas(background, (float(np.sin(angle)), float(-np.cos(angle))), figure.unit)
    over = None
    if outfit.jacket is not None and flat.garment.class_name != "outer":
        over = WornGarment(FlatGarment(outfit.jacket, size), figure, size)
    dress(canvas, figure, looks, outfit, WornGarment(flat, figure, size), over)
    labels = _absorb_specks(canvas.labels)
    return Doll(scene.finish(rng, canvas.image, canvas.light), labels, _seen(figure, labels), flat)


def check_arguments(seed: int, index: int, wearing: int, size: tuple[int, int]) -> None:
    """Raises `UserError` when an argument of `draw_doll` is out of range."""
    for name, value in (("seed", seed), ("index", index), ("wearing", wearing)):
        if value < 0:
            raise UserError(f"{name} is {value}: it must be 0 or more")
    if size[0] < MINIMUM_SIZE[0] or size[1] < MINIMUM_SIZE[1]:
        least = " x ".join(map(str, MINIMUM_SIZE))
        raise UserError(f"size is {size[0]} x {size[1]} (width x height): at least {least} pixels are needed")


def _absorb_specks(labels: np.ndarray) -> np.ndarray:
    """Gives the pixels of classes with next to no area to the label around them; changes and returns `labels`."""
    counts = np.bincount(labels.ravel(), minlength=len(LABELS))
    least = max(4.0, _SPECK * labels.size)
    for label in np.flatnonzero((counts > 0) & (counts < least)):
        rows, columns = np.nonzero(labels == label)
        window = labels[max(rows.min() - 2, 0) : rows.max() + 3, max(columns.min() - 2, 0) : columns.max() + 3]
        labels[labels == label] = np.bincount(window[window != label], minlength=len(LABELS)).argmax()
    return labels


def _seen(figure: Figure, labels: np.ndarray) -> np.ndarray:
    """The joints (18, 3) with their confidence; the far ear of a turned head is missing, as OpenPose has it."""
    height, width = labels.shape
    names = {-1: "right", 1: "left"}
    behind = {f"{names[side]}_wrist" for side in figure.arms_behind}
    joints = np.zeros((len(KEYPOINTS), 3))
    for i, (name, (x, y)) in enumerate(zip(KEYPOINTS, figure.keypoints(), strict=True)):
        if 1 < x < width - 1 and 1 < y < height - 1 and name != f"{names.get(figure.far_ear)}_ear":
            covered = name.endswith("ear") and labels[int(y), int(x)] != LABELS["face"]
            joints[i] = x, y, 0.5 if covered or name in behind else 1.0
    return joints
