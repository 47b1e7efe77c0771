"""Folders of images that a converter finds, and links."""

from collections.abc import Sequence
from pathlib import Path

from seg_vton.errors import UserError


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
