"""COCO annotation files: the one reader and judge of them, whoever wrote them."""

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from seg_vton.errors import DamagedFileError, UserError
from seg_vton.files import MAX_PIXELS, exif_orientation, opened_image, plain_name, read_json

_FAR = 100_000  # pixels: pycocotools follows a polygon's edges pixel by pixel, and crashes far out
_STRIP = 100  # ratio of the sides from which an image is no picture: mmdet makes its long side as short as others' are

MIN_BOX_IOU = 0.7
"""What a box and the one around its mask overlap by, at the least."""


def categories(classes: Sequence[str]) -> list[dict[str, Any]]:
    """The `categories` of a COCO file: ids from 1 in the order of `classes`, as in a label map."""
    return [{"id": index, "name": name, "supercategory": "clothing"} for index, name in enumerate(classes, start=1)]


_ENTRY_KEYS: dict[str, dict[str, Any]] = {
    "images": {"id": int | str, "file_name": str, "width": int, "height": int},
    "annotations": {"id": int | str, "image_id": int | str, "category_id": int | str},
    "categories": {"id": int | str, "name": str},
}


@dataclass
class Findings:
    """What is wrong with a COCO file: messages by kind of fault, see `judge`."""

    # what cannot be read right. Nobody goes on
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    # instances that teach something wrong or are left out. A training goes on if they are few
    errors: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    warnings: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # oddities


def read_coco(path: str | Path) -> dict[str, Any]:
    """Reads a COCO file, whoever wrote it: the one way in which everything here does.

    An `iscrowd` that is missing or null becomes 0, and backslashes in file names become slashes. `UserError` where the
    file is missing or not whole JSON, lacks one of COCO's three lists, or an entry lacks one of the keys that tie them
    together.
    """
    content = read_json(path)
    missing = [k for k in _ENTRY_KEYS if not isinstance(content, dict) or not isinstance(content.get(k), list)]
    if missing:
        raise UserError(f"{path} is not a COCO annotation file: it has no list of {', '.join(missing)}")
    for section, keys in _ENTRY_KEYS.items():
        for entry in content[section]:
            wrong = [k for k, kind in keys.items() if not isinstance(entry, dict) or not isinstance(entry.get(k), kind)]
            if wrong:
                kinds = ", ".join(f"{k} ({'text' if keys[k] is str else 'whole number'})" for k in wrong)
                raise UserError(f"{path}: an entry of {section} has no {kinds}: {str(entry)[:200]}")
    for image in content["images"]:
        image["file_name"] = image["file_name"].replace("\\", "/")
        if not Path(image["file_name"]).name:
            raise UserError(
                f"{path}: image {image['id']!r} has the file name {image['file_name']!r}, which names no file"
            )
    for annotation in content["annotations"]:
        if annotation.get("iscrowd") is None:
            annotation["iscrowd"] = 0
    return content


def judge(content: Mapping[str, Any], path: str | Path) -> Findings:
    """Lists what is wrong with ids, references, boxes and masks of what `read_coco` returned; messages name `path`.

    pycocotools decodes run lengths without checks: broken ones make it write beyond the mask.
    """
    found = Findings()
    for section in _ENTRY_KEYS:
        for name, count in Counter(entry["id"] for entry in content[section]).items():
            if count > 1:
                found.faults[f"id twice in {section}"].append(f"{path}: {count} {section} have the id {name!r}")
    for name, count in Counter(image["file_name"] for image in content["images"]).items():
        if count > 1:
            found.errors["file name twice"].append(f"{path}: {name} is the file of {count} images")
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for name, size in sizes.items():
        if min(size) < 1 or math.prod(size) > MAX_PIXELS or max(size) > _STRIP * min(size):
            found.faults["impossible size"].append(
                f"{path}: image {name!r} is {size[0]}x{size[1]} pixels: it must have 1 to {MAX_PIXELS}, and no side of "
                f"more than {_STRIP} times the other"
            )
    if found.faults:
        return found  # what follows would be judged by the wrong entry
    known = {"image": {i["id"]: i["file_name"] for i in content["images"]}}
    known["category"] = {c["id"]: c["name"] for c in content["categories"]}
    as_text = {what: {str(name): name for name in names} for what, names in known.items()}
    for annotation in content["annotations"]:
        where = f"{path}: annotation {annotation['id']!r}"
        lost = [what for what, names in known.items() if annotation[f"{what}_id"] not in names]
        for what in lost:
            value = annotation[f"{what}_id"]
            meant = as_text[what].get(str(value))
            if meant is not None:
                found.faults[f"{what}_id of another type than the id"].append(
                    f"{where}: {what}_id {value!r} is {_type(value)}, and the id {meant!r} of the {what} "
                    f"{known[what][meant]!r} is {_type(meant)}: write both in the same way"
                )
            else:
                article = "an" if what == "image" else "a"
                found.errors[f"annotation of {article} {what} that is not listed"].append(f"{where}: {what} {value!r}")
        if not lost:
            names = (known[what][annotation[f"{what}_id"]] for what in ("category", "image"))
            _judge_instance(annotation, f"{where} ({' in '.join(names)})", sizes[annotation["image_id"]], found)
    used, listed = {annotation["category_id"] for annotation in content["annotations"]}, known["category"].keys()
    whole = not used <= listed and all(isinstance(name, int) for name in used)
    step = next((step for step in (1, -1) if whole and {name + step for name in used} <= listed), 0)
    if step:  # so the instances whose category is listed have the name of another
        found.faults["category ids counted from another number"].append(
            f"{path}: the category ids of its annotations are {min(used)} to {max(used)}, and those of its categories "
            f"one {'higher' if step > 0 else 'lower'}: count both from the same number"
        )
    return found


def by_image(
    content: Mapping[str, Any], path: str | Path, known: Collection[int | str]
) -> dict[int | str, list[dict[str, Any]]]:
    """The annotations of each image of what `read_coco` returned, masks unseen, for who judges those one by one.

    `UserError` where the ids or sizes have a fault, `iscrowd` is not 0 or 1, an image is not listed, or a category is
    not among the `known` ids.
    """
    for messages in judge({**content, "annotations": []}, path).faults.values():
        raise UserError(messages[0])
    found: dict[int | str, list[dict[str, Any]]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        for key, listed in (("image_id", found), ("category_id", known), ("iscrowd", (0, 1))):
            if annotation[key] not in listed:
                what = "not 0 or 1" if key == "iscrowd" else "which the file does not list (the text '1' is not 1)"
                raise UserError(f"{path}: annotation {annotation['id']!r} has {key} {annotation[key]!r}, {what}")
        found[annotation["image_id"]].append(annotation)
    return found


def refuse_faults(content: Mapping[str, Any], path: str | Path) -> None:
    """Raises `UserError` where no training or test should go on; warns in the log of what else is wrong.

    That is at any of the faults that `judge` finds, and where most annotations have the same error. Annotations of an
    image or a category that is not listed are taken out of `content`.
    """
    found, count = judge(content, path), len(content["annotations"])
    most = {kind: messages for kind, messages in found.errors.items() if 2 * len(messages) > count}
    for kind, messages in (found.faults | most).items():
        more = f" {len(messages)} entries have this fault ({kind})." if len(messages) > 1 else ""
        raise UserError(f"{messages[0]}.{more} tools/data/check.py lists all faults")
    for kind, messages in (found.errors | found.warnings).items():
        from mmengine.logging import print_log  # here, since converters need no mmengine

        print_log(f"{kind} ({len(messages)}; tools/data/check.py lists them): {messages[0]}", "current", WARNING)
    images, categories = ({entry["id"] for entry in content[section]} for section in ("images", "categories"))
    content["annotations"][:] = [
        a for a in content["annotations"] if a["image_id"] in images and a["category_id"] in categories
    ]


def _type(value: Any) -> str:
    return "a text" if isinstance(value, str) else "a number"


def _judge_instance(annotation: Mapping[str, Any], where: str, size: tuple[int, int], found: Findings) -> None:
    """Judges box, mask, area and `iscrowd` of an annotation; `size` is the image's (width, height)."""
    box, area, crowd = annotation.get("bbox"), annotation.get("area"), annotation["iscrowd"]
    if crowd not in (0, 1):
        found.faults["broken iscrowd"].append(f"{where}: iscrowd {crowd!r} must be 0 or 1")
    elif crowd:
        found.warnings["crowd"].append(f"{where} is not trained on: set iscrowd to 0 if its mask shows one garment")
    if not _is_number(area):
        found.faults["no area"].append(f"{where}: area {area} must be a number; mmdet and COCO's metrics need it")
    segmentation = annotation.get("segmentation")
    try:
        rle = to_rle(segmentation, *size)
    except ValueError as error:
        found.faults["broken mask"].append(f"{where}: its segmentation is broken: {error}")
        return
    if rle is None:
        text = str(segmentation)
        found.faults["no mask"].append(
            f"{where}: its segmentation {text if len(text) < 80 else text[:77] + '...'} is no mask: a polygon is a "
            "list x, y, x, y, ... of three points or more (two corners of a box have no area)"
        )
        return
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        found.faults["broken box"].append(f"{where}: bbox {box} is not [x, y, width, height]")
        return
    pixels, (x, y, width, height) = int(coco_mask.area(rle)), box
    if pixels == 0:
        found.errors["empty mask"].append(f"{where}: no pixel in the mask; coordinates must be pixels of the image")
    elif annotation.get("ignore") or (_is_number(area) and area <= 0):
        found.errors["instance that is left out"].append(
            f"{where}: area {area}, ignore {annotation.get('ignore', 0)!r}; mmdet leaves such instances out silently: "
            f"write the area in pixels, {pixels}, and ignore 0"
        )
    elif _is_number(area) and abs(pixels - area) > 0.05 * pixels + 2:
        found.warnings["area that does not fit the mask"].append(f"{where}: area {area}, mask {pixels}")
    if width < 1 or height < 1:
        found.errors["empty box"].append(f"{where}: bbox {box}; mmdet leaves such instances out silently")
    elif x < -0.5 or y < -0.5 or x + width > size[0] + 0.5 or y + height > size[1] + 0.5:
        found.errors["box outside the image"].append(
            f"{where}: bbox {box} is not [x, y, width, height] inside the image of {size[0]}x{size[1]}"
        )
    elif pixels and not crowd:
        around = coco_mask.toBbox(rle).tolist()
        overlap, by_corners = _overlap(box, around), _overlap([x, y, width - x, height - y], around)
        if overlap < MIN_BOX_IOU or (overlap < 0.9 and by_corners > 0.95):
            hint = " (it looks like x1, y1, x2, y2)" if by_corners > 0.9 else ""
            found.errors["box that does not fit its mask"].append(
                f"{where}: bbox {box}{hint}, the mask's box [x, y, width, height] is {[round(v) for v in around]}"
            )


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """IoU of two boxes x, y, width, height."""
    return float(coco_mask.iou(np.array([one], float), np.array([other], float), [0])[0, 0])


def decoded_size(path: str | Path, flag: str = "color", backend: str | None = None) -> tuple[tuple[int, int], int]:
    """(width, height) of an image as mmcv decodes it, and its EXIF orientation, 1 to 8; mostly by the header alone.

    Whether a decoder reads a file, and turns what EXIF says is turned, depends on its version and the file's format: it
    is asked once for each format. `flag` is the `color_type` of mmdet's loader (some ignore the orientation), `backend`
    mmcv's decoder. `UserError` where the file is missing or broken, or Pillow or that decoder knows it for no image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with opened_image(path, whole=True) as image:
            size, orientation = image.size, exif_orientation(image)
            square = size[0] == size[1]
            kind = image.format, image.mode, orientation, "exif" in image.info, flag, backend, square
    if kind[0] not in _ALWAYS_DECODED or (orientation in (5, 6, 7, 8) and not square):
        if kind not in _TURNED:
            import mmcv  # here, since it takes seconds to import and of most files the header is enough

            decoded = mmcv.imread(str(path), flag, backend=backend)
            if decoded is None:
                raise DamagedFileError(f"{path}: mmcv cannot decode this image ({kind[0]}, {kind[1]}): save it as JPEG")
            _TURNED[kind] = decoded.shape[1::-1] == size[::-1]
        size = size[::-1] if _TURNED[kind] else size
    return size, orientation


_ALWAYS_DECODED = {"JPEG", "MPO", "PNG", "BMP", "WEBP"}  # by OpenCV, whatever it was built with
_TURNED: dict[tuple[Any, ...], bool] = {}  # whether the decoder gives the sides that Pillow reads in the other order


def judge_sizes(sizes: Mapping[str | Path, tuple[int, int]], ann_file: str | Path, **decoder: Any) -> Findings:
    """Compares the sizes of images, as they are decoded, with those that their COCO file declares.

    `sizes` has (width, height) in that file by the image's path; `decoder` is what `decoded_size` takes. Broken images
    are errors too; files that Pillow does not know for images are passed over: whoever decodes them knows more.
    """
    found = Findings()
    for path, declared in sizes.items():
        with suppress(UserError):
            try:
                size, orientation = decoded_size(path, **decoder)
            except DamagedFileError as error:
                found.errors["broken image"].append(str(error))
                continue
            text = f"{path} is {size[0]}x{size[1]}, {ann_file} says {declared[0]}x{declared[1]} (width x height)"
            if size != tuple(declared):
                if orientation > 4 and size == tuple(declared)[::-1]:
                    text += (
                        f": EXIF orientation {orientation} turns it when it is decoded, but the annotations are for "
                        "the stored pixels. Annotate the turned picture, or remove the tag (exiftool -Orientation= "
                        "FILE), which keeps the pixels as they were annotated"
                    )
                found.errors["image of another size"].append(text)
            elif orientation in (2, 3, 4) or (orientation > 4 and size[0] == size[1]):
                found.warnings["image turned by EXIF"].append(
                    f"{path}: orientation {orientation}, which its size does not reveal; masks must be drawn on the "
                    "picture as viewers and decoders show it, not on the stored pixels"
                )
    return found


def check_evaluated(sample: Mapping[str, Any], images: Mapping[Any, Mapping[str, Any]], path: str | Path) -> None:
    """Raises `UserError` unless a predicted sample's image is that of its id in the evaluator's annotation file.

    Args:
        sample: mmdet's data sample as a dict, with `img_id`, masks (N, H, W) in `pred_instances`, of the image's size,
            and `img_path` where it has one.
        images: entries of the file by id.
        path: the file, for the message.
    """
    name, fix = sample["img_id"], "the evaluator's ann_file must be that of the data set it evaluates; set both"
    if name not in images:
        raise UserError(f"image {name} ({sample.get('img_path', 'no path')}) is not in {path}: {fix} in the config")
    listed = images[name]["file_name"]
    if "img_path" in sample:
        parts, wanted = (Path(plain_name(name)).parts for name in (sample["img_path"], listed))
        wanted = wanted[-1:] if Path(listed).is_absolute() else wanted  # the set may have been moved
        if parts[-len(wanted) :] != wanted:
            raise UserError(
                f"image {name} is the file {sample['img_path']} and in {path} the file {listed}: these are annotations "
                f"of another set; {fix} in the config"
            )
    height, width = sample["pred_instances"]["masks"].shape[-2:]
    if (width, height) != (images[name]["width"], images[name]["height"]):
        raise UserError(
            f"image {name} ({listed}) is {width}x{height}, and {path} says it is {images[name]['width']}x"
            f"{images[name]['height']} (width x height): {fix} in the config"
        )


def to_rle(segmentation: Any, width: int, height: int) -> dict[str, Any] | None:
    """A mask in any of COCO's three forms as compressed RLE (`size`, `counts`), after checks that pycocotools lacks.

    The forms are polygons `[[x0, y0, x1, y1, ...], ...]` in pixels, and RLE with `counts` as a list, str or bytes.
    None where there is no mask: nothing given, or polygons of fewer than three points. `ValueError` where it has none
    of the forms, is of another size than the image, or its runs do not fill that.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        if not all(isinstance(p, list) and not len(p) % 2 and all(map(_is_number, p)) for p in segmentation):
            raise ValueError(f"expected a list of polygons [x, y, x, y, ...], found {str(segmentation)[:60]}")
        if any(abs(number) > _FAR for polygon in segmentation for number in polygon):
            raise ValueError(f"a polygon has a point more than {_FAR} pixels away")
        whole = [polygon for polygon in segmentation if len(polygon) >= 6]
        return coco_mask.merge(coco_mask.frPyObjects(whole, height, width)) if whole else None
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise ValueError("the segmentation is neither polygons nor RLE with size and counts")
    size, counts = segmentation["size"], segmentation["counts"]
    if size not in ([height, width], (height, width)) or not all(type(side) is int for side in size):
        raise ValueError(
            f"the mask is of size {size} and the image [{height}, {width}] (height, width): it belongs to another image"
        )
    if isinstance(counts, str | bytes):
        rle_area(segmentation, width, height)  # raises where the runs are broken
        return segmentation
    if not isinstance(counts, list) or not all(type(run) is int and run >= 0 for run in counts):
        raise ValueError("the run lengths are not whole numbers")
    if sum(counts) != width * height:
        raise ValueError(f"the run lengths of the mask do not fill the image's {width}x{height} pixels")
    return coco_mask.frPyObjects(segmentation, height, width)


def _is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a number that a photo's geometry can have."""
    return isinstance(value, int | float) and abs(value) < 1e9  # neither NaN nor infinity is


def category_ids(
    content: Mapping[str, Any], classes: Sequence[str], path: str | Path, others: Sequence[str] = ()
) -> dict[str, int | str]:
    """The ids of a COCO file's categories by name, in the order of `classes`; the order in the file is free.

    Categories of other names that no annotation has are left out (see `unused_categories`), as are those in `others`,
    whose instances mmdet ignores. `UserError` where a name is unknown or comes twice, or one of `classes` is missing.
    """
    unused = unused_categories(content, (*classes, *others))
    names = [category["name"] for category in content["categories"]]
    missing = [name for name in classes if name not in names]
    unknown = [n for n in names if n not in classes and n not in others and (missing or n not in unused)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    meant = dict.fromkeys((*missing, *others))
    alike = [(u, m) for u in unknown for m in meant if u.strip().casefold() == m.strip().casefold()]
    faults = [
        f"{what}: {', '.join(map(repr, found))}"
        for what, found in (("unknown", unknown), ("missing", missing), ("twice", twice))
        if found
    ]
    faults += [f"{u!r} and {m!r} differ in upper and lower case or spaces" for u, m in alike]
    if faults:
        raise UserError(
            f"{path}: the categories are not the data set's classes ({'; '.join(faults)}). Expected, in any order: "
            f"{', '.join(classes or others)}. Rename the categories in the file or convert it by a tool in tools/data; "
            "a class without instances must still be listed. For other classes set metainfo=dict(classes=...) in the "
            "config"
        )
    ids = {category["name"]: category["id"] for category in content["categories"]}
    return {name: ids[name] for name in (*classes, *(n for n in ids if n in others and n not in classes))}


def unused_categories(content: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """The categories that are none of `classes` and that no annotation has: exporters' parents and backgrounds."""
    used = {annotation["category_id"] for annotation in content["annotations"]}
    return [c["name"] for c in content["categories"] if c["name"] not in classes and c["id"] not in used]


def no_instances(crowds: int) -> str:
    """What is to be said of a set without an instance to learn from, but with so many crowds."""
    if not crowds:
        return "no usable annotation (with a box in its image) is of these classes"
    return (
        f"all of its {crowds} annotations are crowds (iscrowd 1), which are not trained on: set iscrowd to 0 where a "
        "mask shows one garment, whether polygon or RLE"
    )


def rle_runs(counts: str | bytes) -> np.ndarray:
    """Run lengths of COCO's compressed RLE: int64, alternating background and mask, in column order.

    Each number is written in base 32, lowest digit first, in characters from '0': bit 5 says that more follow, bit 4 of
    the last is the sign. From the fourth number on, a number is the difference from the one two before (pycocotools,
    `rleToString`). pycocotools reads such a string without checks; broken ones are a `ValueError` here.
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
    """The number of pixels in the mask of a compressed RLE, `size` (height, width) and `counts`, str or bytes.

    `ValueError` where the size is not the image's, or the run lengths are broken or do not fill it.
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
