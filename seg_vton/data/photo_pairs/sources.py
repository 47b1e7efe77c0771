"""Photos with label maps: COCO files of masks, or folders of label maps such as `tools/parse.py` writes."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from seg_vton.coco import by_image, category_ids, read_coco, to_rle
from seg_vton.errors import UserError
from seg_vton.files import find_file
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, convert, working_space
from seg_vton.parsing.jobs import read_records
from seg_vton.parsing.label_map import merge_instances
from seg_vton.parsing.maps import ENDINGS, LOSSY, read_label_map
from seg_vton.pictures.photos import find_photos


@dataclass(frozen=True)
class LabeledPhoto:
    """A photo and where its labels are."""

    # of the photo in the set: its path in the folder of photos without suffix; `tools/parse.py`'s where another photo
    # has the same
    name: str
    photo: Path  # its file
    place: Path  # its path in the folder of photos, where its pose is looked for in theirs
    # a label map's file, or the instances of a COCO file as (category name, score, segmentation)
    labels: Path | tuple[tuple[str, float, Any], ...]
    # (height, width) that the source says the photo has; None where it says nothing
    size: tuple[int, int] | None = None
    space: str = DEEPFASHION15.name  # label space of a label map's file
    # what the labels were predicted with, where a record of `tools/parse.py` says it
    stamp: Mapping[str, Any] = field(default_factory=dict)

    def label_map(self, shape: tuple[int, int]) -> np.ndarray:
        """The labels of the photo of `shape` (height, width): uint8 `(H, W)` ids of `working_space(space)`.

        Instances are merged by `merge_instances`, small holes filled. `UserError` where a file is missing or broken, or
        the labels are of another size or space.
        """
        if isinstance(self.labels, Path):
            found = read_label_map(self.labels, self.space, self.photo, shape)
            return convert(found, self.space, working_space(self.space))
        if self.size is not None and tuple(self.size) != tuple(shape):
            raise UserError(
                f"the annotations of {self.name}: the masks are {self.size[1]}x{self.size[0]} and the photo "
                f"{self.photo} is {shape[1]}x{shape[0]} (width x height, upright): they belong to different photos"
            )
        masks = np.zeros((len(self.labels), *shape), bool)
        for mask, (_, _, segmentation) in zip(masks, self.labels, strict=True):
            try:
                rle = to_rle(segmentation, shape[1], shape[0])
                if rle is None:
                    raise ValueError("it is empty")
            except ValueError as error:
                raise UserError(f"{self.photo}: a mask cannot be read ({error})") from None
            mask[:] = coco_mask.decode(rle)
        ids = [DEEPFASHION15.id_of(name) for name, _, _ in self.labels]
        return merge_instances(masks, ids, [score for _, score, _ in self.labels])


def find_labeled(photos: Path, masks: Sequence[Path], label_space: str = DEEPFASHION15.name) -> list[LabeledPhoto]:
    """The photos that have labels, in the order of their names; `photo` may not exist where a COCO file names it.

    Args:
        photos: folder of the photos.
        masks: COCO JSON files; or folders: of label maps `NAME.png`, or the output folder of `tools/parse.py`, whose
            `label-map` is taken, or else its `coco`; its `records` say which photo each is of.
        label_space: of label maps in folders.

    Raises:
        UserError: a source is missing or broken, try-on cannot work with its label space, two sources have the same
            photo, or there is nothing.
    """
    working_space(label_space)  # raises, before any work
    if not photos.is_dir():
        raise UserError(f"--photos {photos} is not a folder")
    found: dict[Path, LabeledPhoto] = {}
    for source in masks:
        for item in _read_source(photos, source, label_space):
            if item.place in found:
                raise UserError(f"{source}: the photo {item.place} has labels twice")
            found[item.place] = item
    spaces = sorted({working_space(item.space) for item in found.values()})
    if len(spaces) > 1:
        raise UserError(
            f"the labels are of {' and of '.join(spaces)}, neither of which becomes the other: give one kind"
        )
    if not found:
        raise UserError(f"no photo of {photos} has labels in {', '.join(map(str, masks))}")
    return sorted(found.values(), key=lambda item: (item.name, item.place))


def _read_source(photos: Path, source: Path, label_space: str) -> Iterator[LabeledPhoto]:
    if source.is_file():
        yield from _from_coco(photos, source)
    elif (source / "label-map").is_dir():
        yield from _from_label_maps(photos, source / "label-map", label_space, _recorded(photos, source))
    elif (source / "coco").is_dir():
        recorded = _recorded(photos, source)
        for path in sorted((source / "coco").rglob("[!.]*.json")):
            # One photo a file, which is named by the file's place: `images` has its name alone.
            place = path.relative_to(source / "coco").with_suffix("")
            for item in _from_coco(photos, path, folder=place.parent):
                yield replace(item, **recorded.get(place.as_posix(), {}))
    elif source.is_dir():
        yield from _from_label_maps(photos, source, label_space, {})
    else:
        raise UserError(f"{source} does not exist: give COCO JSON files or a folder of label maps")


def _from_label_maps(
    photos: Path, folder: Path, space: str, recorded: Mapping[str, dict[str, Any]]
) -> Iterator[LabeledPhoto]:
    by_name = _places_by_name(photos)
    files = sorted(folder.rglob("[!.]*"))
    named = {path: path.relative_to(folder).with_suffix("").as_posix() for path in files}
    maps = {path: name for path, name in named.items() if path.suffix.lower() in ENDINGS}
    mapped = set(maps.values())
    for path, name in named.items():
        if path.suffix.lower() in LOSSY and name not in mapped and by_name[unicodedata.normalize("NFC", name)]:
            raise UserError(f"{path} was compressed as a picture, which changes ids: write label maps as PNG")
    for path, name in maps.items():
        places = by_name[unicodedata.normalize("NFC", name)]
        if name in recorded:
            yield LabeledPhoto(**recorded[name], labels=path, space=space)
        elif len(places) == 1:
            yield LabeledPhoto(name, photos / places[0], places[0], labels=path, space=space)
        elif not places:
            raise UserError(f"{path}: {photos} has no photo {name}")
        else:
            raise UserError(
                f"{path} may be of {' or of '.join(str(photos / place) for place in places)}: rename them, or give the "
                "folder that tools/parse.py wrote, whose records say which"
            )


def _places_by_name(photos: Path) -> defaultdict[str, list[Path]]:
    """The photos' paths in their folder by the same in NFC, without suffix."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in find_photos(photos):
        place = path.relative_to(photos)
        found[unicodedata.normalize("NFC", place.with_suffix("").as_posix())].append(place)
    return found


def _recorded(photos: Path, out: Path) -> dict[str, dict[str, Any]]:
    """What `tools/parse.py` noted of its results: by their name what `LabeledPhoto` says of the photo.

    Results of photos that are elsewhere, moved since or of another folder, are not among them.
    """
    by_name, root, found = _places_by_name(photos), photos.resolve(), {}
    for given, record in read_records(out).items():
        photo = Path(os.path.normpath(out.absolute() / record["photo"]))  # as its `..` were made; pathlib keeps them
        photo = photo.parent.resolve() / photo.name
        if photo.is_relative_to(root) and photo.is_file():
            place = photo.relative_to(root)
            name = place.with_suffix("").as_posix()
            name = name if len(by_name[unicodedata.normalize("NFC", name)]) == 1 else given
            found[given] = {"name": name, "photo": photos / place, "place": place, "stamp": record["stamp"]}
    return found


def _from_coco(photos: Path, path: Path, folder: Path = Path()) -> Iterator[LabeledPhoto]:
    content = read_coco(path)
    names = {key: name for name, key in category_ids(content, (), path, CLOTHING_CLASSES).items()}
    annotations = by_image(content, path, names)
    for image in content["images"]:
        instances = []
        for annotation in annotations[image["id"]]:
            if not annotation["iscrowd"]:
                score = annotation.get("score", 1)
                if not isinstance(score, int | float) or not 0 <= score <= 1:
                    raise UserError(
                        f"{path}: annotation {annotation['id']} has the score {score!r}, not one from 0 to 1"
                    )
                instances.append((names[annotation["category_id"]], float(score), annotation.get("segmentation")))
        file = folder / image["file_name"]
        size, photo = (image["height"], image["width"]), find_file(photos / file) or photos / file
        yield LabeledPhoto(file.with_suffix("").as_posix(), photo, file, tuple(instances), size)
