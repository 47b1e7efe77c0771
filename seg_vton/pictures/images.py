"""Pictures, masks and parsing maps of data sets at the size of a model's images, bit for bit as CP-VTON has them.

A user's own photos, which may be anything, are read by `seg_vton.pictures.photos`.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from seg_vton.errors import BROKEN_IMAGE, UserError
from seg_vton.labels import load_palette_png

MASK_THRESHOLD = 128  # CP-VTON's, of 255


def _open(path: Path, mode: str) -> Image.Image:
    """Opens and decodes an image."""
    try:
        with Image.open(path) as image:
            clear = mode == "RGB" and ("A" in image.getbands() or "transparency" in image.info)
            return (_on_white(image) if clear else image).convert(mode)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except BROKEN_IMAGE as error:
        raise UserError(f"{path} is not a whole image ({error}): write or download it again") from None


def _on_white(image: Image.Image) -> Image.Image:
    """What is transparent becomes white, which cut-out garments lie on; below it a file may have any color."""
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)


def resized(
    picture: np.ndarray, size: tuple[int, int], resampling: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """A picture uint8 `(H, W)` or `(H, W, 3)` at (height, width), by Pillow: its filters are wide enough to shrink."""
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size[::-1], resampling))


def read_picture(
    path: Path, size: tuple[int, int], resampling: Image.Resampling = Image.Resampling.BILINEAR
) -> tuple[np.ndarray, tuple[int, int]]:
    """Reads a picture.

    Args:
        path: an image file of any mode; transparent parts become white.
        size: (height, width) wanted.
        resampling: for a picture of another size.

    Returns:
        uint8 RGB `(H, W, 3)`, and the (height, width) of the file.

    Raises:
        UserError: the file is missing or broken.
    """
    picture = np.asarray(_open(path, "RGB"))
    return resized(picture, size, resampling), picture.shape[:2]


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Reads a mask, white on black: bool `(H, W)`, true from 128 of 255; nearest for one of another size.

    Raises:
        UserError: the file is missing or broken.
    """
    return resized(np.asarray(_open(path, "L")), size, Image.Resampling.NEAREST) >= MASK_THRESHOLD


def read_parse(path: Path, label_space: str, size: tuple[int, int], photo: tuple[int, int]) -> np.ndarray:
    """Reads a parsing map; nearest for one of another size.

    Args:
        path: a PNG of indices or gray levels.
        label_space: of its ids.
        size: (height, width) wanted.
        photo: (height, width) of the photo that the map belongs to.

    Returns:
        uint8 ids `(H, W)`.

    Raises:
        UserError: the file is missing or broken, RGB, of another space or of another shape than its photo.
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
