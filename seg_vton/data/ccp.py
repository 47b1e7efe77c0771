"""Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014) to COCO files of the 15 DeepFashion classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seg_vton.data.coco_files import CocoBuilder, Summary
from seg_vton.data.images import image_size, link_folder
from seg_vton.data.mat import read_mat
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing
from seg_vton.labels import CCP59, check_label_map, convert, dropped_classes
from seg_vton.progress import track

TRAIN_LAST_ID = 704
VAL_LAST_ID = 804


def split_of(image_id: int) -> str:
    """The split of a photo: train to 0704, val from 0705 to 0804, and test for the rest of the data set's 1,004."""
    if image_id <= TRAIN_LAST_ID:
        return "train"
    return "val" if image_id <= VAL_LAST_ID else "test"


def convert_ccp(source: str | Path, out: str | Path, overwrite: bool = False) -> list[Summary]:
    """Writes `out/annotations/instances_{train,val,test}.json` and makes `out/photos` point to the photos.

    Args:
        source: folder with `photos/NNNN.jpg`, `annotations/pixel-level/NNNN.mat` and `label_list.mat`, as published.
            Photos without a pixel-level annotation (half of the published set) are not used.
        out: folder of the result; may be `source`.
        overwrite: replace annotation files that exist.

    Returns:
        A summary for each split that has photos; the others get no file.

    Raises:
        UserError: a file is missing or broken, the label list is another, or an output exists.
    """
    source, out = Path(source), Path(out)
    _check_label_list(source / "label_list.mat")
    builders = {split: CocoBuilder(split) for split in ("train", "val", "test")}
    targets = {split: out / "annotations" / f"instances_{split}.json" for split in builders}
    annotations = _annotation_files(source)
    for split in {split_of(image_id) for image_id in annotations}:
        refuse_existing(targets[split], overwrite)
    for image_id, path in track(annotations.items(), "Clothing Co-Parsing"):
        _add_photo(builders[split_of(image_id)], source / "photos" / f"{path.stem}.jpg", path)
    link_folder(source / "photos", out / "photos")
    return [builder.write(targets[split], overwrite) for split, builder in builders.items() if builder.summary.images]


def _annotation_files(source: Path) -> dict[int, Path]:
    """The pixel-level annotations by photo id, in order."""
    folder = source / "annotations" / "pixel-level"
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder: SOURCE must be the root of Clothing Co-Parsing "
            "(photos/, annotations/pixel-level/, label_list.mat)"
        )
    paths = sorted(folder.glob("*.mat"))
    strange = [path.name for path in paths if not path.stem.isdecimal()]
    if not paths or strange:
        raise UserError(f"{folder}: expected NNNN.mat files, found {', '.join(strange[:10]) or 'none'}")
    return {int(path.stem): path for path in paths}


def _add_photo(builder: CocoBuilder, photo: Path, annotation: Path) -> None:
    """Adds one photo with an instance per class, and counts the labels that the 15 classes have no home for."""
    labels = read_mat(annotation, "groundtruth")
    if not isinstance(labels, np.ndarray) or labels.ndim != 2:
        raise UserError(f"{annotation}: groundtruth must be an array of H x W labels, it is {np.shape(labels)}")
    check_label_map(labels, CCP59.name, where=str(annotation))
    width, height = image_size(photo)
    if labels.shape != (height, width):
        raise UserError(
            f"{annotation}: the labels are {labels.shape[1]}x{labels.shape[0]} and {photo} is {width}x{height} "
            "(width x height): they belong to different photos"
        )
    for name in dropped_classes(CCP59.name, "deepfashion15"):
        if np.any(labels == CCP59.id_of(name)):
            builder.count_dropped(f"{name}: no such class")
    builder.add_label_map(photo.name, convert(labels, CCP59.name, "deepfashion15"))


def _check_label_list(path: Path) -> None:
    """Raises `UserError` unless the names in `label_list.mat` are those of `ccp59`, in order."""
    names = read_mat(path, "label_list")
    found = ["background" if name == "null" else name for name in (names if isinstance(names, list) else [names])]
    if found != list(CCP59.classes):
        wrong = [
            f"{i} is {f!r}, not {e!r}" for i, (f, e) in enumerate(zip(found, CCP59.classes, strict=False)) if f != e
        ]
        raise UserError(
            f"{path}: expected the {len(CCP59.classes)} labels of Clothing Co-Parsing, found {len(found)}"
            f"{'; ' if wrong else ''}{', '.join(wrong[:5])}: the ids of this copy would be read as other labels"
        )
