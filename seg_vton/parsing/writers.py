"""The files that a parsing of one photo is written to."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from seg_vton.coco import categories
from seg_vton.files import write_json
from seg_vton.labels import save_palette_png
from seg_vton.parsing.instances import Parsing
from seg_vton.pictures.drawing import Instance, draw_instances
from seg_vton.pictures.images import save_picture

OVERLAY_HEIGHT = 1024
"""Overlays are to be looked at: none is higher, in pixels."""


@dataclass(frozen=True)
class Result:
    """One photo's parsing, and how it is to be written."""

    photo: np.ndarray  # RGB uint8 `(H, W, 3)`
    file_name: str  # the photo's name for the COCO file
    parsing: Parsing  # its instances
    label_space: str | None = None  # of the label map; None for the segmenter's own
    fill_holes: bool = True  # whether small holes in the label map are filled


def write_coco(path: Path, result: Result) -> None:
    """Writes a COCO file of the one photo: `images`, `categories`, and `annotations` with a `score`.

    Masks are compressed RLE; `bbox` is the detector's box as x, y, width, height in pixels; `area` is of the mask.
    Category ids are those of the segmenter's label space, from 1 on.
    """
    parsing = result.parsing
    height, width = parsing.shape
    annotations: list[dict[str, Any]] = []
    found = (parsing.labels.tolist(), parsing.scores.tolist(), parsing.boxes.tolist(), parsing.masks)
    for label, score, (x1, y1, x2, y2), mask in zip(*found, strict=True):
        rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": 1,
                "category_id": label,
                "bbox": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
                "area": int(mask.sum()),
                "iscrowd": 0,
                "score": round(score, 6),
                "segmentation": {"size": [height, width], "counts": rle["counts"].decode("ascii")},
            }
        )
    content = {
        "images": [{"id": 1, "file_name": result.file_name, "width": width, "height": height}],
        "annotations": annotations,
        "categories": categories(parsing.space.classes[1:]),
    }
    write_json(path, content, overwrite=True)


def write_label_map(path: Path, result: Result) -> None:
    """Writes the palette PNG of the label map; the file's text chunk names the label space."""
    label_map = result.parsing.label_map(result.label_space, result.fill_holes)
    save_palette_png(path, label_map, result.label_space or result.parsing.space.name, overwrite=True)


def write_instances(folder: Path, result: Result) -> None:
    """Writes a gray PNG for each instance, 255 on 0: `top.png`, the next by score `top_2.png`, ...

    Masks of an earlier parsing that this one has not are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    for name, mask in zip(map(_file_name, result.parsing.classes), result.parsing.masks, strict=True):
        counts[name] += 1
        ending = f"_{counts[name]}" if counts[name] > 1 else ""
        save_picture(folder / f"{name}{ending}.png", mask.astype(np.uint8) * 255)
    names = "|".join(re.escape(_file_name(name)) for name in result.parsing.space.classes[1:])
    for path in folder.iterdir():
        found = re.fullmatch(rf"({names})(?:_(\d+))?\.png", path.name)
        if found and int(found[2] or 1) > counts[found[1]]:
            path.unlink()


def _file_name(class_name: str) -> str:
    """A class name without what a file name cannot have."""
    return re.sub(r'[/\\:*?"<>|]', "-", class_name)


class _Instances(Sequence[Instance]):
    """A parsing's instances to paint, each made when it is asked for: large masks are never all in memory."""

    def __init__(self, parsing: Parsing) -> None:
        self._parsing = parsing

    def __len__(self) -> int:
        return len(self._parsing)

    def __getitem__(self, index: int) -> Instance:
        label, score = self._parsing.labels[index], float(self._parsing.scores[index])
        space = self._parsing.space
        return Instance(space.classes[label], space.palette[label], self._parsing.masks[index], score)


def write_overlay(path: Path, result: Result) -> None:
    """Writes the photo with its instances painted on it, names and scores at the edges; JPEG."""
    painted = draw_instances(result.photo, _Instances(result.parsing), min(result.photo.shape[0], OVERLAY_HEIGHT))
    save_picture(path, painted, quality=92)


@dataclass(frozen=True)
class Kind:
    """A kind of file: `OUT/<kind>/<name><suffix>`; without a suffix it is a folder."""

    suffix: str  # of the file's name
    write: Callable[[Path, Result], None]  # writes a result to a path, over what is there


KINDS = {
    "coco": Kind(".json", write_coco),
    "label-map": Kind(".png", write_label_map),
    "instances": Kind("", write_instances),
    "overlay": Kind(".jpg", write_overlay),
}
"""What can be written of a photo, by the name of its folder."""
