"""Folders of data sets: ours are whole or not there and known by their marker; published ones are found and linked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os.path import realpath
from pathlib import Path
from typing import Any

from seg_vton.errors import UserError
from seg_vton.files import atomic_folder, read_json, refuse_existing

MARKER = "dataset.json"
"""The file that says what a folder is (`data_set`, `label_space`) and how it was made."""


def read_marker(folder: Path) -> dict[str, Any]:
    """What the marker of a data set's folder says; empty where there is none, `UserError` where it is broken."""
    marker = folder / MARKER
    said = read_json(marker) if marker.is_file() else None
    return said if isinstance(said, dict) else {}


@contextmanager
def new_folder(out: Path, data_set: str, overwrite: bool) -> Iterator[Path]:
    """Yields a temporary folder beside `out` that takes its name when the body succeeds, and goes when it fails.

    `data_set` is what its marker will say as `data_set`; `overwrite` replaces a folder whose marker says the same, and
    no other. `UserError` where `out` exists and may not be replaced, or cannot be written.
    """
    refuse_existing(out, overwrite)
    if out.exists() and read_marker(out).get("data_set") != data_set:
        raise UserError(
            f"{out} is not a set of the kind '{data_set}' (by its {MARKER}): choose another --out, or remove it"
        )
    with atomic_folder(out) as temporary:
        yield temporary


def find_folder(root: str | Path, names: Sequence[str]) -> Path:
    """The first of the folders `names` that is in `root`; `UserError` where none is."""
    for name in names:
        if (Path(root) / name).is_dir():
            return Path(root) / name
    raise UserError(f"{root} has no folder {' or '.join(names)}: is it the root of the data set?")


def link_folder(target: Path, link: Path) -> None:
    """Makes `link` a symbolic link to the folder `target`, unless a folder is there already; `UserError` for others."""
    if link.is_symlink() and realpath(link) != realpath(target):
        raise UserError(f"{link} is a link to {link.readlink()} and not to {target}: remove the link and run again")
    if link.is_dir():
        return
    if link.exists():
        raise UserError(f"{link} is a file, where a link to {target} belongs: move it away and run again")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target.resolve(), target_is_directory=True)
