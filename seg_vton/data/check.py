"""Checks data sets on disk and names every kind of fault with its count and first examples.

COCO files are checked here, try-on sets in `check_tryon`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from seg_vton.coco import rle_area, to_rle
from seg_vton.data.check_tryon import tryon_checks
from seg_vton.data.coco_files import Summary
from seg_vton.data.deepfashion import in_shop_root
from seg_vton.data.images import image_size
from seg_vton.data.report import Report
from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.progress import track

_IMAGE_FOLDERS = ("photos", "images", "image", "Img", "img", "")


def check_data(path: str | Path, images: Path | None = None, label_space: str | None = None) -> Report:
    """Checks a COCO file, or all data sets below a root.

    Args:
        path: a COCO JSON; or the root of a data set: a converted one with `annotations/*.json`, DeepFashion as mmdet
            has it (`[In-shop/]Anno/segmentation/*.json`), or a try-on set in one of the published layouts.
        images: folder that the file names of a COCO file are relative to; found beside the annotations when None.
        label_space: of a try-on set's parsing maps; when None that of its marker or of the layout's publication.

    Raises:
        UserError: the path or the label space does not exist, or there is no data set at the path.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist: pass the root of a data set or a COCO file")
    root = in_shop_root(path)
    folders = [path / "annotations", root / "Anno" / "segmentation", *([root / "annotations"] if root != path else [])]
    files = [path] if path.is_file() else [file for folder in folders for file in sorted(folder.glob("*.json"))]
    sets = tryon_checks(path, label_space)
    if not files and not sets:
        raise UserError(
            f"{path}: found no data set here. Known are a COCO file FILE.json, a converted set (annotations/*.json), "
            "DeepFashion as mmdet has it ([In-shop/]Anno/segmentation/*.json), and try-on sets: VITON's, VITON-HD's, "
            "DressCode's (or one of its categories) and the paper doll's folder"
        )
    report = Report()
    for file in files:
        known = root / "Img" if file.parent != path / "annotations" and not path.is_file() else None
        report.merge(check_coco(file, images or known))
    for check in sets:
        report.merge(check())
    return report


def check_coco(path: str | Path, images: Path | None = None) -> Report:
    """Checks one COCO file against the 15 classes and its images on disk.

    Args:
        path: the file.
        images: folder that the file names are relative to; found beside the annotations when None.
    """
    path, report = Path(path), Report()
    try:
        content = read_json(path)
    except UserError as error:
        report.errors["broken annotation file"].append(str(error))
        return report
    for key in ("images", "annotations", "categories"):
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and isinstance(entry.get("id"), int | str) for entry in entries
        ):
            report.errors["not a COCO file"].append(
                f"{path}: {key} is not a list of objects with an id (a number or a text)"
            )
    if report.errors:
        return report
    checker = _CocoChecker(path, report)
    names = checker.check_categories(content["categories"])
    sizes = checker.check_image_entries(content["images"])
    checker.check_annotations(content["annotations"], sizes, names)
    checker.check_files(images or find_images(path, [name for name, _ in sizes.values()]), sizes)
    report.summaries.append(checker.summary)
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
    return max(folders, key=lambda folder: sum((folder / name).is_file() for name in file_names[:50]))


class _CocoChecker:
    """Walks through one COCO file; every fault goes into the report and the walk goes on."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path, self.errors, self.warnings = path, report.errors, report.warnings
        self.summary = Summary(path.stem)

    def check_categories(self, categories: list[dict[str, Any]]) -> dict[Any, str]:
        """Compares the categories with the 15 in order; returns names by id."""
        names = [str(category.get("name")) for category in categories]
        self._check_unique([category["id"] for category in categories], "category id")
        self._check_unique(names, "category name")
        for kind, wrong in (
            ("unknown category", [name for name in names if name not in CLOTHING_CLASSES]),
            ("missing category", [name for name in CLOTHING_CLASSES if name not in names]),
        ):
            if wrong:
                self.errors[kind].append(f"{self.path}: {', '.join(wrong)}; expected: {', '.join(CLOTHING_CLASSES)}")
        known = [name for name in names if name in CLOTHING_CLASSES]
        if known != sorted(set(known), key=CLOTHING_CLASSES.index):
            self.errors["categories in another order"].append(
                f"{self.path}: found {', '.join(names)}; expected {', '.join(CLOTHING_CLASSES)}. mmdet's own data sets "
                "and metrics go by the order and would mix up classes: tools/data/deepfashion.py writes them in order"
            )
        return {category["id"]: str(category.get("name")) for category in categories}

    def check_image_entries(self, images: list[dict[str, Any]]) -> dict[Any, tuple[str, tuple[int, int]]]:
        """Checks the list of images; returns file name and (width, height) by id for those that have both."""
        self._check_unique([image["id"] for image in images], "image id")
        self._check_unique([str(image.get("file_name")) for image in images], "file name")
        sizes = {}
        for image in images:
            size = (image.get("width"), image.get("height"))
            if not isinstance(image.get("file_name"), str) or not all(isinstance(v, int) and v > 0 for v in size):
                self.errors["image entry without file name or size"].append(f"{self.path}: image {image['id']}")
                continue
            sizes[image["id"]] = (image["file_name"], size)
            self.summary.sizes[size] += 1
        self.summary.images = len(images)
        return sizes

    def check_annotations(
        self,
        annotations: list[dict[str, Any]],
        sizes: Mapping[Any, tuple[str, tuple[int, int]]],
        names: Mapping[Any, str],
    ) -> None:
        """Checks references, boxes and masks, and counts instances."""
        self._check_unique([annotation["id"] for annotation in annotations], "annotation id")
        with_instances = set()
        for annotation in annotations:
            where = f"{self.path}: annotation {annotation['id']}"
            image_id, category_id = annotation.get("image_id"), annotation.get("category_id")
            if not isinstance(category_id, int | str) or category_id not in names:
                self.errors["annotation of a category that is not listed"].append(f"{where}: category {category_id}")
                continue
            if not isinstance(image_id, int | str) or image_id not in sizes:
                self.errors["annotation of an image that is not listed"].append(f"{where}: image {image_id}")
                continue
            with_instances.add(image_id)
            self.summary.instances[names[category_id]] += 1
            file_name, size = sizes[image_id]
            where = f"{where} ({names[category_id]} in {file_name})"
            self._check_box(annotation, where, size)
            self._check_mask(annotation, where, size)
        self.summary.empty_images = self.summary.images - len(with_instances)

    def _check_box(self, annotation: dict[str, Any], where: str, size: tuple[int, int]) -> None:
        """Checks that the box is x, y, width, height inside the image; half a pixel of rounding is let pass."""
        box = annotation.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(isinstance(v, int | float) for v in box):
            self.errors["broken box"].append(f"{where}: bbox {box} is not [x, y, width, height]")
            return
        x, y, width, height = box
        if width < 1 or height < 1:
            self.errors["empty box"].append(f"{where}: bbox {box}; mmdet leaves such instances out without a word")
        elif x < -0.5 or y < -0.5 or x + width > size[0] + 0.5 or y + height > size[1] + 0.5:
            self.errors["box outside the image"].append(f"{where}: bbox {box}, image {size[0]}x{size[1]}")

    def _check_mask(self, annotation: dict[str, Any], where: str, size: tuple[int, int]) -> None:
        """Checks that the mask is whole, of the image's size and not empty."""
        try:
            rle = to_rle(annotation.get("segmentation"), *size)
            area = 0 if rle is None else rle_area(rle, *size)
        except ValueError as error:
            self.errors["broken mask"].append(f"{where}: {error}")
            return
        if area == 0:
            self.errors["empty mask"].append(f"{where}: no pixel in the mask")
            return
        said = annotation.get("area")
        if not isinstance(said, int | float):
            self.errors["no area"].append(f"{where}: area {said}; mmdet and COCO's metrics need it")
        elif abs(area - said) > 0.05 * area + 2:
            self.warnings["area other than the mask's"].append(f"{where}: area {said}, mask {area}")

    def check_files(self, folder: Path, sizes: Mapping[Any, tuple[str, tuple[int, int]]]) -> None:
        """Checks that each image is there, whole, and of the size that the file says."""
        for file_name, size in track(sizes.values(), f"{self.path.name}: images", total=len(sizes)):
            image = folder / file_name
            if not image.is_file():
                self.errors["image not on disk"].append(f"{image}, in {self.path}")
                continue
            try:
                found = image_size(image, whole=True)
            except UserError as error:
                self.errors["broken image"].append(str(error))
                continue
            if found != size:
                self.errors["image of another size"].append(
                    f"{image} is {found[0]}x{found[1]}, {self.path} says {size[0]}x{size[1]}"
                )
            with Image.open(image) as opened:
                orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
            if orientation != 1:  # readers differ, and masks are drawn on one of the two
                self.warnings["image turned by EXIF"].append(
                    f"{image}: orientation {orientation}; mmcv turns it on reading"
                )

    def _check_unique(self, values: Iterable[Any], what: str) -> None:
        """Names values that come twice."""
        seen: set[Any] = set()
        for value in values:
            if value in seen:
                self.errors[f"{what} twice"].append(f"{self.path}: {value}")
            seen.add(value)
