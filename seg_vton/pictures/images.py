"""Pictures, masks and parsing maps of data sets at the size of a model's images, bit for bit as CP-VTON has them.

A user's own photos, which may be anything, are read by `seg_vton.pictures.photos`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.files import atomic_path, exif_orientation, opened_image, upright
from seg_vton.labels import load_palette_png
from seg_vton.pictures.photos import gray, to_rgb

MASK_THRESHOLD = 128  # CP-VTON's, of 255
_LEAST, _MOST = 0.002, 0.98  # shares of a picture below which there is no garment, and above which no background
_RIM = 0.02  # width of a picture's rim, as a share of its sides
_CUT_OFF = 0.25  # so much of the rim the garment of a close-up may cover, and not fill the middle


def image_size(path: str | Path, whole: bool = False) -> tuple[int, int]:
    """Width and height in pixels, turned as the EXIF orientation says; `UserError` where the file is missing or broken.

    `whole` decodes the pixels too, to see that all are there; JPEG at an eighth of its size, which reads all of the
    file's data.
    """
    with opened_image(path, whole=True) as image:
        size = image.size
        turned = image.format != "TIFF" and exif_orientation(image) > 4  # Pillow gives a TIFF's size upright
        if whole:
            image.draft("L", (image.width // 8, image.height // 8))
            image.load()
        return size[::-1] if turned else size


def resized(
    picture: np.ndarray, size: tuple[int, int], resampling: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """A picture uint8 `(H, W)` or `(H, W, 3)` at (height, width), by Pillow: its filters are wide enough to shrink."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size[::-1], resampling))


def save_picture(path: Path, picture: np.ndarray, overwrite: bool = True, **options: Any) -> None:
    """Writes a picture uint8 `(H, W)` or `(H, W, 3)` in the format of the path's suffix, with Pillow's `options`."""
    with atomic_path(path, overwrite) as temporary:
        Image.fromarray(picture).save(temporary, **options)


def read_picture(
    path: Path, size: tuple[int, int], resampling: Image.Resampling = Image.Resampling.BILINEAR
) -> tuple[np.ndarray, tuple[int, int]]:
    """Reads a picture of any mode: uint8 RGB `(H, W, 3)` of `size`, and the (height, width) of the file, upright.

    Transparent parts become white, an EXIF orientation is obeyed; `resampling` is for a picture of another size.
    """
    with opened_image(path) as image:
        picture = np.asarray(to_rgb(upright(image))[0])
    return resized(picture, size, resampling), picture.shape[:2]


def read_mask(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Reads a mask, white on black, or the opaque part of a cut-out: an alpha channel that is of use is the mask.

    bool `(H, W)`, true from 128 of 255, or where a mask of two darker levels has the higher: 0 and 1, say, or the dark
    red of annotation tools' first label. `size` is (height, width) wanted, by nearest. An EXIF orientation is obeyed.
    """
    with opened_image(path) as image:
        picture = upright(image)
        levels = np.asarray(gray(picture))
        if "A" in picture.getbands() or "transparency" in picture.info:
            alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
            levels = alpha if alpha.min() < MASK_THRESHOLD <= alpha.max() else levels
    top = int(levels.max())
    least = top if top < MASK_THRESHOLD and len(np.unique(levels)) == 2 else MASK_THRESHOLD
    return resized(levels, size or levels.shape, Image.Resampling.NEAREST) >= least


def mask_fault(mask: np.ndarray) -> str | None:
    """What is wrong with the mask `(H, W)` of a garment's photo, whose rim is background; None where nothing is.

    A clause such as 'is all black'.
    """
    share = mask.mean()
    if share < _LEAST:
        return "is all black"
    if share > _MOST:
        return "is all white"
    height, width = mask.shape
    y, x = (max(1, round(_RIM * side)) for side in mask.shape)
    rim = np.concatenate([part.ravel() for part in (mask[:y], mask[-y:], mask[y:-y, :x], mask[y:-y, -x:])]).mean()
    middle = mask[height // 4 : height - height // 4, width // 4 : width - width // 4].mean()
    return "shows the background and not the garment: invert it" if rim > max(middle, _CUT_OFF) else None


def read_parse(path: Path, label_space: str, size: tuple[int, int], photo: tuple[int, int]) -> np.ndarray:
    """Reads a parsing map, a PNG of indices or gray levels: uint8 ids `(H, W)` of `size`, resized by nearest.

    `UserError` where the file is missing or broken, RGB, of another space or of another shape than its `photo`.
    """
    parse = load_palette_png(path, label_space)
    check_shape(path, parse.shape, photo)
    return resized(parse, size, Image.Resampling.NEAREST)


def check_shape(path: Path, parse: tuple[int, ...], photo: tuple[int, int]) -> None:
    """Raises `UserError` unless (height, width) of a parsing map and of its photo have the same ratio, to a pixel."""
    if abs(parse[1] * photo[0] / parse[0] - photo[1]) > max(1, photo[0] / parse[0]):
        raise UserError(
            f"{path}: the parsing map is {parse[1]}x{parse[0]} and the photo {photo[1]}x{photo[0]} (width x height): "
            "they are not of one picture"
        )
