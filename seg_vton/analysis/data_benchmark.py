"""The benchmark of the data pipelines behind `tools/analysis/benchmark_data.py`: items a second with two workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.dataset import default_collate, pseudo_collate
from PIL import Image
from pycocotools.coco import COCO
from rich import box
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import Compose, Normalize, ToTensor, v2

from seg_vton import machine
from seg_vton.analysis.memory import resident_bytes
from seg_vton.analysis.timing import compared, interleave
from seg_vton.analysis.tryon_data_benchmark import published_inputs
from seg_vton.data.paper_doll import Plan, write_paper_dolls
from seg_vton.files import refuse_existing, write_json
from seg_vton.labels import get_space, load_palette_png
from seg_vton.pose.keypoints import read_pose
from seg_vton.tryon.datasets import TryOnDataset
from seg_vton.tryon.datasets.images import MASK_THRESHOLD

WORKERS = 2
PLAIN, MMDET, PUBLISHED, OURS = "torchvision's transforms", "mmdet's data set", "CP-VTON's operations", "seg_vton"
PHOTO, TRY_ON = (750, 1101), (192, 256)  # width, height: DeepFashion's photos, CP-VTON's
QUICK = (96, 128)
_TO_UNIT = Compose([ToTensor(), Normalize([0.5] * 3, [0.5] * 3)])


class PlainSegmentation(Dataset):
    """Photos with boxes, classes and masks in torchvision's way.

    Args:
        images: folder of the photos.
        annotations: COCO JSON.
        size: width and height of the items.
    """

    def __init__(self, images: Path, annotations: Path, size: tuple[int, int]) -> None:
        self.images, self.coco = images, COCO(str(annotations))
        self.ids = sorted(self.coco.imgs)
        self.transform = v2.Compose([v2.Resize(size[::-1]), v2.RandomHorizontalFlip(0.5)])

    def __len__(self) -> int:
        """Number of photos."""
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Photo, uint8 `(3, H, W)`; `boxes` `(N, 4)` as x1, y1, x2, y2, `labels` `(N,)`, `masks` `(N, H, W)`."""
        info = self.coco.imgs[self.ids[index]]
        with Image.open(self.images / info["file_name"]) as photo:
            image = v2.functional.to_image(photo.convert("RGB"))
        instances = self.coco.imgToAnns[self.ids[index]]
        boxes = torch.tensor([each["bbox"] for each in instances]).reshape(-1, 4)
        boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
        masks = np.stack([self.coco.annToMask(each) for each in instances])
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.shape[1:]),
            "labels": torch.tensor([each["category_id"] - 1 for each in instances]),
            "masks": tv_tensors.Mask(masks),
        }
        return self.transform(image, target)


class PublishedTryOn(Dataset):
    """Pairs in the operations of CP-VTON's data loader (Wang et al., ECCV 2018).

    Args:
        dataset: ours, whose files are read; they must have the size of its items.
    """

    def __init__(self, dataset: TryOnDataset) -> None:
        self.files, self.space = dataset.files, dataset.label_space

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """What GMM gets of a pair, as `TryOnDataset`'s `inputs` but for `parse`, which CP-VTON has not."""
        files = self.files[index]
        with Image.open(files["cloth"]) as cloth, Image.open(files["cloth_mask"]) as mask:
            garment = _TO_UNIT(cloth.convert("RGB"))
            lies = (np.array(mask.convert("L")) >= MASK_THRESHOLD).astype(np.float32)
        with Image.open(files["image"]) as photo:
            person = photo.convert("RGB")
        parse, joints = load_palette_png(files["parse"], self.space), read_pose(files["pose"])
        inputs = published_inputs(person, parse, joints, get_space(self.space).unions)
        return {**inputs, "cloth": garment, "cloth_mask": torch.from_numpy(lies)[None]}


class Epoch:
    """Loads a number of items with workers that stay, and notes how much memory these take.

    Args:
        dataset: what to load; items are taken in turn until there are enough.
        items: how many.
        batch_size: of the loader.
        collate: makes a batch.
    """

    def __init__(self, dataset: Dataset, items: int, batch_size: int, collate: Callable[[Sequence[Any]], Any]) -> None:
        self.collate, self.at_start, self.grown_bytes = collate, 0, 0
        self.loader = DataLoader(
            dataset,
            batch_size,
            sampler=[index % len(dataset) for index in range(items)],
            num_workers=WORKERS,
            collate_fn=self._metered,
            worker_init_fn=self._start,
            persistent_workers=True,
        )

    def __call__(self) -> None:
        """Loads all items."""
        for _, grown in self.loader:
            self.grown_bytes = max(self.grown_bytes, grown)

    def _start(self, worker: int) -> None:
        self.at_start = resident_bytes()

    def _metered(self, items: Sequence[Any]) -> tuple[Any, int]:
        """In a worker: the batch, and how far the worker's memory has grown."""
        return self.collate(items), resident_bytes() - self.at_start


def segmentation_forms(folder: Path, size: tuple[int, int]) -> dict[str, Dataset]:
    """The data sets of photos of instances, on the paper dolls that are drawn into `folder`.

    Args:
        folder: where to.
        size: width and height of photos and items.
    """
    write_paper_dolls(folder, Plan(train=8, size=size, layout="coco"), workers=1)
    register_all_modules(init_default_scope=True)
    return {
        PLAIN: PlainSegmentation(folder / "images/train", folder / "annotations/instances_train.json", size),
        MMDET: _build_photos(folder, size, "DeepFashionDataset", "Resize"),
        OURS: _build_photos(folder, size, "ClothingDataset", "ResizeWhereNeeded"),
    }


def _build_photos(folder: Path, size: tuple[int, int], data_set: str, resize: str) -> Dataset:
    """A registered data set with the pipeline of `configs/_base_/datasets/clothing.py`."""
    pipeline = [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
        {"type": resize, "scale": size, "keep_ratio": True},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "PackDetInputs"},
    ]
    where = {"ann_file": "annotations/instances_train.json", "data_prefix": {"img": "images/train/"}}
    return DATASETS.build({"type": data_set, "data_root": str(folder), "pipeline": pipeline, **where})


def try_on_forms(folder: Path, size: tuple[int, int]) -> dict[str, Dataset]:
    """The data sets of try-on pairs, on the paper dolls that are drawn into `folder`; arguments as above."""
    write_paper_dolls(folder, Plan(train=16, size=size, layout="viton"), workers=1)
    ours = TryOnDataset(
        folder, "train_pairs.txt", "paper_doll", label_space="deepfashion15", split="train", image_size=size[::-1]
    )
    return {PUBLISHED: PublishedTryOn(ours), OURS: ours}


def run(rounds: int, quick: bool, out: str | None = None, overwrite: bool = False) -> dict[str, Any]:
    """Times all forms in turn, prints the tables and writes the JSON.

    Args:
        rounds: counted rounds.
        quick: a few tiny items, to see that everything runs.
        out: JSON file, or None.
        overwrite: whether `out` may be replaced.

    Returns:
        The report: rows with seconds an item and memory; the machine.

    Raises:
        UserError: `out` exists.
    """
    if out:
        refuse_existing(Path(out), overwrite)
    cv2.setNumThreads(0)  # as the configs do: the workers share the cores
    with tempfile.TemporaryDirectory() as folder:
        photos = segmentation_forms(Path(folder) / "photos", QUICK if quick else PHOTO)
        rows = _measure("segmentation", photos, rounds, 8 if quick else 64, 2, pseudo_collate)
        pairs = try_on_forms(Path(folder) / "pairs", QUICK if quick else TRY_ON)
        rows += _measure("try-on", pairs, rounds, 8 if quick else 256, 4, default_collate)
    report = {"benchmark": "data", "workers": WORKERS, "rows": rows, "machine": machine.describe()}
    _print(report)
    if out:
        write_json(out, report, overwrite=overwrite, indent=1)
    return report


def _measure(
    task: str,
    datasets: dict[str, Dataset],
    rounds: int,
    items: int,
    batch_size: int,
    collate: Callable[[Sequence[Any]], Any],
) -> list[dict[str, Any]]:
    epochs = {form: Epoch(dataset, items, batch_size, collate) for form, dataset in datasets.items()}
    for epoch in epochs.values():
        epoch()  # starts the workers
    seconds = interleave(epochs, rounds, warmup=0)
    baseline = next(iter(seconds.values()))
    return [
        {
            "task": task,
            "form": form,
            "items": items,
            **compared([each / items for each in taken], [each / items for each in baseline]),
            "peak_bytes": epochs[form].grown_bytes,
        }
        for form, taken in seconds.items()
    ]


def _print(report: dict[str, Any]) -> None:
    console = Console()
    for task in dict.fromkeys(row["task"] for row in report["rows"]):
        table = Table("", "items/s", "faster", "min", "max", "MB", title=f"{task}, {WORKERS} workers", box=box.SIMPLE)
        for row in (row for row in report["rows"] if row["task"] == task):
            faster = (f"{row['speedup'][key]:.2f}" for key in ("median", "min", "max"))
            table.add_row(row["form"], f"{1 / row['median']:.1f}", *faster, f"{row['peak_bytes'] / 1e6:.0f}")
        console.print(table)
