"""Files: written so that nothing a user has is lost (temporary name first, then renamed), found and opened."""

import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from seg_vton.errors import BROKEN_IMAGE, DamagedFileError, UserError

MAX_PIXELS = 89_478_485
"""The largest image that is believed or decoded: Pillow's own limit, 256 MiB of RGB."""

_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}  # how whole files of a format end


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raises `UserError` when `path` exists and may not be replaced."""
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already: pass --overwrite to replace it, or choose another output")


@contextmanager
def atomic_path(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside `path` that becomes `path` when the body succeeds, and goes when it fails.

    The temporary name keeps the suffix, so that writers which choose a format by suffix work.

    Raises:
        UserError: `path` exists and `overwrite` is False, or nothing can be written there.
    """
    path = Path(path)
    refuse_existing(path, overwrite)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.filename is not None and str(error.filename) not in map(str, (temporary, path, *path.parents)):
            raise  # it is about another file
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}. Choose another place, make room or get permission"
        ) from error


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path` that takes its name when the body succeeds, and goes when it fails.

    What is at `path` is replaced: the caller has looked whether it may be. A link stays, and what it leads to is
    replaced. `UserError` where it cannot be written.
    """
    path = Path(os.path.realpath(path))
    temporary, old = (path.with_name(f".{path.name}.{os.getpid()}.{kind}") for kind in ("tmp", "old"))
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write to {path.parent} ({error.strerror}): choose another --out") from None
    try:
        yield temporary
        if path.exists():
            path.replace(old)
        try:
            temporary.replace(path)
        except OSError:
            if old.exists():
                old.replace(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: str | Path) -> None:
    """Removes temporary files of `atomic_path` in a folder and its folders that a killed process of this machine left.

    To be called before the processes that write there are started.
    """
    for path in Path(folder).rglob(".*.tmp*"):
        found = re.fullmatch(r"\..*\.(\d+)\.tmp(\..*)?", path.name)
        if found and not path.is_dir():
            try:
                os.kill(int(found[1]), 0)  # asks whether the process runs
            except ProcessLookupError:
                path.unlink(missing_ok=True)
            except PermissionError:
                continue  # it does, as another user's


def _flush(path: Path) -> None:
    """Pushes the file's content to the disk, so that the rename cannot land before it."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def write_text(path: str | Path, text: str, overwrite: bool = False) -> None:
    """Writes text as UTF-8; see `atomic_path`."""
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any, overwrite: bool = False, indent: int | None = None) -> None:
    """Writes `content` as JSON: keys in the given order, the same content always the same bytes; see `atomic_path`.

    Raises:
        ValueError: `content` holds a NaN or an infinity, which JSON has no form for.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(content, indent=indent, separators=separators, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n", overwrite)


def read_json(path: str | Path) -> Any:
    """Reads a JSON file in UTF-8, or in UTF-16 or UTF-32, with or without a byte-order mark.

    Raises:
        UserError: it is not readable, compressed, not text or not whole JSON; the message has the place.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content.startswith((b"\x1f\x8b", b"PK\x03\x04")):
            raise UserError(f"{path} is compressed: unpack it (gunzip, unzip) and name the JSON file")
        return json.loads(content)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, numbers of thousands of digits; lists in lists
        raise UserError(
            f"{path} is not whole JSON ({error}): it may have been cut off; write or download it again"
        ) from None


@contextmanager
def opened_image(path: str | Path, formats: Sequence[str] | None = None, whole: bool = False) -> Iterator[Image.Image]:
    """Opens an image file; `UserError` where that, or what the body decodes of it, fails.

    A broken file is a `DamagedFileError`. `formats` are Pillow's names of those that are taken; None takes all. `whole`
    is for a body that reads the header alone: it finds a JPEG or PNG that was cut off by its end.
    """
    try:
        # Pillow 13 garbles a turned TIFF that it maps into memory, as it does with files that it opens itself.
        with Path(path).open("rb") as stream, Image.open(stream, formats=formats) as image:
            if whole and (end := _ENDS.get(image.format)):
                place = stream.tell()
                stream.seek(-len(end), os.SEEK_END)
                found = stream.read()
                stream.seek(place)
                if found != end:
                    with Image.open(path) as again:
                        again.load()  # which fails, unless there is something behind the picture
            yield image
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except UnidentifiedImageError:
        with Path(path).open("rb") as stream:
            kind = stream.read(12)
        heic = kind[4:] in (b"ftypheic", b"ftypheix", b"ftypmif1")  # phones send such files as .jpg, too
        hint = heic_hint(Path("a.heic") if heic else Path(path))
        raise UserError(f"{path} is not an image that Pillow reads here, whatever its name says{hint}") from None
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large to decode: {str(error).split(',')[0]}. Make it smaller") from None
    except (*BROKEN_IMAGE, RuntimeError, IndexError) as error:  # the last two of the decoders of AVIF and QOI
        raise DamagedFileError(f"{path} is not a whole image ({error}): write or download it again") from None


def heic_hint(*paths: Path) -> str:
    """What Pillow lacks for files that it does not read where one is a HEIC, as the end of a message; else nothing."""
    if not any(path.suffix.lower() in (".heic", ".heif", ".hif") for path in paths):
        return ""
    return ". HEIC needs one more package (pip install pillow-heif), or save the photos as JPEG"


def exif_orientation(image: Image.Image) -> int:
    """EXIF orientation of an image file that was just opened, 1 to 8; 1 where it says nothing, or nothing sound.

    Pillow decodes a whole PNG to look behind its pixels for one: that is left out where no such chunk is in the file.
    """
    if image.format == "PNG" and "exif" not in image.info:
        place = image.fp.tell()
        image.fp.seek(0)
        content = image.fp.read()
        image.fp.seek(place)
        if not any(name in content for name in (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")):
            return 1
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except BROKEN_IMAGE:  # the picture may be whole; if not, its decoder says so
        return 1
    return found if found in range(1, 9) else 1


def upright(image: Image.Image) -> Image.Image:
    """An image file that was just opened, as viewers show it: turned by its EXIF orientation."""
    return ImageOps.exif_transpose(image) if exif_orientation(image) > 1 else image


def sha256(path: str | Path) -> str:
    """The file's SHA-256 as 64 hexadecimal digits, `~` in its path for the user's home; else `UserError`."""
    digest = hashlib.sha256()
    try:
        with Path(path).expanduser().open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()


def plain_name(name: str) -> str:
    """A path's text as names are compared: accents composed (Unicode's NFC), the suffix in small letters.

    Some systems and lists have accents decomposed (NFD), which looks the same.
    """
    composed = unicodedata.normalize("NFC", name)
    suffix = Path(composed).suffix
    return composed.removesuffix(suffix) + suffix.lower()


def list_names(folder: Path) -> dict[str, str]:
    """What is in a folder, if there is one: names by themselves and by their `plain_name`."""
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return {plain_name(name): name for name in reversed(names)} | {name: name for name in names}


def find_beside(folder: Path, place: Path, endings: Sequence[str]) -> Path | None:
    """The file of a photo in a folder of poses or masks, if any: at the photo's own place, or else of its name alone.

    `place` is the photo's path in the folder it was found in; `endings` are what may stand in the place of its suffix,
    in small letters; the first that is there is meant.
    """
    paths = [folder / f"{stem}{ending}" for stem in (place.with_suffix(""), place.stem) for ending in endings]
    return next((path for path in map(find_file, paths) if path is not None), None)


def find_file(path: Path) -> Path | None:
    """The file at a path, or else one whose name differs in Unicode's form of accents and the suffix's case alone."""
    if path.is_file():
        return path
    try:
        names = _list_once(path.parent, path.parent.stat().st_mtime_ns)
    except OSError:
        return None
    found = path.with_name(names.get(plain_name(path.name), path.name))
    return found if found.is_file() else None


@lru_cache(maxsize=64)
def _list_once(folder: Path, changed: int) -> dict[str, str]:
    return list_names(folder)


def shared_files(files: Mapping[Path, Path | None]) -> dict[Path, str]:
    """By photo what is to be said of those that would have one file in common: nothing tells whose it is."""
    owners: dict[Path, list[Path]] = {}
    for photo, file in files.items():
        if file is not None:
            owners.setdefault(file, []).append(photo)
    return {
        photo: f"{file} would be of {' and of '.join(map(str, photos))}: give the one folder that holds these photos, "
        "with such files in folders of the same names, or rename a photo and its file"
        for file, photos in owners.items()
        if len(photos) > 1
        for photo in photos
    }


def leads_nowhere(path: Path) -> bool:
    """Whether a path is a link to what is not there, or one in a circle, which `Path.resolve` raises for."""
    return path.is_symlink() and not path.exists()
