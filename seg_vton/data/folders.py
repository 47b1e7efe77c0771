"""Folders of data sets that our tools make: whole or not there, and known again by their marker."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seg_vton.errors import UserError
from seg_vton.files import read_json

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
    if out.exists() and not overwrite:
        raise UserError(f"{out} exists already: pass --overwrite to replace it, or choose another --out")
    if out.exists() and read_marker(out).get("data_set") != data_set:
        raise UserError(
            f"{out} is not a set of the kind '{data_set}' (by its {MARKER}): choose another --out, or remove it"
        )
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write to {out.parent} ({error.strerror}): choose another --out") from None
    try:
        yield temporary
        old = out.with_name(f".{out.name}.{os.getpid()}.old")
        if out.exists():
            out.replace(old)
        try:
            temporary.replace(out)
        except OSError:
            if old.exists():
                old.replace(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
