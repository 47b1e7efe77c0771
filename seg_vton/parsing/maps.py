"""Label maps that another parser made of photos: found by the photo's name, refused where they cannot be of it."""

from pathlib import Path

import numpy as np

from seg_vton.errors import UserError
from seg_vton.files import find_beside, opened_image
from seg_vton.labels import SPACES, VOC_PALETTE, load_palette_png, working_space

ENDINGS = (".png", ".bmp", ".tif", ".tiff")
"""How the names of label maps end, after the photo's without suffix: JPEG changes ids, and GIF their order."""

LOSSY = (".jpg", ".jpeg", ".webp")
"""Endings of files that may be label maps which were saved in a way that changes ids."""


class ParsingMaps:
    """A folder of label maps of one space, named as their photos, or what `tools/parse.py` wrote.

    `UserError` where the folder is not there, or try-on cannot work with the label space.
    """

    def __init__(self, folder: str | Path, label_space: str) -> None:
        working_space(label_space)
        self.label_space, self.folder = label_space, Path(folder)
        if not self.folder.is_dir():
            raise UserError(f"--parsing {folder} is not a folder: give the folder of the label maps NAME.png")
        if (self.folder / "label-map").is_dir():
            self.folder /= "label-map"

    def file(self, photo: Path, place: Path) -> Path:
        """The label map of a photo, looked for first at its `place`, the path in the folder that it was found in."""
        found = find_beside(self.folder, place, ENDINGS)
        if found is None and (lossy := find_beside(self.folder, place, LOSSY)):
            raise UserError(
                f"{photo} has no label map: {lossy} was compressed as a picture, which changes ids. Write maps as PNG"
            )
        if found is None:
            raise UserError(f"{photo} has no label map: {self.folder / place.with_suffix('.png')} does not exist")
        return found

    def read(self, file: Path, photo: Path, shape: tuple[int, ...]) -> np.ndarray:
        """The labels of a photo, uint8 `(H, W)`; see `read_label_map`."""
        return read_label_map(file, self.label_space, photo, shape)


def read_label_map(file: Path, label_space: str, photo: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads the label map of a photo, an indexed or gray image: uint8 `(H, W)` ids of `label_space`.

    `shape` is (height, width, ...) of the photo as it is upright.

    Raises:
        UserError: the file is missing or broken, in colors, of another space by its ids, its palette or what it says,
            or of another size than the photo.
    """
    found = load_palette_png(file, label_space)
    _check_palette(file, found, label_space)
    if found.shape != tuple(shape[:2]):
        turned = found.shape == tuple(shape[1::-1]) and shape[0] != shape[1]
        raise UserError(
            f"{file}: the masks are {found.shape[1]}x{found.shape[0]} and the photo {photo} is {shape[1]}x{shape[0]} "
            "(width x height, upright): "
            + (
                "turn the map as the photo's EXIF orientation says, or parse the upright photo"
                if turned
                else "they belong to different photos, or the map was resized; parse the photo at its own size"
            )
        )
    return found


def _check_palette(file: Path, label_map: np.ndarray, label_space: str) -> None:
    """Raises `UserError` where a file's colors are those of another space that has colors of its own."""
    with opened_image(file) as image:
        values = image.getpalette() if image.mode == "P" else None
    used = [label for label in np.unique(label_map).tolist() if label]
    if values is None or len(used) < 2:
        return
    colors = {label: tuple(values[3 * label : 3 * label + 3]) for label in used}
    fits = [
        name
        for name, space in SPACES.items()
        if used[-1] < len(space.palette) and all(space.palette[label] == color for label, color in colors.items())
    ]
    others = [name for name in fits if SPACES[name].palette != VOC_PALETTE[: len(SPACES[name].palette)]]
    if others and label_space not in fits:
        raise UserError(
            f"{file}: expected a map of {label_space}, found the colors of {' or '.join(others)}: pass --label-space "
            f"{others[0]} if its ids are of that space, or give maps of {label_space}"
        )
