"""Reading image files of a data set with errors that name the file."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from seg_vton.errors import UserError


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels as the file's header has them; the pixels are not decoded.

    Raises:
        UserError: the file is missing or its header is broken.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not an image: its header is of no known format") from None
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken PNG chunk
        raise UserError(f"{path}: broken image header ({error})") from None
