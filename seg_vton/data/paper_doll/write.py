"""Writes sets of paper dolls to disk: COCO instance segmentation and VITON's try-on layout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from seg_vton.data.coco_files import CocoBuilder, Summary
from seg_vton.data.folders import MARKER, new_folder
from seg_vton.data.paper_doll.doll import DEFAULT_SIZE, Doll, check_arguments, draw_doll
from seg_vton.errors import UserError
from seg_vton.files import write_json
from seg_vton.labels import DEEPFASHION15, save_palette_png
from seg_vton.progress import track

Layout = Literal["coco", "viton", "both"]
SPLITS = ("train", "val", "test")
SPLIT_STRIDE = 10_000_000
"""Doll i of split s has the index s * SPLIT_STRIDE + i, so a split does not change with the size of another."""

DATA_SET = "paper doll"
"""What the marker says; a folder whose marker says something else is never replaced."""

_DOLLS_PER_PROCESS = 150  # below that, starting one costs more than it saves
_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}


@dataclass(frozen=True)
class Plan:
    """What to write.

    Attributes:
        train: number of dolls to train on.
        val: number of held-out dolls; the COCO layout alone has them.
        test: number of dolls to test on.
        seed: of the set.
        size: (width, height) of every image in pixels.
        layout: `coco`, `viton` or `both`. The VITON layout has dolls of its own, framed for try-on.
    """

    train: int
    val: int = 0
    test: int = 0
    seed: int = 0
    size: tuple[int, int] = DEFAULT_SIZE
    layout: Layout = "both"

    def count(self, split: str) -> int:
        """Number of dolls in a split."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def check(self) -> None:
        """Raises `UserError` when a number is out of range."""
        check_arguments(self.seed, 0, 0, self.size)
        for split in SPLITS:
            if not 0 <= self.count(split) <= SPLIT_STRIDE:
                raise UserError(f"--{split} is {self.count(split)}: it must be from 0 to {SPLIT_STRIDE}")
        used = SPLITS if self.layout != "viton" else ("train", "test")
        if not any(self.count(split) for split in used):
            raise UserError(f"nothing to write: layout {self.layout} needs {' or '.join('--' + s for s in used)}")


def write_paper_dolls(
    out: str | Path, plan: Plan, workers: int | None = None, overwrite: bool = False
) -> list[Summary]:
    """Draws a set of paper dolls and writes it to the folder `out`, which appears when it is whole.

    COCO: `annotations/instances_SPLIT.json` and `images/SPLIT/000001.jpg`. VITON: see `write_viton`. Images are JPEG
    (quality 95, no chroma subsampling): about 25 KB at 192 x 256, a quarter of PNG. The same plan gives the same
    bytes, whatever `workers` is.

    Args:
        out: the folder to make.
        plan: what to write.
        workers: number of processes that draw; as many as pay off where None.
        overwrite: replace an earlier set of paper dolls at `out`.

    Returns:
        A summary for each COCO file.

    Raises:
        UserError: a number is out of range, or `out` exists or cannot be written.
    """
    plan.check()
    if workers is None:
        workers = min(os.cpu_count() or 1, 1 + (plan.train + plan.val + plan.test) // _DOLLS_PER_PROCESS)
    if workers < 1:
        raise UserError(f"--workers is {workers}: it must be 1 or more")
    summaries = []
    with new_folder(Path(out), DATA_SET, overwrite) as folder, _mapper(workers) as mapper:
        if plan.layout in ("coco", "both"):
            summaries = [_write_coco_split(folder, plan, split, mapper) for split in SPLITS if plan.count(split)]
        if plan.layout in ("viton", "both"):
            write_viton(folder, plan, mapper)
        write_json(folder / MARKER, _description(plan), indent=2)
    return summaries


def _description(plan: Plan) -> dict[str, Any]:
    return {
        "data_set": DATA_SET,
        "label_space": DEEPFASHION15.name,
        **asdict(plan),
        "indices": {split: i * SPLIT_STRIDE for i, split in enumerate(SPLITS)},
    }


Mapper = Callable[[Callable[[int], Any], range, str], Iterator[Any]]


@contextmanager
def _mapper(workers: int) -> Iterator[Mapper]:
    """Yields `map(function, numbers, description)` that shows progress, keeps the order and may use processes."""
    if workers == 1:
        yield lambda function, numbers, text: track(map(function, numbers), text, total=len(numbers))
        return
    # One thread per process; and OpenCV's threads must be gone before a fork, or the child waits for them for ever.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ProcessPoolExecutor(workers) as pool:
            yield lambda function, numbers, text: track(
                pool.map(function, numbers, chunksize=4), text, total=len(numbers)
            )
    finally:
        cv2.setNumThreads(threads)


def _write_coco_split(folder: Path, plan: Plan, split: str, mapper: Mapper) -> Summary:
    """Writes images and annotations of one split."""
    images = folder / "images" / split
    images.mkdir(parents=True)
    builder = CocoBuilder(f"paper doll {split}")
    width, height = plan.size
    draw = partial(_draw_coco_image, images, plan, split)
    for name, masks in mapper(draw, range(plan.count(split)), f"{split} images"):
        image_id = builder.add_image(name, width, height)
        for category_id, rle in masks:
            builder.add_rle(image_id, category_id, rle)
    return builder.write(folder / "annotations" / f"instances_{split}.json")


def _draw_coco_image(folder: Path, plan: Plan, split: str, number: int) -> tuple[str, list[tuple[int, dict[str, Any]]]]:
    """Draws and saves one doll; returns the file name and (category id, RLE) of its instances."""
    doll = draw_doll(plan.seed, split_index(split, number), plan.size)
    name = f"{number + 1:06d}.jpg"
    Image.fromarray(doll.image).save(folder / name, **_JPEG)
    masks = [
        (DEEPFASHION15.id_of(class_name), coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)))
        for class_name, mask in doll.instances
    ]
    return name, masks


def split_index(split: str, number: int) -> int:
    """Index (for `draw_doll`) of doll `number`, from 0, of a split."""
    return SPLITS.index(split) * SPLIT_STRIDE + number


def write_viton(folder: Path, plan: Plan, mapper: Mapper) -> None:
    """Writes the try-on set in the layout of VITON as CP-VTON reads it.

    `{train,test}/{image,cloth,cloth-mask,image-parse,pose}` hold `000001_0.jpg` (person), `000001_1.jpg` (garment and
    its mask, white on black), `000001_0.png` (palette indices of deepfashion15) and `000001_0_keypoints.json`. A line
    of `{train,test}_pairs.txt` is `000001_0.jpg 000001_1.jpg`: a person and the garment they wear. In
    `test_unpaired_pairs.txt` the garment is another one, and `test/unpaired` and `test/unpaired-parse` hold the truth:
    the person of the line wearing it, under the person's name.
    """
    for split in ("train", "test"):
        count = plan.count(split)
        for name in ("image", "cloth", "cloth-mask", "image-parse", "pose"):
            (folder / split / name).mkdir(parents=True)
        for _ in mapper(partial(_draw_viton_item, folder / split, plan, split), range(count), f"{split} pairs"):
            pass
        _write_pairs(folder / f"{split}_pairs.txt", range(count), range(count))
    others = unpaired(plan.seed, plan.test)
    for name in ("unpaired", "unpaired-parse"):
        (folder / "test" / name).mkdir()
    for _ in mapper(partial(_draw_unpaired, folder / "test", plan, others), range(len(others)), "unpaired truth"):
        pass
    _write_pairs(folder / "test_unpaired_pairs.txt", range(len(others)), others)


def unpaired(seed: int, count: int) -> list[int]:
    """For each of `count` persons the number of another's garment, each garment once; empty for fewer than two."""
    if count < 2:
        return []
    order = np.random.default_rng([seed, count]).permutation(count)
    garments = np.empty(count, int)
    garments[order] = np.roll(order, 1)
    return garments.tolist()


def _write_pairs(path: Path, persons: range, garments: range | list[int]) -> None:
    lines = [f"{p + 1:06d}_0.jpg {g + 1:06d}_1.jpg\n" for p, g in zip(persons, garments, strict=True)]
    path.write_text("".join(lines), encoding="utf-8")


def _draw_viton_item(folder: Path, plan: Plan, split: str, number: int) -> None:
    doll = draw_doll(plan.seed, split_index(split, number), plan.size, try_on=True)
    person, cloth = f"{number + 1:06d}_0", f"{number + 1:06d}_1"
    Image.fromarray(doll.image).save(folder / "image" / f"{person}.jpg", **_JPEG)
    Image.fromarray(doll.cloth).save(folder / "cloth" / f"{cloth}.jpg", **_JPEG)
    mask = Image.fromarray(doll.cloth_mask.astype(np.uint8) * 255)
    mask.save(folder / "cloth-mask" / f"{cloth}.jpg", format="JPEG", quality=95)
    save_palette_png(folder / "image-parse" / f"{person}.png", doll.label_map, DEEPFASHION15.name)
    write_json(folder / "pose" / f"{person}_keypoints.json", openpose(doll))


def _draw_unpaired(folder: Path, plan: Plan, garments: list[int], number: int) -> None:
    index, wearing = (split_index("test", i) for i in (number, garments[number]))
    doll = draw_doll(plan.seed, index, plan.size, wearing=wearing, try_on=True)
    person = f"{number + 1:06d}_0"
    Image.fromarray(doll.image).save(folder / "unpaired" / f"{person}.jpg", **_JPEG)
    save_palette_png(folder / "unpaired-parse" / f"{person}.png", doll.label_map, DEEPFASHION15.name)


def openpose(doll: Doll) -> dict[str, Any]:
    """The keypoints as OpenPose writes them.

    The 54 numbers are there under both names: `pose_keypoints`, which CP-VTON reads, is that of OpenPose before 1.3;
    `pose_keypoints_2d` is that of later ones, and of VITON-HD.
    """
    numbers = [round(float(value), 3) for value in doll.keypoints.ravel()]
    return {"version": 1.1, "people": [{"pose_keypoints_2d": numbers, "pose_keypoints": numbers}]}
