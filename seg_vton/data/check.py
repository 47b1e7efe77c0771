"""Checks data sets on disk and names every kind of fault with its count and first examples.

COCO files are checked here, try-on sets in `check_tryon`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg_vton.coco import category_ids, judge, judge_sizes, no_instances, read_coco, unused_categories
from seg_vton.data.check_tryon import tryon_checks
from seg_vton.data.coco_files import summarize
from seg_vton.data.deepfashion import in_shop_root
from seg_vton.data.report import Report
from seg_vton.errors import UserError
from seg_vton.files import find_file
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.pictures.images import image_size
from seg_vton.progress import track

_IMAGE_FOLDERS = ("photos", "images", "image", "Img", "img", "")


def check_data(
    path: str | Path,
    images: Path | None = None,
    label_space: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Report:
    """Checks a COCO file, or all data sets below a root; `UserError` where there is none.

    Args:
        path: a COCO JSON; or the root of a data set: a converted one with `annotations/*.json`, one of Roboflow's with
            `SPLIT/_annotations.coco.json`, DeepFashion as mmdet has it (`[In-shop/]Anno/segmentation/*.json`), or a
            try-on set in one of the published layouts.
        images: folder that the file names of a COCO file are relative to; found beside the annotations when None.
        label_space: of a try-on set's parsing maps; when None that of its marker or of the layout's publication.
        data: a config's data set, where the path is the root of a try-on set in its layout.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist: pass the root of a data set or a COCO file")
    root = in_shop_root(path)
    folders = dict.fromkeys((path / "annotations", root / "Anno" / "segmentation", root / "annotations"))
    files = [path] if path.is_file() else [file for folder in folders for file in sorted(folder.glob("[!.]*.json"))]
    files += sorted(path.glob("*/_annotations.coco.json"))
    sets = tryon_checks(path, label_space, data)
    if not files and not sets:
        raise UserError(
            f"{path}: found no data set here. Known are a COCO file FILE.json, a converted set (annotations/*.json), "
            "Roboflow's (SPLIT/_annotations.coco.json), DeepFashion as in mmdet ([In-shop/]Anno/segmentation/*.json) "
            "and try-on sets: VITON's, VITON-HD's, DressCode's (or one of its categories) and the paper doll's folder"
        )
    report = Report()
    for file in files:
        report.merge(check_coco(file, images))
    for check in sets:
        report.merge(check())
    return report


def check_coco(path: str | Path, images: Path | None = None) -> Report:
    """Checks one COCO file against the 15 classes and its images on disk; `images` as in `check_data`."""
    path, report = Path(path), Report()
    try:
        content = read_coco(path)
    except UserError as error:
        report.errors["broken annotation file"].append(str(error))
        return report
    try:
        category_ids(content, CLOTHING_CLASSES, path)
    except UserError as error:
        report.errors["categories"].append(str(error))
    report.merge(judge(content, path))
    for name in unused_categories(content, CLOTHING_CLASSES):
        report.warnings["category left out"].append(f"{path}: {name} is left out: no annotation has this category")
    if all(annotation["iscrowd"] for annotation in content["annotations"]):
        report.errors["no instance to train on"].append(f"{path}: {no_instances(len(content['annotations']))}")
    report.summaries.append(summarize(content, path.parent.name if path.stem.startswith("_") else path.stem))
    folder = images or find_images(path, [image["file_name"] for image in content["images"]])
    sizes = {}
    for image in track(content["images"], f"{path.name}: images"):
        file = find_file(folder / image["file_name"]) or folder / image["file_name"]
        try:
            image_size(file, whole=True)
            sizes[file] = image["width"], image["height"]
        except UserError as error:
            if file.is_file():
                report.errors["broken image"].append(str(error))
            else:
                report.errors["image not on disk"].append(f"{file}, in {path}")
    report.merge(judge_sizes(sizes, path))
    return report


def find_images(path: Path, file_names: Sequence[str]) -> Path:
    """The folder beside an annotation file, or up to three levels up, that has most of the first 50 images.

    The folders looked at are photos, images, image, Img, img and the folder itself, and in each the one that is called
    like the annotation file's split (`train` of `instances_train.json`); with none of the images in any, the first of
    them that exists.
    """
    parents, split = list(path.resolve().parents)[:4], path.stem.rpartition("_")[2]
    named = (parent / name for parent in parents for name in _IMAGE_FOLDERS)
    folders = [folder for each in named for folder in (each, each / split) if folder.is_dir()]
    return max(folders, key=lambda folder: sum(find_file(folder / name) is not None for name in file_names[:50]))
