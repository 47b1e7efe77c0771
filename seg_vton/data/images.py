"""Reading image files of a data set with errors that name the file."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from seg_vton.errors import BROKEN_IMAGE, UserError


def image_size(path: str | Path, whole: bool = False) -> tuple[int, int]:
    """Width and height in pixels as the file's header has them; `UserError` where it is missing or broken.

    `whole` decodes the pixels too, to see that all are there; JPEG at an eighth of its size, which reads all of the
    file's data.
    """
    try:
        with Image.open(path) as image:
            size = image.size
            if whole:
                image.draft("L", (image.width // 8, image.height // 8))
                image.load()
            return size
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not an image: its header is of no known format") from None
    except BROKEN_IMAGE as error:
        raise UserError(f"{path} is not a whole image ({error}): download it again") from None


def find_folder(root: str | Path, names: Sequence[str]) -> Path:
    """The first of the folders `names` that is in `root`; `UserError` where none is."""
    for name in names:
        if (Path(root) / name).is_dir():
            return Path(root) / name
    raise UserError(f"{root} has no folder {' or '.join(names)}: is it the root of the data set?")


def link_folder(target: Path, link: Path) -> None:
    """Makes `link` a symbolic link to the folder `target`, unless a folder is there already."""
    if link.is_dir():
        return
    if link.is_symlink():
        raise UserError(f"{link} is a link to {link.readlink()}, which is not there: remove the link and run again")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target.resolve(), target_is_directory=True)
