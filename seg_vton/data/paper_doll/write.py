"""Writes sets of paper dolls to disk: COCO instance segmentation and VITON's try-on layout."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from seg_vton.data.coco_files import CocoBuilder, Summary
from seg_vton.data.folders import MARKER, new_folder
from seg_vton.data.paper_doll.doll import DEFAULT_SIZE, check_arguments, draw_doll
from seg_vton.errors import UserError
from seg_vton.files import write_json
from seg_vton.labels import DEEPFASHION15, save_palette_png
from seg_vton.pose.files import openpose_json
from seg_vton.progress import track_map

SPLITS = ("train", "val", "test")
SPLIT_STRIDE = 10_000_000
"""Doll i of split s has the index s * SPLIT_STRIDE + i, so a split does not change with the size of another."""

DATA_SET = "paper doll"
"""What the marker says; a folder whose marker says something else is never replaced."""

_DOLLS_PER_PROCESS = 150  # below that, starting one costs more than it saves
_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}


@dataclass(frozen=True)
class Plan:
    """What to write."""

    train: int  # number of dolls to train on
    val: int = 0  # number of held-out dolls; the COCO layout alone has them
    test: int = 0  # number of dolls to test on
    seed: int = 0  # of the set
    size: tuple[int, int] = DEFAULT_SIZE  # (width, height) of every image in pixels
    # `coco`, `viton` or `both`. The VITON layout has dolls of its own, framed for try-on
    layout: Literal["coco", "viton", "both"] = "both"

    def check(self) -> None:
        """Raises `UserError` when a number is out of range."""
        check_arguments(self.seed, 0, 0, self.size)
        for split in SPLITS:
            if not 0 <= getattr(self, split) <= SPLIT_STRIDE:
                raise UserError(f"--{split} is {getattr(self, split)}: it must be from 0 to {SPLIT_STRIDE}")
        used = SPLITS if self.layout != "viton" else ("train", "test")
        if not any(getattr(self, split) for split in used):
            raise UserError(f"nothing to write: layout {self.layout} needs {' or '.join('--' + s for s in used)}")


def write_paper_dolls(
    out: str | Path, plan: Plan, workers: int | None = None, overwrite: bool = False
) -> list[Summary]:
    """Draws a set of paper dolls and writes it to the folder `out`, which appears when it is whole.

    COCO: `annotations/instances_SPLIT.json` and `images/SPLIT/000001.jpg`. VITON: see `_write_viton`. Images are JPEG
    (quality 95, no chroma subsampling): about 25 KB at 192 x 256, a quarter of PNG. The same plan gives the same bytes,
    whatever `workers` is, the number of processes that draw (None: as many as pay off). `overwrite` replaces an earlier
    set of paper dolls at `out`. Returns a summary for each COCO file.
    """
    plan.check()
    if workers is None:
        workers = min(os.cpu_count() or 1, 1 + (plan.train + plan.val + plan.test) // _DOLLS_PER_PROCESS)
    if workers < 1:
        raise UserError(f"--workers is {workers}: it must be 1 or more")
    summaries = []
    with new_folder(Path(out), DATA_SET, overwrite) as folder:
        if plan.layout != "viton":
            summaries = [_write_coco(folder, plan, split, workers) for split in SPLITS if getattr(plan, split)]
        if plan.layout != "coco":
            _write_viton(folder, plan, workers)
        indices = {split: _index(split, 0) for split in SPLITS}
        marker = {"data_set": DATA_SET, "label_space": DEEPFASHION15.name, **asdict(plan), "indices": indices}
        write_json(folder / MARKER, marker, indent=2)
    return summaries


def _index(split: str, number: int) -> int:
    return SPLITS.index(split) * SPLIT_STRIDE + number


def _write_coco(folder: Path, plan: Plan, split: str, workers: int) -> Summary:
    """Writes images and annotations of one split."""
    images = folder / "images" / split
    images.mkdir(parents=True)
    builder = CocoBuilder(f"paper doll {split}")
    draw = partial(_draw_coco_image, images, plan, split)
    for name, masks in track_map(draw, range(getattr(plan, split)), f"{split} images", workers):
        image_id = builder.add_image(name, *plan.size)
        for class_name, rle in masks:
            builder.add_rle(image_id, DEEPFASHION15.id_of(class_name), rle)
    return builder.write(folder / "annotations" / f"instances_{split}.json")


def _draw_coco_image(folder: Path, plan: Plan, split: str, number: int) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """Draws and saves one doll; returns the file name and (class name, RLE) of its instances."""
    doll = draw_doll(plan.seed, _index(split, number), plan.size)
    name = f"{number + 1:06d}.jpg"
    Image.fromarray(doll.image).save(folder / name, **_JPEG)
    return name, [(key, coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))) for key, mask in doll.instances]


def _write_viton(folder: Path, plan: Plan, workers: int) -> None:
    """Writes the try-on set in the layout of VITON as CP-VTON reads it.

    `{train,test}/{image,cloth,cloth-mask,image-parse,pose}` hold `000001_0.jpg` (person), `000001_1.jpg` (garment and
    its mask, white on black), `000001_0.png` (palette indices of deepfashion15) and `000001_0_keypoints.json`. A line
    of `{train,test}_pairs.txt` is `000001_0.jpg 000001_1.jpg`: a person and the garment they wear. In
    `test_unpaired_pairs.txt` the garment is another one, and `test/unpaired` and `test/unpaired-parse` hold the truth:
    the person of the line wearing it, under the person's name.
    """
    for split in ("train", "test"):
        for name in ("image", "cloth", "cloth-mask", "image-parse", "pose"):
            (folder / split / name).mkdir(parents=True)
    for name in ("unpaired", "unpaired-parse"):
        (folder / "test" / name).mkdir()
    sets = {"train": range(plan.train), "test": range(plan.test), "test_unpaired": unpaired(plan.seed, plan.test)}
    for name, garments in sets.items():
        draw = partial(_draw_pair, folder, plan, name, garments)
        for _ in track_map(draw, range(len(garments)), f"{name} pairs", workers):
            pass
        lines = [f"{person + 1:06d}_0.jpg {garment + 1:06d}_1.jpg\n" for person, garment in enumerate(garments)]
        (folder / f"{name}_pairs.txt").write_text("".join(lines), encoding="utf-8")


def unpaired(seed: int, count: int) -> list[int]:
    """For each of `count` persons the number of another's garment, each garment once; empty for fewer than two."""
    if count < 2:
        return []
    order = np.random.default_rng([seed, count]).permutation(count)
    garments = np.empty(count, int)
    garments[order] = np.roll(order, 1)
    return garments.tolist()


def _draw_pair(folder: Path, plan: Plan, name: str, garments: Sequence[int], number: int) -> None:
    """Draws and saves person `number` in garment `garments[number]`; of an unpaired set, the person alone."""
    split, _, others = name.partition("_")
    index, wearing = _index(split, number), _index(split, garments[number])
    doll = draw_doll(plan.seed, index, plan.size, wearing=wearing, try_on=True)
    folder, person, cloth = folder / split, f"{number + 1:06d}_0", f"{number + 1:06d}_1"
    image, parse = ("unpaired", "unpaired-parse") if others else ("image", "image-parse")
    Image.fromarray(doll.image).save(folder / image / f"{person}.jpg", **_JPEG)
    save_palette_png(folder / parse / f"{person}.png", doll.label_map, DEEPFASHION15.name)
    if others:
        return
    Image.fromarray(doll.cloth).save(folder / "cloth" / f"{cloth}.jpg", **_JPEG)
    mask = Image.fromarray(doll.cloth_mask.astype(np.uint8) * 255)
    mask.save(folder / "cloth-mask" / f"{cloth}.jpg", format="JPEG", quality=95)
    write_json(folder / "pose" / f"{person}_keypoints.json", openpose_json(doll.keypoints))
