"""A user's photos: finding them, and reading them as what a viewer shows.

The files are untrusted: only three formats are opened, and the size in the header is checked before decoding.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from seg_vton.errors import BROKEN_IMAGE, UserError
from seg_vton.files import leads_nowhere

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Names that a folder is searched for, in any case."""

MAX_PIXELS = 89_478_485
"""The largest photo that is decoded: Pillow's own limit, 256 MiB of RGB."""

MIN_SIDE = 32
"""The shortest side, in pixels, in which there is anything to be seen."""

MAX_ASPECT = 20
"""The largest ratio of the sides."""

PARSE_SIDE = 2048
"""Pixels of the longer side from which a photo is made smaller for a network: none sees more."""

_SMALLER = "Make it smaller; what the models see is about 1000 pixels high"
_FORMATS = ("JPEG", "PNG", "WEBP")


def read_photo(path: str | Path) -> np.ndarray:
    """Reads a photo upright (EXIF orientation obeyed) and in color.

    Transparent parts become white. Gray of 16 bits is scaled to 8. CMYK is converted without its ICC profile. Of an
    animation the first frame is read.

    Args:
        path: JPEG, PNG or WebP file; the content decides, not the name.

    Returns:
        RGB uint8 `(H, W, 3)`.

    Raises:
        UserError: the file is missing, of another format, broken, or its size is out of range; nothing is decoded of a
            file whose header announces more than `MAX_PIXELS`.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the check below is stricter
            image = Image.open(path, formats=_FORMATS)
        with image:
            _check_size(path, *image.size)
            return np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a JPEG, PNG or WebP image, whatever its name says") from None
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large to decode: {str(error).split(',')[0]}. {_SMALLER}") from None
    except BROKEN_IMAGE as error:
        raise UserError(f"{path} is not a whole image ({error}): write or download it again") from None


def _check_size(path: Path, width: int, height: int) -> None:
    """Raises `UserError` when the size that the header announces is out of range."""
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{path} is too large: its header says {width}x{height} pixels and {MAX_PIXELS} are the most that is "
            f"decoded. {_SMALLER}"
        )
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{path} is too small: {width}x{height} pixels; each side must have {MIN_SIDE} or more")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise UserError(f"{path} is a strip of {width}x{height} pixels: crop it to the person")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any mode that the three formats have to RGB of 8 bits."""
    if image.mode.startswith("I"):  # PNG's gray of 16 bits, which Pillow would clip
        levels = np.array(image).astype(np.int64)
        return Image.fromarray(((levels + 128) // 257).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def limited(photo: np.ndarray, side: int = PARSE_SIDE) -> np.ndarray:
    """The photo, made smaller where its longer side has more than `side` pixels."""
    longer = max(photo.shape[:2])
    if longer <= side:
        return photo
    size = [max(1, round(length * side / longer)) for length in photo.shape[1::-1]]
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def find_photos(folder: Path, leave_out: Path) -> Iterator[Path]:
    """Yields the photos in a folder and its folders, in order; hidden files are left out.

    Links to nowhere and in circles are among them: whoever reads them says so.

    Args:
        folder: where to look.
        leave_out: a folder inside it that is not looked into: the results of an earlier run, say.
    """
    leave_out = leave_out.resolve()
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES or not (path.is_file() or leads_nowhere(path)):
            continue
        if leads_nowhere(path) or leave_out not in path.resolve().parents:
            yield path
