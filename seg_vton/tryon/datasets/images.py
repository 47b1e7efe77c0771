"""Reading photos, masks, parsing maps and known warps of a try-on data set at the model's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from seg_vton.errors import BROKEN_IMAGE, UserError
from seg_vton.labels import load_palette_png

MASK_THRESHOLD = 128  # CP-VTON's, of 255

WARP_GRID = 5
"""Control points along each side of the known warps in files: GMM's grid as published."""


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


def read_photo(
    path: Path, size: tuple[int, int], resampling: Image.Resampling = Image.Resampling.BILINEAR
) -> tuple[np.ndarray, tuple[int, int]]:
    """Reads a photo.

    Args:
        path: an image file of any mode; transparent parts become white.
        size: (height, width) wanted.
        resampling: for a photo of another size; Pillow's filters are wide enough for shrinking.

    Returns:
        uint8 RGB `(H, W, 3)`, and the (height, width) of the file.

    Raises:
        UserError: the file is missing or broken.
    """
    image = _open(path, "RGB")
    wanted, found = size[::-1], image.size
    return np.asarray(image if found == wanted else image.resize(wanted, resampling)), found[::-1]


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Reads a mask, white on black: bool `(H, W)`, true from 128 of 255; nearest for one of another size.

    Raises:
        UserError: the file is missing or broken.
    """
    image = _open(path, "L")
    wanted = size[::-1]
    return (
        np.asarray(image if image.size == wanted else image.resize(wanted, Image.Resampling.NEAREST)) >= MASK_THRESHOLD
    )


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
    if parse.shape == size:
        return parse
    return np.asarray(Image.fromarray(parse).resize(size[::-1], Image.Resampling.NEAREST))


def check_shape(path: Path, parse: tuple[int, ...], photo: tuple[int, int]) -> None:
    """Raises `UserError` unless (height, width) of a parsing map and of its photo have the same ratio, to a pixel."""
    if abs(parse[1] * photo[0] / parse[0] - photo[1]) > max(1, photo[0] / parse[0]):
        raise UserError(
            f"{path}: the parsing map is {parse[1]}x{parse[0]} and the photo {photo[1]}x{photo[0]} (width x height): "
            "they are not of one picture"
        )


def read_theta(path: Path) -> np.ndarray:
    """Reads the offsets of the control points of a known warp: float32 `(50,)`, in x, then in y, in units of [-1, 1].

    Raises:
        UserError: the file is missing or holds anything else, such as the warp of another grid than `WARP_GRID`.
    """
    try:
        theta = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is no array of offsets ({error}): make the pairs again") from None
    if theta.ndim != 1 or theta.dtype.kind != "f" or not np.abs(theta).max(initial=0) <= 1:
        raise UserError(f"{path} has {theta.dtype} {theta.shape}, not offsets in [-1, 1]: make the pairs again")
    if theta.size != 2 * WARP_GRID**2:
        raise UserError(
            f"{path} has {theta.size} offsets, and {WARP_GRID} x {WARP_GRID} control points have {2 * WARP_GRID**2}: "
            "make the pairs again"
        )
    return theta.astype(np.float32)
