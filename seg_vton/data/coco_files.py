"""COCO annotation files of the 15 DeepFashion classes: what every converter and the paper doll write."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from rich.console import Console
from rich.table import Table

from seg_vton.coco import categories, rle_area
from seg_vton.errors import ToolParser, UserError, exit_on_user_error
from seg_vton.files import refuse_existing, write_json
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, LabelSpace, check_label_map, convert, dropped_classes
from seg_vton.pictures.images import image_size
from seg_vton.progress import track


@dataclass
class Summary:
    """What one annotation file holds, and what a converter left out of it."""

    name: str  # the split or file
    images: int  # number of images
    empty_images: int  # number of images without an instance
    instances: Counter[str]  # number of instances by class name
    sizes: Counter[tuple[int, int]]  # number of images by (width, height)
    dropped: Counter[str] = field(default_factory=Counter)  # number of things left out, by reason


def summarize(content: Mapping[str, Any], name: str, dropped: Counter[str] | None = None) -> Summary:
    """Counts what a COCO file has; annotations of an image or a category that is not listed count for nothing."""
    names = {category["id"]: category["name"] for category in content["categories"]}
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    listed = [a for a in content["annotations"] if a["image_id"] in sizes and a["category_id"] in names]
    return Summary(
        name,
        images=len(content["images"]),
        empty_images=len(sizes.keys() - {annotation["image_id"] for annotation in listed}),
        instances=Counter(names[annotation["category_id"]] for annotation in listed),
        sizes=Counter(sizes.values()),
        dropped=dropped or Counter(),
    )


class CocoBuilder:
    """Collects images and instances and writes them as one COCO file; `name` is the split's or the file's.

    Masks are kept as compressed RLE only (some hundred bytes each), so that tens of thousands of images fit in memory.
    Ids are given in the order of the calls and start at 1: the same calls give the same bytes.

    Attributes:
        content: the COCO file as a dict: `info`, `images`, `annotations`, `categories`.
        dropped: number of things left out, by reason, for the summary.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dropped: Counter[str] = Counter()
        self.content: dict[str, Any] = {
            "info": {"description": f"{name}, 15 DeepFashion classes", "version": "1.0"},
            "licenses": [],
            "images": [],
            "annotations": [],
            "categories": categories(CLOTHING_CLASSES),
        }
        self._file_names: set[str] = set()

    def add_image(self, file_name: str, width: int, height: int) -> int:
        """Adds an image of so many pixels and returns its id; a name that comes twice is a `UserError`.

        `file_name` is relative to the folder of images, with forward slashes.
        """
        if file_name in self._file_names:
            raise UserError(f"{file_name} comes twice in {self.name}: each image may come once")
        self._file_names.add(file_name)
        images = self.content["images"]
        images.append({"id": len(images) + 1, "file_name": file_name, "width": width, "height": height})
        return len(images)

    def add_mask(self, image_id: int, category_id: int, mask: np.ndarray) -> None:
        """Adds an instance from its mask, bool or {0, 1} `(height, width)`; otherwise as `add_rle`."""
        self.add_rle(image_id, category_id, coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)))

    def add_rle(self, image_id: int, category_id: int, rle: Mapping[str, Any], iscrowd: int = 0) -> None:
        """Adds an instance from its compressed RLE; box and area come from the mask; an empty one counts as dropped.

        Args:
            image_id: what `add_image` returned.
            category_id: 1 to 15; another one is a `UserError`, as is a mask that is broken or of another size than the
                image.
            rle: `size` (height, width) of the image and `counts` as bytes or str.
            iscrowd: 1 where the mask is a region to be ignored.
        """
        image, annotations = self.content["images"][image_id - 1], self.content["annotations"]
        if not 1 <= category_id <= len(CLOTHING_CLASSES):
            raise UserError(f"{image['file_name']}: category id {category_id} is none of 1 to {len(CLOTHING_CLASSES)}")
        try:
            area = rle_area(rle, image["width"], image["height"])
        except ValueError as error:
            raise UserError(f"{image['file_name']}: {error}") from None
        if area == 0:
            self.dropped[f"{DEEPFASHION15.classes[category_id]}: empty mask"] += 1
            return
        counts = rle["counts"].decode("ascii") if isinstance(rle["counts"], bytes) else rle["counts"]
        annotation = {
            "id": len(annotations) + 1,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [int(value) for value in coco_mask.toBbox(rle)],
            "area": area,
            "iscrowd": iscrowd,
            "segmentation": {"size": [image["height"], image["width"]], "counts": counts},
        }
        annotations.append(annotation)

    def add_label_map(self, file_name: str, label_map: np.ndarray) -> None:
        """Adds an image with one instance per class: all pixels of a class, as DeepFashion's parsing masks have it.

        `label_map` has the ids `(height, width)` of `deepfashion15`.
        """
        check_label_map(label_map, DEEPFASHION15.name, where=file_name)
        height, width = label_map.shape
        label_map = label_map.astype(np.uint8, order="F")  # RLE's order, turned once and not for each class
        image_id = self.add_image(file_name, width, height)
        present = np.flatnonzero(np.bincount(label_map.ravel(order="K")))  # np.unique would sort all pixels
        for category_id in present[present > 0].tolist():
            self.add_mask(image_id, category_id, label_map == category_id)

    def write(self, path: str | Path, overwrite: bool = False) -> Summary:
        """Writes the file and returns its summary."""
        write_json(path, self.content, overwrite)
        return summarize(self.content, self.name, self.dropped)


def convert_label_maps(
    maps: Mapping[Path, tuple[str, Path]],
    read: Callable[[Path], np.ndarray],
    space: LabelSpace,
    out: Path,
    title: str,
    overwrite: bool = False,
) -> list[Summary]:
    """Writes `out/annotations/instances_{train,val,test}.json` from label maps, one instance per class and photo.

    Args:
        maps: split and photo by the file of a label map, in the order of the COCO files.
        read: gives the ids of `space`, `(H, W)`, in a label map's file.
        space: what the labels are in; those that the 15 classes have no home for are counted as dropped.
        out: folder of the result.
        title: for the progress bar.
        overwrite: replace annotation files that exist.

    Returns:
        A summary for each split that has photos; the others get no file.

    Raises:
        UserError: a map or a photo is broken, a map is of another size than its photo, or an output exists.
    """
    builders = {split: CocoBuilder(split) for split in ("train", "val", "test")}
    targets = {split: out / "annotations" / f"instances_{split}.json" for split in builders}
    for split in sorted({split for split, _ in maps.values()}):
        refuse_existing(targets[split], overwrite)
    for path, (split, photo) in track(maps.items(), title):
        labels = read(path)
        check_label_map(labels, space.name, where=str(path))
        width, height = image_size(photo, whole=True)
        if labels.shape != (height, width):
            raise UserError(
                f"{path}: the labels are {labels.shape[1]}x{labels.shape[0]} and {photo} is {width}x{height} (width x "
                "height): they belong to different photos"
            )
        for name in dropped_classes(space.name, DEEPFASHION15.name):
            if np.any(labels == space.id_of(name)):
                builders[split].dropped[f"{name}: no such class"] += 1
        builders[split].add_label_map(photo.name, convert(labels, space.name, DEEPFASHION15.name))
    return [
        builder.write(targets[split], overwrite) for split, builder in builders.items() if builder.content["images"]
    ]


def print_summaries(summaries: list[Summary], console: Console | None = None) -> None:
    """Prints instances by class and image counts, a column per split, then the image sizes and what was left out."""
    console = console or Console()
    table = Table(title="Instances per class")
    table.add_column("class")
    for summary in summaries:
        table.add_column(summary.name, justify="right")
    for class_name in CLOTHING_CLASSES:
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


def convert_by_tool(text: str, source: str, convert: Callable[..., list[Summary]], **options: str) -> None:
    """A converter's command: reads its arguments, converts and prints the summaries.

    Args:
        text: what the tool does.
        source: what its argument is, the folder as published.
        convert: takes source, output folder, whether to overwrite, and the options.
        options: help of the converter's own whole numbers, 0 where they are not given, by their names.
    """
    parser = ToolParser(description=text)
    parser.add_argument("source", type=Path, help=source)
    parser.add_argument("--out", type=Path, required=True, help="writes OUT/annotations/instances_SPLIT.json")
    for name, what in options.items():
        parser.add_argument(f"--{name}", type=int, default=0, help=what)
    parser.add_argument("--overwrite", action="store_true", help="replace existing annotation files")
    args = parser.parse_args()
    with exit_on_user_error():
        own = {name: getattr(args, name) for name in options}
        print_summaries(convert(args.source, args.out, overwrite=args.overwrite, **own))
