"""A segmenter's parsing maps in the place of a data set's own: files that `tools/parse.py` wrote.

They have the role `predicted_parse`: `LoadParsing(role="predicted_parse")` loads them, and `folders` of the data set
says where they are: the `--out` of `tools/parse.py`, beside the photos' folder or anywhere else. All must be of one
record, that is of one checkpoint and one set of options. The data set's metainfo has the record, and so have
checkpoints and results.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, get_space, load_palette_png
from seg_vton.parsing.jobs import read_records, relative
from seg_vton.tryon.datasets.transforms import garment_ids

ROLE = "predicted_parse"
FOLDER = "image-parse-predicted"
"""Where the maps are if `folders` does not say: in the split's folder."""

LEAST_GARMENT, LEAST_HEAD = 0.01, 0.0008
"""The smallest garment and head to train on, as shares of the photo (at 256 x 192: 492 and 40 pixels)."""

_KIND = "label-map"


def find_predicted(folders: Sequence[Path], photos: Sequence[Path]) -> tuple[dict[Path, Path], dict[str, Any]]:
    """Finds the maps of persons' photos: each map's file by photo, and the record of all.

    The record has the `label_space` and what else `tools/parse.py` says of itself. Of `folders`, where its output may
    be, the first that is there is meant. `UserError` where maps are missing, or of several records.
    """
    photos = list(dict.fromkeys(photos))
    out = next((folder for folder in folders if folder.is_dir()), folders[0])
    records = {record["photo"]: record for record in read_records(out).values() if _KIND in record["files"]}
    found = {photo: records[relative(photo, out)] for photo in photos if relative(photo, out) in records}
    missing = [photo for photo in photos if photo not in found]
    if missing:
        raise UserError(
            f"{out} has no label maps of {len(missing)} of {len(photos)} photos, {missing[0]} for one: write them with "
            f"`python tools/parse.py CONFIG CHECKPOINT {missing[0].parent} --out {out} --write label-map`, or name the "
            "folder that has them with folders=dict(predicted_parse=...)"
        )
    stamps = {json.dumps(record["stamp"], sort_keys=True): record["stamp"] for record in found.values()}
    if len(stamps) > 1:
        first, second, *_ = stamps.values()
        differs = [
            f"{k} {first.get(k)!r} and {second.get(k)!r}" for k in first | second if first.get(k) != second.get(k)
        ]
        raise UserError(
            f"the label maps in {out} are of {len(stamps)} segmenters or settings ({'; '.join(differs)}): write all of "
            "them with one, by tools/parse.py with --overwrite or to another --out"
        )
    record = {"label_space": DEEPFASHION15.name, **next(iter(stamps.values()))}
    return {photo: out / each["files"][_KIND] for photo, each in found.items()}, record


def missing_part(label_map: np.ndarray, space: str, garment: Sequence[str] | None = None) -> str | None:
    """What a predicted map lacks to be trained on: 'no upper garment', 'no head', or None.

    `label_map` has uint8 ids `(H, W)` of the label space of that name; `garment` are classes in the place of the upper
    garments.
    """
    classes, ids = get_space(space).classes, get_space(space).unions
    shares = np.bincount(label_map.ravel(), minlength=len(classes)) / label_map.size
    if shares[list(garment_ids(space, garment))].sum() < LEAST_GARMENT:
        return f"no {' or '.join(garment or ['upper garment'])}"
    return "no head" if shares[list(ids.head)].sum() < LEAST_HEAD else None


def find_unusable(maps: Mapping[Path, Path], space: str, garment: Sequence[str] | None) -> dict[Path, str]:
    """The reason for each photo whose map (file by photo) is not to be trained on, and the counts in the log."""
    found = {photo: missing_part(load_palette_png(path, space), space, garment) for photo, path in maps.items()}
    reasons = {photo: reason for photo, reason in found.items() if reason is not None}
    if reasons:
        counts = ", ".join(f"{count} with {reason}" for reason, count in Counter(reasons.values()).most_common())
        first = next(iter(reasons))
        print_log(
            f"left out {len(reasons)} of {len(maps)} persons whose predicted parsing is not fit to train on: {counts} "
            f"({first}: {reasons[first]})",
            logger="current",
            level=logging.WARNING,
        )
    return reasons
