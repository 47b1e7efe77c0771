"""Folders of pictures that any method made, matched with the photographs that they are measured against."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from seg_vton.errors import UserError
from seg_vton.files import exif_orientation, opened_image
from seg_vton.pictures.images import resized
from seg_vton.tryon.datasets.layouts import Pair, read_pairs

RESULT_NAMES = ("{person}_{garment}", "{person_id}_{garment}", "{person}")
"""What the result of a line of a pairs file may be called, the first form that occurs: CP-VTON+'s and ours, VITON-HD's
(without the person's last `_00`), CP-VTON's."""

RESIZE_RULES = {name: Image.Resampling[name.upper()] for name in ("bilinear", "bicubic", "lanczos")}
"""Pillow's filters, which are wide enough to shrink without aliasing."""

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_MODES = {"1": "black and white", "L": "gray", "LA": "gray", "P": "a palette image", "CMYK": "CMYK"}
_EXAMPLES = 5
_LEAST_SIDE = 11
_FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass
class Method:
    """The pictures of a method."""

    folder: Path  # where they are
    files: dict[str, Path]  # by the name of the sample
    target: list[Path] = field(default_factory=list)  # the photographs that FID and KID compare them with
    missing: list[str] = field(default_factory=list)  # samples that have none
    unused: list[str] = field(default_factory=list)  # names of pictures that are of no sample


class Samples(NamedTuple):
    """What is compared."""

    photographs: dict[str, Path]  # by the names of the samples
    methods: list[Method]  # their pictures
    split: str  # SHA-256 of the photographs' sorted names or, where they are unpaired and in a file, of the pairs'


def find_samples(
    results: Sequence[Path],
    truth: Path,
    pairs_file: Path | None = None,
    unpaired: bool = False,
    allow_missing: bool = False,
) -> Samples:
    """Matches pictures with photographs by their names, suffixes left out.

    Without a pairs file a picture is of the photograph of its name, or else of the one with the longest name that the
    picture's begins with before a `_` (`PERSON_GARMENT`). Unpaired pictures need no photograph of their own then.

    A line of a pairs file, PERSON GARMENT, stands for the photograph PERSON and the picture of one of `RESULT_NAMES`,
    the same form in all lines. Where no photograph has a name of the first column, the lines are RESULT PHOTOGRAPH.

    Args:
        results: a folder for each method.
        truth: folder of the photographs.
        pairs_file: the pairs, or None.
        unpaired: whether the persons wear others' garments.
        allow_missing: whether to go on where pictures or photographs are missing.

    Raises:
        UserError: a folder is empty, two pictures match the same sample, none matches, or one is missing.
    """
    photographs, methods = find_pictures(truth), [Method(folder, find_pictures(folder)) for folder in results]
    if unpaired and pairs_file is None:
        for method in methods:
            method.target = list(photographs.values())
        return Samples(photographs, methods, _hash(photographs))
    samples, lost = photographs, []
    if pairs_file is None:
        for method in methods:
            _match_names(method, photographs)
    else:
        samples, lost = _match_pairs(photographs, methods, read_pairs(pairs_file), pairs_file)
    missing = [(f"{truth} lacks photographs of {pairs_file}", lost)]
    for method in methods:
        if not method.files:
            name, where = (method.unused[0], pairs_file or truth) if method.unused else (lost[0], truth)
            raise UserError(
                f"no picture of {method.folder} matches: {name}, say, belongs to none in {where}. Pass --pairs FILE "
                "with a line RESULT PHOTOGRAPH for each"
            )
        method.target = [samples[name] for name in method.files]
        method.missing = [name for name in samples if name not in method.files]
        missing.append((f"{method.folder} lacks pictures of {pairs_file or truth}", method.missing))
        if pairs_file is None:
            missing.append((f"{truth} lacks photographs of {method.folder}", method.unused))
    faults = [f"{what}: {len(names)}, such as {', '.join(names[:_EXAMPLES])}" for what, names in missing if names]
    if faults and not allow_missing:
        raise UserError(
            "\n".join(
                [*faults, "Add them, choose by --pairs FILE, or pass --allow-missing to score those that are there"]
            )
        )
    return Samples(samples, methods, _hash(samples if unpaired else {path.stem for path in samples.values()}))


def _hash(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def find_pictures(folder: Path) -> dict[str, Path]:
    """PNG, JPEG and WebP files right in a folder by their names in NFC without suffix, in order; at least one."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder of pictures: it does not exist or is a file")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
            continue
        if (same := found.setdefault(unicodedata.normalize("NFC", path.stem), path)) != path:
            raise UserError(f"{same} and {path.name} have the same name: move one of them away")
    if not found:
        inside = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        hint = f"; the pictures of its folders ({', '.join(inside[:_EXAMPLES])}) do not count" if inside else ""
        raise UserError(f"{folder} is empty: it has no file {', '.join(_SUFFIXES)}{hint}")
    return found


def _match_names(method: Method, photographs: Mapping[str, Path]) -> None:
    """Gives a method's pictures the names of their photographs."""
    pictures, method.files = method.files, {}
    for name, path in pictures.items():
        parts = name.split("_")
        person = next((p for n in range(len(parts), 0, -1) if (p := "_".join(parts[:n])) in photographs), None)
        if person is None:
            method.unused.append(name)
        elif method.files.setdefault(person, path) != path:
            raise UserError(
                f"{method.files[person]} and {path.name} both match {photographs[person]}: pass --pairs FILE with a "
                "line PERSON GARMENT for each pair that is meant"
            )


def _match_pairs(
    photographs: Mapping[str, Path], methods: Sequence[Method], pairs: Sequence[Pair], pairs_file: Path
) -> tuple[dict[str, Path], list[str]]:
    """Gives the methods' pictures the names of their pairs; the photographs by these, and the pairs that have none."""
    pairs = [Pair(*(unicodedata.normalize("NFC", name) for name in pair)) for pair in pairs]
    by_person = any(pair.fill("{person}") in photographs for pair in pairs)
    forms, name_form, truth_form = (
        (RESULT_NAMES, "{person}_{garment}", "{person}") if by_person else (("{person}",), "{person}", "{garment}")
    )
    named = {pair.fill(name_form): pair for pair in pairs}
    samples = {
        name: photographs[pair.fill(truth_form)] for name, pair in named.items() if pair.fill(truth_form) in photographs
    }
    for method in methods:
        pictures, method.files = method.files, {}
        form = next((form for form in forms if any(pair.fill(form) in pictures for pair in pairs)), forms[-1])
        owners: dict[str, Pair] = {}
        for name, pair in named.items():
            file = pair.fill(form)
            if owners.setdefault(file, pair) != pair and file in pictures:
                raise UserError(
                    f"{pictures[file]} matches {pairs_file} twice: {' '.join(owners[file])} and {' '.join(pair)}. Call "
                    "results PERSON_GARMENT where a person has several"
                )
            if file in pictures and name in samples:
                method.files[name] = pictures[file]
        method.unused = [name for name in pictures if name not in owners]
    return samples, [name for name in named if name not in samples]


def check_picture(path: Path, size: tuple[int, int] | None) -> tuple[str, tuple[int, int]]:
    """Looks at a picture's header: its format, `PNG` say, and its (height, width).

    `UserError` where it is broken, not of RGB of 8 bits, or of another `size`.
    """
    with opened_image(path, _FORMATS) as image:
        # Pillow reads colors of 16 bits as if they were of 8; only its decoder's raw mode tells.
        raw = [tile[3] for tile in image.tile]  # none of a WebP
        mode = "of 16 bits" if "16" in f"{image.mode}{raw}" else _MODES.get(image.mode, image.mode)
        if mode not in ("RGB", "RGBA"):
            raise UserError(f"{path} is {mode}: pictures to score must be 8-bit RGB; convert it")
        found = image.size if exif_orientation(image) > 4 else image.size[::-1]
        if min(found) < _LEAST_SIDE:
            raise UserError(f"{path} is {found[0]} x {found[1]} pixels: SSIM's window needs {_LEAST_SIDE} a side")
        if size is not None and found != size:
            height, width = size
            raise UserError(
                f"{path} is {found[0]} x {found[1]} pixels (height x width), the first photograph is {height} x "
                f"{width}: pass --size {height}x{width}, or another size, to resize all"
            )
        return image.format, found


def read_picture(path: Path, size: tuple[int, int], rule: str) -> np.ndarray:
    """Decodes a picture without transparent parts: RGB uint8 `(H, W, 3)`, resized by a rule of `RESIZE_RULES`."""
    with opened_image(path, _FORMATS) as image:
        if image.mode == "RGBA" and image.getextrema()[3][0] < 255:
            raise UserError(f"{path} has transparent parts: put it on a background and save it as RGB")
        return resized(np.asarray(ImageOps.exif_transpose(image).convert("RGB")), size, RESIZE_RULES[rule])
