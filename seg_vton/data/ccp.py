"""Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014) to COCO files of the 15 DeepFashion classes."""

from pathlib import Path

import numpy as np

from seg_vton.data.coco_files import Summary, convert_label_maps
from seg_vton.data.folders import link_folder
from seg_vton.data.mat import read_mat
from seg_vton.errors import UserError
from seg_vton.labels import CCP59

TRAIN_LAST_ID = 704
VAL_LAST_ID = 804


def split_of(image_id: int) -> str:
    """The split of a photo: train to 0704, val from 0705 to 0804, and test for the rest of the data set's 1,004."""
    if image_id <= TRAIN_LAST_ID:
        return "train"
    return "val" if image_id <= VAL_LAST_ID else "test"


def convert_ccp(source: str | Path, out: str | Path, overwrite: bool = False) -> list[Summary]:
    """Writes `out/annotations/instances_{train,val,test}.json` and makes `out/photos` point to the photos.

    `source` has `photos/NNNN.jpg`, `annotations/pixel-level/NNNN.mat` and `label_list.mat`, as published; it may be
    `out`. Photos without a pixel-level annotation (half of the published set) are not used. Otherwise as
    `convert_label_maps`.
    """
    source, out = Path(source), Path(out)
    _check_label_list(source / "label_list.mat")
    folder = source / "annotations" / "pixel-level"
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder: SOURCE must be the root of Clothing Co-Parsing "
            "(photos/, annotations/pixel-level/, label_list.mat)"
        )
    paths = sorted(folder.glob("[!.]*.mat"))
    strange = [path.name for path in paths if not path.stem.isdecimal()]
    if not paths or strange:
        raise UserError(f"{folder}: expected NNNN.mat files, found {', '.join(strange[:10]) or 'none'}")
    maps = {path: (split_of(int(path.stem)), source / "photos" / f"{path.stem}.jpg") for path in paths}
    summaries = convert_label_maps(maps, _read_labels, CCP59, out, "Clothing Co-Parsing", overwrite)
    link_folder(source / "photos", out / "photos")
    return summaries


def _read_labels(path: Path) -> np.ndarray:
    """The labels of a photo `(H, W)`."""
    labels = read_mat(path, "groundtruth")
    if not isinstance(labels, np.ndarray) or labels.ndim != 2:
        raise UserError(f"{path}: groundtruth must be an array of H x W labels, it is {np.shape(labels)}")
    return labels


def _check_label_list(path: Path) -> None:
    """Raises `UserError` unless the names in `label_list.mat` are those of `ccp59`, in order."""
    names = read_mat(path, "label_list")
    texts = map(str, names if isinstance(names, list) else [names])  # of a damaged file they may be anything
    found = ["background" if name == "null" else name for name in texts]
    if found != list(CCP59.classes):
        wrong = [
            f"{i} is {f!r}, not {e!r}" for i, (f, e) in enumerate(zip(found, CCP59.classes, strict=False)) if f != e
        ]
        raise UserError(
            f"{path}: expected the {len(CCP59.classes)} labels of Clothing Co-Parsing, found {len(found)}"
            f"{'; ' if wrong else ''}{', '.join(wrong[:5])}: the ids of this copy would be read as other labels"
        )
