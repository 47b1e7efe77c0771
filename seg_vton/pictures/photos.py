"""A user's photos: finding them, and reading them as what a viewer shows.

The files are untrusted: the size in the header is checked before decoding.
"""

import io
import os
import sys
import warnings
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms

from seg_vton.errors import UserError
from seg_vton.files import MAX_PIXELS, heic_hint, leads_nowhere, opened_image, upright

Image.init()  # loads all of Pillow's formats
with suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()

# Pillow starts Ghostscript for EPS, and of most others here it knows no more than the name.
_NO_PHOTOS = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF"}
_FORMATS = tuple(sorted({kind for kind in Image.EXTENSION.values() if kind in Image.OPEN} - _NO_PHOTOS))
SUFFIXES = tuple(suffix for suffix, kind in Image.EXTENSION.items() if kind in _FORMATS)
"""Names that a folder is searched for, in any case: every image type that Pillow reads here."""

MIN_SIDE = 32
"""The shortest side, in pixels, in which there is anything to be seen."""

MAX_ASPECT = 20
"""The largest ratio of the sides."""

PARSE_SIDE = 2048
"""Pixels of the longer side from which a photo is made smaller for a network: none sees more."""

_NAMED = 10
_SAME = 3  # levels of 255: profiles of sRGB itself differ from one another by this much


def read_photo(path: str | Path) -> np.ndarray:
    """Reads a photo; the first part of what `read_cutout` gives."""
    return read_cutout(path)[0]


def read_cutout(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads a photo upright (EXIF orientation obeyed) and in color, and what of it is opaque.

    Transparent parts become white. Colors of another profile than sRGB become sRGB; without a profile, or with a broken
    one, they stay as they are. Gray of more bits is scaled to 8. Of an animation the first frame is read. The content
    decides on the format, not the name.

    Returns:
        RGB uint8 `(H, W, 3)`; alpha uint8 `(H, W)`, None where the file has none.

    Raises:
        UserError: the file is missing, of another format, broken, or its size is out of range; nothing is decoded of a
            file whose header announces more than `MAX_PIXELS`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `_check_size` is stricter
        with opened_image(path, _FORMATS) as image:
            _check_size(path, *image.size)
            picture, alpha = to_rgb(upright(image), image.info.get("icc_profile"))
            return np.array(picture), None if alpha is None else np.array(alpha)


def _check_size(path: str | Path, width: int, height: int) -> None:
    """Raises `UserError` when the size that the header announces is out of range."""
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{path} is too large: its header says {width}x{height} pixels and at most {MAX_PIXELS} are decoded. Make "
            "it smaller; what the models see is about 1000 pixels high"
        )
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{path} is too small: {width}x{height} pixels; each side must have {MIN_SIDE} or more")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise UserError(f"{path} is a strip of {width}x{height} pixels: crop it to the person")


def to_rgb(image: Image.Image, profile: bytes | None = None) -> tuple[Image.Image, Image.Image | None]:
    """Any mode as RGB of 8 bits, before white where it is transparent, and its alpha where it has one.

    Args:
        image: of any mode; `gray` scales gray of more than 8 bits.
        profile: ICC profile of the colors, which become sRGB; None leaves them as they are.
    """
    alpha = None
    if image.mode[0] in "IF":
        image = gray(image)
    elif image.mode in ("LA", "PA", "La", "RGBa", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")
    picture = (_in_srgb(image, profile) if profile else image).convert("RGB")
    if alpha is not None:
        picture.putalpha(alpha)
        picture = Image.alpha_composite(Image.new("RGBA", image.size, "white"), picture).convert("RGB")
    return picture, alpha


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """A picture of mode L, RGB or CMYK in sRGB; as it is where its profile is sRGB, broken or of another mode."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, 256, 3)
    colors = Image.fromarray(cube).convert(image.mode)
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, image.mode, "RGB")
        found = ImageCms.applyTransform(colors, transform)
        if np.abs(np.array(found, int) - np.array(colors.convert("RGB"), int)).max() <= _SAME:
            return image  # bit for bit
        return ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def gray(image: Image.Image) -> Image.Image:
    """Converts an image of any mode to gray of 8 bits; levels of 16 or 32 bits, which Pillow would clip, are scaled.

    Nothing says what is white in them: it is 1, 255 or 65535, the first that no level exceeds.
    """
    if image.mode[0] not in "IF":
        return image.convert("L")
    levels = np.nan_to_num(np.array(image, np.float64), posinf=0, neginf=0)
    white = next((white for white in (1, 255) if levels.max() <= white), 65535)
    return Image.fromarray((levels * (255 / white)).round().clip(0, 255).astype(np.uint8))


def limited(photo: np.ndarray, side: int = PARSE_SIDE) -> np.ndarray:
    """The photo, made smaller where its longer side has more than `side` pixels."""
    longer = max(photo.shape[:2])
    if longer <= side:
        return photo
    size = [max(1, round(length * side / longer)) for length in photo.shape[1::-1]]
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def find_photos(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """The photos in a folder and its folders, in order; hidden files are left out, and others with a word on stderr.

    Links to folders are followed, each folder is looked into once. Links to nowhere and in circles are among the
    photos: whoever reads them says so.

    Args:
        folder: where to look.
        leave_out: a folder inside it that is not looked into: the results of an earlier run, say.
    """
    seen = {leave_out and leave_out.resolve()}
    photos, others = [], []
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = Path(parent).resolve()
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        # Links come last: a folder that is there itself has that name.
        folders.sort(key=lambda name, parent=parent: (Path(parent, name).is_symlink(), name))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in files if not name.startswith(".")):
            if path.is_file() or leads_nowhere(path):
                (photos if path.suffix.lower() in SUFFIXES else others).append(path)
    if others:
        _say_left_out(folder, tuple(sorted(others)))
    return sorted(photos)


@cache
def _say_left_out(folder: Path, others: tuple[Path, ...]) -> None:
    """Names the files of a folder that are no photos, once a process: the first ten, all by count and type."""
    types = Counter(path.suffix.lower() or "without a suffix" for path in others)
    named = ", ".join(path.relative_to(folder).as_posix() for path in others[:_NAMED])
    print(
        f"note: {folder}: left out {len(others)} files that are of no image type that Pillow reads here "
        f"({', '.join(f'{count} {kind}' for kind, count in types.most_common())}): {named}"
        f"{', ...' if len(others) > _NAMED else ''}{heic_hint(*others)}",
        file=sys.stderr,
        flush=True,
    )
