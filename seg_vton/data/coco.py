"""COCO annotation files of the 15 DeepFashion classes: what every converter and the paper doll write."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from rich.console import Console
from rich.table import Table

from seg_vton.errors import UserError
from seg_vton.files import write_json
from seg_vton.labels import DEEPFASHION15, check_label_map

CLASSES = DEEPFASHION15.classes[1:]
"""The 15 classes in mmdet's order."""

CATEGORIES: tuple[dict[str, Any], ...] = tuple(
    {"id": index, "name": name, "supercategory": "clothing"} for index, name in enumerate(CLASSES, start=1)
)
"""Categories of every file written here: id i is label i of `deepfashion15`, so 1 to 15 in mmdet's class order."""


MAX_PIXELS = 89_478_485
"""The largest image that is believed: Pillow's own limit."""

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
    mask = annotation.get("segmentation")
    if isinstance(mask, list) and mask:
        whole = all(isinstance(p, list) and not len(p) % 2 and all(map(_is_number, p)) for p in mask)
        return "" if whole else "a polygon of its segmentation is not a list of x, y, x, y, ..."
    if not isinstance(mask, dict) or not {"size", "counts"} <= mask.keys():
        return "its segmentation is neither polygons nor RLE with size and counts"
    try:
        _check_runs(mask, width, height)
    except (ValueError, TypeError) as error:
        return f"its segmentation is broken: {error}"
    return ""


def _check_runs(rle: Mapping[str, Any], width: int, height: int) -> None:
    """Raises `ValueError` unless an RLE, compressed or not, fills the image."""
    counts = rle["counts"]
    if not isinstance(counts, list):
        rle_area(rle, width, height)
    elif rle["size"] != [height, width] or not all(type(run) is int and run >= 0 for run in counts):
        raise ValueError(f"size {rle['size']} is not [{height}, {width}], or a run length is no whole number")
    elif sum(counts) != width * height:
        raise ValueError(f"the run lengths do not fill the image's {width}x{height} pixels")


def _is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a number that a photo's geometry can have."""
    return isinstance(value, int | float) and abs(value) < 1e9  # neither NaN nor infinity is


def check_category_names(names: Sequence[str], classes: Sequence[str], path: str | Path) -> None:
    """Checks the category names of a COCO file; their order is free.

    Args:
        names: the file's category names.
        classes: the classes wanted. With fewer than the 15, the file's others of the 15 are ignored, as mmdet does.
        path: the file, for the message.

    Raises:
        UserError: a name is unknown or comes twice, or one of `classes` is missing.
    """
    unknown = [name for name in names if name not in classes and name not in CLASSES]
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


@dataclass
class Summary:
    """What one annotation file holds, and what a converter left out of it.

    Attributes:
        name: the split or file.
        images: number of images.
        empty_images: number of images without an instance.
        instances: number of instances by class name; every class is there, in class order.
        sizes: number of images by (width, height).
        dropped: number of things left out, by reason.
    """

    name: str
    images: int = 0
    empty_images: int = 0
    instances: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(CLASSES, 0)))
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


class CocoBuilder:
    """Collects images and instances and writes them as one COCO file.

    Masks are kept as compressed RLE only (some hundred bytes each), so that tens of thousands of images fit in memory.
    Ids are given in the order of the calls and start at 1: the same calls give the same bytes.

    Args:
        name: the split or file, for the summary.
    """

    def __init__(self, name: str) -> None:
        self.summary = Summary(name)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._file_names: set[str] = set()

    def add_image(self, file_name: str, width: int, height: int) -> int:
        """Adds an image and returns its id.

        Args:
            file_name: path relative to the folder of images, with forward slashes.
            width: in pixels.
            height: in pixels.

        Raises:
            UserError: an image of this name was added already.
        """
        if file_name in self._file_names:
            raise UserError(f"{file_name} comes twice in {self.summary.name}: each image may come once")
        self._file_names.add(file_name)
        image_id = len(self._images) + 1
        self._images.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        self.summary.images += 1
        self.summary.empty_images += 1
        self.summary.sizes[width, height] += 1
        return image_id

    def add_mask(self, image_id: int, category_id: int, mask: np.ndarray) -> None:
        """Adds an instance from its mask; an empty mask is counted as dropped.

        Args:
            image_id: what `add_image` returned.
            category_id: 1 to 15.
            mask: bool or {0, 1} array `(height, width)` of the image's size.
        """
        self.add_rle(image_id, category_id, coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)))

    def add_rle(self, image_id: int, category_id: int, rle: Mapping[str, Any], iscrowd: int = 0) -> None:
        """Adds an instance from its compressed RLE; box and area come from the mask; an empty one counts as dropped.

        Args:
            image_id: what `add_image` returned.
            category_id: 1 to 15.
            rle: `size` (height, width) of the image and `counts` as bytes or str.
            iscrowd: 1 where the mask is a region to be ignored.

        Raises:
            UserError: the mask is broken or not of the image's size, or the category is none of the 15.
        """
        image = self._images[image_id - 1]
        if not 1 <= category_id <= len(CATEGORIES):
            raise UserError(f"{image['file_name']}: category id {category_id} is none of 1 to {len(CATEGORIES)}")
        try:
            area = rle_area(rle, image["width"], image["height"])
        except ValueError as error:
            raise UserError(f"{image['file_name']}: {error}") from None
        class_name = DEEPFASHION15.classes[category_id]
        if area == 0:
            self.summary.dropped[f"{class_name}: empty mask"] += 1
            return
        counts = rle["counts"].decode("ascii") if isinstance(rle["counts"], bytes) else rle["counts"]
        annotation = {
            "id": len(self._annotations) + 1,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [int(value) for value in coco_mask.toBbox(rle)],
            "area": area,
            "iscrowd": iscrowd,
            "segmentation": {"size": [image["height"], image["width"]], "counts": counts},
        }
        self._append(annotation, class_name)

    def _append(self, annotation: dict[str, Any], class_name: str) -> None:
        """Keeps an annotation; those of one image come one after another, so the last tells whether it is the first."""
        if not self._annotations or self._annotations[-1]["image_id"] != annotation["image_id"]:
            self.summary.empty_images -= 1
        self._annotations.append(annotation)
        self.summary.instances[class_name] += 1

    def add_label_map(self, file_name: str, label_map: np.ndarray) -> int:
        """Adds an image with one instance per class: all pixels of a class, as DeepFashion's parsing masks have it.

        Args:
            file_name: path relative to the folder of images, with forward slashes.
            label_map: `(height, width)` ids of `deepfashion15`.

        Returns:
            The image's id.
        """
        check_label_map(label_map, DEEPFASHION15.name, where=file_name)
        height, width = label_map.shape
        label_map = label_map.astype(np.uint8, order="F")  # RLE's order, turned once and not for each class
        image_id = self.add_image(file_name, width, height)
        present = np.flatnonzero(np.bincount(label_map.ravel(order="K")))  # np.unique would sort all pixels
        for category_id in present[present > 0].tolist():
            self.add_mask(image_id, category_id, label_map == category_id)
        return image_id

    def count_dropped(self, reason: str, count: int = 1) -> None:
        """Counts something that the source has and the file will not."""
        self.summary.dropped[reason] += count

    def content(self) -> dict[str, Any]:
        """The COCO file as a dict: `info`, `images`, `annotations`, `categories`."""
        return {
            "info": {"description": f"{self.summary.name}, 15 DeepFashion classes", "version": "1.0"},
            "licenses": [],
            "images": self._images,
            "annotations": self._annotations,
            "categories": [dict(category) for category in CATEGORIES],
        }

    def write(self, path: str | Path, overwrite: bool = False) -> Summary:
        """Writes the file and returns its summary.

        Raises:
            UserError: `path` exists and `overwrite` is False.
        """
        write_json(path, self.content(), overwrite)
        return self.summary


def print_summaries(summaries: list[Summary], console: Console | None = None) -> None:
    """Prints instances by class and image counts, a column per split, then the image sizes and what was left out."""
    console = console or Console()
    table = Table(title="Instances per class")
    table.add_column("class")
    for summary in summaries:
        table.add_column(summary.name, justify="right")
    for class_name in CLASSES:
        table.add_row(class_name, *(str(s.instances[class_name]) for s in summaries))
    table.add_section()
    table.add_row("all instances", *(str(s.instances.total()) for s in summaries))
    table.add_row("images", *(str(s.images) for s in summaries))
    table.add_row("images without instances", *(str(s.empty_images) for s in summaries))
    table.add_row("image sizes", *(size_range(s.sizes) for s in summaries))
    console.print(table)
    for summary in summaries:
        for reason, count in sorted(summary.dropped.items()):
            console.print(f"{summary.name}: left out {count} x {reason}", markup=False, highlight=False)


def size_range(sizes: Counter[tuple[int, int]]) -> str:
    """The one size (width x height), or the range of sizes, of a split; `sizes` counts images by (width, height)."""
    if not sizes:
        return "-"
    widths, heights = zip(*sizes, strict=True)
    low, high = (min(widths), min(heights)), (max(widths), max(heights))
    return f"{low[0]}x{low[1]}" + ("" if low == high else f" to {high[0]}x{high[1]}")
