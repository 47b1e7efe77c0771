"""Parsing maps that a segmenter predicts, in the place of a data set's own."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, load_palette_png, unions
from seg_vton.parsing.instances import SCORE_THR
from seg_vton.parsing.jobs import read_records, relative

LEAST_UPPER, LEAST_HEAD = 0.01, 0.0008
"""The smallest upper garment and head to train on, as shares of the photo (at 256 x 192: 492 and 40 pixels)."""

TARGETS = ("predicted", "files")
_KIND = "label-map"


class PredictedParsing:
    """Label maps in `deepfashion15` of persons' photos, as `tools/parse.py` writes them.

    With a config and a checkpoint, what is not there yet is predicted when a data set is built, by all processes of the
    run, and kept in `FOLDER/KEY`, KEY being a hash of checkpoint, model and settings: another segmenter's maps are
    never taken for this one's. Without them `FOLDER` is the `--out` of `tools/parse.py` and has all maps.

    Args:
        folder: of the split, or a path.
        config: segmentation config.
        checkpoint: its weights.
        score_thr: instances below this score are left out of what is predicted.
        targets: where the targets of losses and metrics come from (`parse`, `parse_cloth`, `parse_cloth_mask`):
            'predicted', for training without any labels, or 'files', the data set's own maps, so that rows are
            measured by the same truth.

    Raises:
        UserError: an argument is missing or out of range.
    """

    label_space = DEEPFASHION15.name

    def __init__(
        self,
        folder: str = "image-parse-predicted",
        config: str | None = None,
        checkpoint: str | None = None,
        score_thr: float = SCORE_THR,
        targets: str = "predicted",
    ) -> None:
        if targets not in TARGETS:
            raise UserError(f"parse.targets is one of {', '.join(TARGETS)}, not {targets!r}")
        if (config is None) != (checkpoint is None):
            raise UserError("parse has a config without a checkpoint, or a checkpoint without a config: give both")
        self.folder, self.config, self.checkpoint, self.score_thr = folder, config, checkpoint, score_thr
        self.own_targets = targets == "files"

    def find(self, split_root: Path, photos: Sequence[Path]) -> dict[Path, Path]:
        """The maps of photos, predicted first where they are not there.

        Args:
            split_root: folder of the split.
            photos: persons' photos.

        Returns:
            The map's file by photo.

        Raises:
            UserError: maps are missing, or the segmenter cannot be loaded.
        """
        photos = list(dict.fromkeys(photos))
        out = split_root / self.folder
        if self.config is not None:
            out = self._predict(out, photos)
        elif not out.is_dir():
            out = Path(self.folder)
        maps = {
            record["photo"]: record["files"][_KIND] for record in read_records(out).values() if _KIND in record["files"]
        }
        missing = [photo for photo in photos if relative(photo, out) not in maps]
        if missing:
            raise UserError(
                f"{out} has no label maps of {len(missing)} of {len(photos)} photos, {missing[0]} for one: write them "
                f"with `python tools/parse.py CONFIG CHECKPOINT {missing[0].parent} --out {out} --score-thr "
                f"{self.score_thr:g}`, or give parse a config and a checkpoint"
            )
        return {photo: out / maps[relative(photo, out)] for photo in photos}

    def _predict(self, folder: Path, photos: Sequence[Path]) -> Path:
        """Predicts what is missing; returns the folder of this segmenter's maps."""
        # Here, for the try-on half needs no detector unless it is asked for.
        from seg_vton.parsing.predictor import ClothingParser
        from seg_vton.parsing.run import parse_photos

        if not Path(self.checkpoint).is_file():
            raise UserError(
                f"the segmenter's checkpoint {self.checkpoint} does not exist: train it with `python tools/train.py "
                f"{self.config}`, or set parse.checkpoint of the data sets to the file of one that you have"
            )
        parser = ClothingParser(self.config, self.checkpoint, score_thr=self.score_thr)
        out = folder / _key(parser.stamp)
        outcome = parse_photos(parser, photos, out, kinds=[_KIND])
        if outcome.failures:
            raise UserError(f"{len(outcome.failures)} photos cannot be parsed: {outcome.failures[0]}")
        return out


def _key(stamp: Mapping[str, Any]) -> str:
    """Twelve digits for all that the maps depend on."""
    return hashlib.sha256(json.dumps(stamp, sort_keys=True).encode()).hexdigest()[:12]


def missing_part(label_map: np.ndarray) -> str | None:
    """What a predicted map lacks to be trained on: 'no upper garment', 'no head', or None.

    Args:
        label_map: uint8 ids of `deepfashion15` `(H, W)`.
    """
    ids = unions(DEEPFASHION15.name)
    shares = np.bincount(label_map.ravel(), minlength=len(DEEPFASHION15.classes)) / label_map.size
    if shares[list(ids.upper)].sum() < LEAST_UPPER:
        return "no upper garment"
    return "no head" if shares[list(ids.head)].sum() < LEAST_HEAD else None


def find_unusable(maps: Mapping[Path, np.ndarray | Path]) -> dict[Path, str]:
    """The reason for each photo whose map is not to be trained on, and the counts in the log.

    Args:
        maps: label map, or its file, by photo.
    """
    reasons = {}
    for photo, found in maps.items():
        label_map = load_palette_png(found, DEEPFASHION15.name) if isinstance(found, Path) else found
        reason = missing_part(label_map)
        if reason is not None:
            reasons[photo] = reason
    if reasons:
        counts = ", ".join(f"{count} with {reason}" for reason, count in Counter(reasons.values()).most_common())
        first = next(iter(reasons))
        print_log(
            f"left out {len(reasons)} of {len(maps)} persons whose predicted parsing is no good to train on: {counts} "
            f"({first}: {reasons[first]})",
            logger="current",
            level=logging.WARNING,
        )
    return reasons
