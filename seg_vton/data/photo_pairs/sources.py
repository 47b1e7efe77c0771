"""Photos with label maps: COCO files of masks, or folders of label maps such as `tools/parse.py` writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from seg_vton.data.coco import check_category_names, check_sections, rle_area
from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.labels import DEEPFASHION15, conversion_table, convert, load_palette_png
from seg_vton.parsing.label_map import merge_instances
from seg_vton.parsing.photos import SUFFIXES


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and where its labels are.

    Attributes:
        name: of the photo in the set: its path without suffix, as the source of its labels has it.
        photo: its file.
        place: its path in the folder of photos, where its pose is looked for in theirs.
        labels: a label map's file, or the instances of a COCO file as (category name, score, segmentation).
        size: (height, width) that the source says the photo has; None where it says nothing.
        space: label space of a label map's file.
    """

    name: str
    photo: Path
    place: Path
    labels: Path | tuple[tuple[str, float, Any], ...]
    size: tuple[int, int] | None = None
    space: str = DEEPFASHION15.name

    def label_map(self, shape: tuple[int, int]) -> np.ndarray:
        """The labels of the photo; of instances as `merge_instances` merges them, small holes filled.

        Args:
            shape: (height, width) of the photo.

        Returns:
            uint8 `(H, W)` ids of `deepfashion15`.

        Raises:
            UserError: a file is missing or broken, or the labels are of another size.
        """
        if isinstance(self.labels, Path):
            found = convert(load_palette_png(self.labels, self.space), self.space, DEEPFASHION15.name)
            _check_shape(found.shape, shape, self.labels, self.photo)
            return found
        if self.size is not None:
            _check_shape(self.size, shape, f"the annotations of {self.name}", self.photo)
        masks = np.zeros((len(self.labels), *shape), bool)
        for mask, (_, _, segmentation) in zip(masks, self.labels, strict=True):
            mask[:] = _decode(segmentation, shape, self.photo)
        ids = [DEEPFASHION15.id_of(name) for name, _, _ in self.labels]
        return merge_instances(masks, ids, [score for _, score, _ in self.labels])


def _check_shape(found: tuple[int, ...], photo: tuple[int, int], what: str | Path, path: Path) -> None:
    if tuple(found) != tuple(photo):
        raise UserError(
            f"{what}: the masks are {found[1]}x{found[0]} and the photo {path} is {photo[1]}x{photo[0]} (width x "
            "height, upright): they belong to different photos"
        )


def _decode(segmentation: Any, shape: tuple[int, int], photo: Path) -> np.ndarray:
    """A mask from compressed RLE, RLE as a list of counts, or polygons."""
    height, width = shape
    try:
        if isinstance(segmentation, list):
            if not segmentation or any(len(polygon) < 6 or len(polygon) % 2 for polygon in segmentation):
                raise ValueError("a polygon is x and y of three points or more")
            rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            rle = coco_mask.frPyObjects(segmentation, height, width)
        else:
            rle = segmentation
        rle_area(rle, width, height)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{photo}: a mask cannot be read ({error})") from None
    return coco_mask.decode(rle).astype(bool)


def find_labelled(photos: Path, masks: Sequence[Path], label_space: str = DEEPFASHION15.name) -> list[LabelledPhoto]:
    """The photos that have labels, in the order of their names.

    Args:
        photos: folder of the photos.
        masks: COCO JSON files; or folders: of label maps `NAME.png`, or the output folder of `tools/parse.py`, whose
            `label-map` is taken, or else its `coco`.
        label_space: of label maps in folders.

    Returns:
        A photo each; `photo` may not exist where a COCO file names it.

    Raises:
        UserError: a source is missing or broken, its label space cannot become deepfashion15, two sources have the same
            photo, or there is nothing.
    """
    conversion_table(label_space, DEEPFASHION15.name)  # raises where there is none, before any work
    if not photos.is_dir():
        raise UserError(f"--photos {photos} is not a folder")
    found: dict[str, LabelledPhoto] = {}
    for source in masks:
        for item in _read_source(photos, source, label_space):
            if item.name in found:
                raise UserError(f"{source}: the photo {item.name} has labels twice")
            found[item.name] = item
    if not found:
        raise UserError(f"no photo of {photos} has labels in {', '.join(map(str, masks))}")
    return [found[name] for name in sorted(found)]


def _read_source(photos: Path, source: Path, label_space: str) -> Iterator[LabelledPhoto]:
    if source.is_file():
        yield from _from_coco(photos, source)
    elif (source / "label-map").is_dir():
        yield from _from_label_maps(photos, source / "label-map", label_space)
    elif (source / "coco").is_dir():
        for path in sorted((source / "coco").rglob("*.json")):
            # One photo a file, which is named by the file's place: `images` has its name alone.
            yield from _from_coco(photos, path, folder=path.relative_to(source / "coco").parent)
    elif source.is_dir():
        yield from _from_label_maps(photos, source, label_space)
    else:
        raise UserError(f"--masks {source} does not exist: give COCO JSON files or a folder of label maps")


def _from_label_maps(photos: Path, folder: Path, space: str) -> Iterator[LabelledPhoto]:
    by_name = _photos_by_name(photos)
    for path in sorted(folder.rglob("*.png")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name not in by_name:
            raise UserError(f"{path}: {photos} has no photo {name} ({', '.join(SUFFIXES)})")
        photo = by_name[name]
        yield LabelledPhoto(name, photo, photo.relative_to(photos), path, space=space)


def _photos_by_name(photos: Path) -> dict[str, Path]:
    return {
        path.relative_to(photos).with_suffix("").as_posix(): path
        for path in sorted(photos.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    }


def _from_coco(photos: Path, path: Path, folder: Path = Path()) -> Iterator[LabelledPhoto]:
    content = read_json(path)
    check_sections(content, path)
    names = {category["id"]: category["name"] for category in content["categories"]}
    check_category_names(list(names.values()), [n for n in names.values() if n in DEEPFASHION15.classes], path)
    instances = _instances_by_image(content["annotations"], names, path)
    for image in content["images"]:
        file = folder / image["file_name"]
        size = (image["height"], image["width"])
        yield LabelledPhoto(file.with_suffix("").as_posix(), photos / file, file, tuple(instances[image["id"]]), size)


def _instances_by_image(
    annotations: Sequence[Mapping[str, Any]], names: Mapping[Any, str], path: Path
) -> defaultdict[Any, list[tuple[str, float, Any]]]:
    instances = defaultdict(list)
    for annotation in annotations:
        if annotation["category_id"] not in names or "segmentation" not in annotation:
            raise UserError(f"{path}: annotation {annotation['id']} has no known category or no segmentation")
        if not annotation.get("iscrowd"):
            instance = names[annotation["category_id"]], float(annotation.get("score", 1)), annotation["segmentation"]
            instances[annotation["image_id"]].append(instance)
    return instances
