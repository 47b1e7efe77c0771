"""What is odd about the files of pairs: a data set looks at some when it is built, `tools/data/check.py` at all."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seg_vton.errors import UserError
from seg_vton.labels import get_space, is_interpolated, load_palette_png
from seg_vton.pictures.images import check_shape, image_size, mask_fault, read_mask, read_picture
from seg_vton.pose.choice import choose_pose, label_doubt
from seg_vton.pose.keypoints import read_people
from seg_vton.tryon.datasets.layouts import Layout

SQUEEZED = 0.05
"""A photo of another aspect than the models' images by more than this share is said to be squeezed."""

MASK = "garment mask that is not of the garment"

_WHITE = 200  # the level from which a background counts as white: VITON's is 255, VITON-HD's 246


class Person(NamedTuple):
    """What a person's files say."""

    size: tuple[int, int] | None  # (width, height) of the photo, upright; None for a broken one
    classes: tuple[str, ...]  # names of what the parsing map has, without the background
    has_people: bool  # whether the pose file has people; also for one that is missing or broken, which is said as that


class FileJudge:
    """Looks at files, and says what is wrong with them.

    Args:
        layout: of the set.
        space: label space of the parsing maps.
        aspect: width by height of the models' images.
        whole: decode photos too, to see that all of their pixels are there.
        garment: classes that the parsing maps should have; None, or none of the label space, for the upper garments.

    Attributes:
        errors: messages by kind of fault, of files that cannot be used.
        warnings: messages by kind of oddity.
    """

    def __init__(
        self,
        layout: Layout,
        space: str,
        aspect: float = 3 / 4,
        whole: bool = True,
        garment: Sequence[str] | None = None,
    ) -> None:
        self.layout, self.space, self.aspect, self.whole = layout, get_space(space), aspect, whole
        self.worn = [name for name in self.space.classes if name in (garment or ())]
        self.errors: defaultdict[str, list[str]] = defaultdict(list)
        self.warnings: defaultdict[str, list[str]] = defaultdict(list)

    def person(self, photo: Path, parse: Path | None, pose: Path | None) -> Person:
        """Looks at a person's photo, parsing map and pose; None for a file that is not there."""
        size = self.photo(photo)
        parsing = None if parse is None else self.parse(parse, size)
        present = () if parsing is None else np.flatnonzero(np.bincount(parsing.ravel()))
        classes = tuple(self.space.classes[i] for i in present if i > 0)
        return Person(size, classes, pose is None or size is None or self._pose(pose, size, parse, parsing))

    def garment(self, photo: Path, mask: Path | None) -> None:
        """Looks at a garment's photo and its mask."""
        size = self.photo(photo)
        if mask is None:
            return
        try:
            found = read_mask(mask)
            fault = mask_fault(found)
            dark = not fault and size and np.median(read_picture(photo, found.shape)[0][~found]) < _WHITE
        except UserError as error:
            self.errors["broken image"].append(str(error))
            return
        if fault:
            self.errors[MASK].append(f"{mask} {fault}")
        if dark:
            self.warnings["garment that is not on white"].append(f"{photo}: set what is outside its mask to white")
        height, width = found.shape
        if size and (width, height) != size:
            self.warnings["garment mask of another size than the garment"].append(
                f"{mask} is {width}x{height}, {photo} {size[0]}x{size[1]}"
            )

    def photo(self, path: Path) -> tuple[int, int] | None:
        """(width, height), upright; None for a broken file."""
        try:
            size = image_size(path, self.whole)
        except UserError as error:
            self.errors["broken image"].append(str(error))
            return None
        if abs(size[0] / size[1] / self.aspect - 1) > SQUEEZED:
            self.warnings["photo of another aspect ratio, which will be squeezed or stretched"].append(
                f"{path} is {size[0]}x{size[1]}, a ratio of {size[0] / size[1]:.2f} and not {self.aspect:.2f}: crop "
                "it, with its parsing map, pose or mask"
            )
        return size

    def parse(self, path: Path, size: tuple[int, int] | None) -> np.ndarray | None:
        """The ids of a parsing map; None for one that cannot be used."""
        try:
            parse = load_palette_png(path, self.space.name)
            check_shape(path, parse.shape, size[::-1] if size else parse.shape)
        except UserError as error:
            self.errors["parsing map that cannot be used"].append(str(error))
            return None
        if not np.isin(parse, [*map(self.space.id_of, self.worn)] or self.space.unions.upper).any():
            kind = f"no {' or '.join(self.worn) or 'upper garment'} in the parsing map"
            self.warnings[kind].append(f"{path}: nothing to train the warp on")
        if is_interpolated(parse):
            self.warnings["parsing map that was resized with interpolation"].append(
                f"{path}: between its regions lie ids of other labels: resize maps by nearest"
            )
        return parse

    def _pose(self, path: Path, size: tuple[int, int], parse: Path | None, parsing: np.ndarray | None) -> bool:
        """Whether the file has people; `parsing` is what the file `parse` has."""
        try:
            people = read_people(path, size, frame=self.layout.pose_frame)
        except UserError as error:
            self.errors["pose that cannot be used"].append(str(error))
            return True
        body = np.ones(size[::-1], bool) if parsing is None else parsing > 0
        scale = body.shape[0] / size[1]
        choice = choose_pose(people, body, scale)
        if choice is None:
            self.warnings["pose without people"].append(f"{path}: its pose maps will be empty")
            return False
        farthest = choice.joints[:, :2].max(0)
        if (farthest > size).any():
            self.warnings["joint outside the picture"].append(
                f"{path}: joints up to {farthest.round().tolist()} in a picture of {size[0]}x{size[1]}"
            )
        elif choice.doubt:
            self.warnings["pose beside the person"].append(f"{path}: {choice.doubt}")
        elif parsing is not None and (doubt := label_doubt(parsing, choice.joints, self.space.name, scale)):
            self.warnings["parsing map that does not fit the pose"].append(f"{parse}: {doubt}")
        return True
