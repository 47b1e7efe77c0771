"""COCO annotation files: the one reader and judge of them, whoever wrote them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from seg_vton.errors import UserError

MAX_PIXELS = 89_478_485
"""The largest image that is believed: Pillow's own limit."""


def categories(classes: Sequence[str]) -> list[dict[str, Any]]:
    """The `categories` of a COCO file: ids from 1 in the order of `classes`, as in a label map."""
    return [{"id": index, "name": name, "supercategory": "clothing"} for index, name in enumerate(classes, start=1)]


_ENTRY_KEYS: dict[str, dict[str, Any]] = {
    "images": {"id": int | str, "file_name": str, "width": int, "height": int},
    "annotations": {"id": int | str, "image_id": int | str, "category_id": int | str},
    "categories": {"id": int | str, "name": str},
}


def check_sections(content: Any, path: str | Path) -> None:
    """Raises `UserError` unless `content` has COCO's three lists, and each entry the keys that tie them together."""
    missing = [k for k in _ENTRY_KEYS if not isinstance(content, dict) or not isinstance(content.get(k), list)]
    if missing:
        raise UserError(f"{path} is not a COCO annotation file: it has no list of {', '.join(missing)}")
    for section, keys in _ENTRY_KEYS.items():
        for entry in content[section]:
            wrong = [k for k, kind in keys.items() if not isinstance(entry, dict) or not isinstance(entry.get(k), kind)]
            if wrong:
                raise UserError(f"{path}: an entry of {section} has no {', '.join(wrong)} of the right kind: {entry}")


def refuse_broken_entries(content: Mapping[str, Any], path: str | Path) -> None:
    """Raises `UserError` at the first entry whose numbers or mask mmdet and pycocotools would stumble over.

    pycocotools decodes run lengths without checks: broken ones make it write beyond the mask. The message names the
    entry; `tools/data/check.py` lists all of them, and also what is only odd.

    Args:
        content: what `check_sections` has let pass.
        path: the file, for the message.
    """
    for section in ("images", "annotations"):
        twice = [entry for entry, count in Counter(entry["id"] for entry in content[section]).items() if count > 1]
        if twice:
            raise UserError(f"{path}: {len(twice)} ids come twice in {section}, {twice[0]!r} for one: ids must differ")
    sizes = {}
    for image in content["images"]:
        sizes[image["id"]] = image["width"], image["height"]
        if min(sizes[image["id"]]) < 1 or math.prod(sizes[image["id"]]) > MAX_PIXELS:
            raise UserError(
                f"{path}: image {image['id']!r} is {image['width']}x{image['height']} pixels: it must have 1 to "
                f"{MAX_PIXELS}"
            )
    for annotation in content["annotations"]:
        if annotation["image_id"] not in sizes:
            continue  # mmdet leaves them out
        fault = _entry_fault(annotation, *sizes[annotation["image_id"]])
        if fault:
            raise UserError(f"{path}: annotation {annotation['id']!r}: {fault}. tools/data/check.py lists all faults")


def _entry_fault(annotation: Mapping[str, Any], width: int, height: int) -> str:
    """What is wrong with an annotation; empty where nothing is."""
    box, crowd = annotation.get("bbox"), annotation.get("iscrowd", 0)
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return f"bbox {box} is not [x, y, width, height]"
    if not _is_number(annotation.get("area")) or crowd not in (0, 1):
        return f"area {annotation.get('area')} must be a number and iscrowd {crowd} 0 or 1"
    try:
        if not annotation.get("segmentation"):
            raise ValueError("there is none")
        check_segmentation(annotation["segmentation"], width, height)
    except ValueError as error:
        return f"its segmentation is broken: {error}"
    return ""


def check_segmentation(segmentation: Any, width: int, height: int) -> None:
    """Checks a mask in any of COCO's three forms, which pycocotools takes on trust.

    Args:
        segmentation: polygons `[[x0, y0, x1, y1, ...], ...]` in pixels, or RLE with `counts` as a list, str or bytes.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Raises:
        ValueError: the segmentation has none of the three forms, is of another size, or its runs do not fill the image.
    """
    if isinstance(segmentation, list):
        if not all(isinstance(p, list) and not len(p) % 2 and all(map(_is_number, p)) for p in segmentation):
            raise ValueError("a polygon is not a list of x, y, x, y, ...")
        return
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise ValueError("the segmentation is neither polygons nor RLE with size and counts")
    size, counts = segmentation["size"], segmentation["counts"]
    if size not in ([height, width], (height, width)):
        raise ValueError(
            f"the mask is of size {size} and the image [{height}, {width}] (height, width): it belongs to another image"
        )
    if isinstance(counts, str | bytes):
        rle_area(segmentation, width, height)
    elif not isinstance(counts, list) or not all(type(run) is int and run >= 0 for run in counts):
        raise ValueError("the run lengths are not whole numbers")
    elif sum(counts) != width * height:
        raise ValueError(f"the run lengths of the mask do not fill the image's {width}x{height} pixels")


def to_rle(segmentation: Any, width: int, height: int) -> dict[str, Any] | None:
    """A mask in any of COCO's three forms as compressed RLE.

    Args:
        segmentation: see `check_segmentation`.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Returns:
        `size` and `counts`, or None where there is no mask: nothing given, or polygons of fewer than three points.

    Raises:
        ValueError: see `check_segmentation`.
    """
    if not segmentation:
        return None
    check_segmentation(segmentation, width, height)
    if isinstance(segmentation, list):
        whole = [polygon for polygon in segmentation if len(polygon) >= 6]
        return coco_mask.merge(coco_mask.frPyObjects(whole, height, width)) if whole else None
    if isinstance(segmentation["counts"], list):
        return coco_mask.frPyObjects(segmentation, height, width)
    return segmentation


def _is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a number that a photo's geometry can have."""
    return isinstance(value, int | float) and abs(value) < 1e9  # neither NaN nor infinity is


def check_category_names(
    names: Sequence[str], classes: Sequence[str], path: str | Path, others: Sequence[str] = ()
) -> None:
    """Checks the category names of a COCO file; their order is free.

    Args:
        names: the file's category names.
        classes: the classes wanted.
        path: the file, for the message.
        others: names that the file may have beside them; mmdet ignores their instances.

    Raises:
        UserError: a name is unknown or comes twice, or one of `classes` is missing.
    """
    unknown = [name for name in names if name not in classes and name not in others]
    missing = [name for name in classes if name not in names]
    twice = [name for name, count in Counter(names).items() if count > 1]
    faults = [
        f"{what}: {', '.join(map(repr, found))}"
        for what, found in (("unknown", unknown), ("missing", missing), ("twice", twice))
        if found
    ]
    if faults:
        raise UserError(
            f"{path}: the categories are not the data set's classes ({'; '.join(faults)}). Expected, in any order: "
            f"{', '.join(classes)}. Rename the categories in the file or convert it with a tool in tools/data; a class "
            "without instances must still be listed. For other classes set metainfo=dict(classes=...) in the config"
        )


def rle_runs(counts: str | bytes) -> np.ndarray:
    """Run lengths of COCO's compressed RLE: int64, alternating background and mask, in column order.

    Each number is written in base 32, lowest digit first, in characters from '0': bit 5 says that more follow, bit 4 of
    the last is the sign. From the fourth number on, a number is the difference from the one two before
    (pycocotools, `rleToString`). pycocotools reads such a string without checks, so broken ones are found here.

    Raises:
        ValueError: a character that the code has not, or a number cut off.
    """
    code = np.frombuffer(counts.encode("ascii") if isinstance(counts, str) else counts, np.uint8).astype(np.int64) - 48
    if code.size == 0:
        return code
    if code.min() < 0 or code.max() > 63 or code[-1] & 32:
        raise ValueError("the run lengths are cut off or not COCO's code")
    last = np.flatnonzero(code & 32 == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    if (last - first).max() > 7:
        raise ValueError("a run length is longer than any image")
    shift = 5 * (np.arange(code.size) - np.repeat(first, last - first + 1))
    runs = np.add.reduceat((code & 31) << shift, first)
    runs -= np.where(code[last] & 16, 1 << (shift[last] + 5), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def rle_area(rle: Mapping[str, Any], width: int, height: int) -> int:
    """Checks a compressed RLE and returns the number of pixels in its mask.

    Args:
        rle: `size` (height, width) and `counts`, str or bytes.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Raises:
        ValueError: the size is not the image's, or the run lengths are broken or do not fill it.
    """
    if list(rle["size"]) != [height, width]:
        raise ValueError(
            f"the mask is {'x'.join(map(str, reversed(rle['size'])))} and the image {width}x{height} (width x height): "
            "the annotation belongs to another image"
        )
    runs = rle_runs(rle["counts"])
    if runs.size == 0 or runs.min() < 0 or runs.sum() != width * height:
        raise ValueError(f"the run lengths of the mask do not fill the image's {width}x{height} pixels")
    return int(runs[1::2].sum())
