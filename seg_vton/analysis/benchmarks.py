"""What `tools/benchmark.py` measures: our forms beside the usual ones, in turn, in one process for each benchmark.

A benchmark takes the number of rounds and whether to run `quick`ly, on tiny inputs, which shows that it runs and
measures nothing. It returns a report: `rows` with `task`, `form`, the `baseline` it is compared with, and what
`timing.compared` says of its seconds; with operations and memory where they are counted; and the machine's peaks.
"""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper, build_optim_wrapper
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import tv_tensors
from torchvision.models import vgg
from torchvision.transforms import Compose, Normalize, ToTensor, v2

from seg_vton import machine
from seg_vton.analysis import published
from seg_vton.analysis.timing import (
    accelerator,
    compared,
    copy_peak,
    interleave,
    matmul_peak,
    peak_bytes,
    resident_bytes,
    turns,
)
from seg_vton.data.paper_doll import Plan, draw_doll, write_paper_dolls
from seg_vton.engine.launch import load_config
from seg_vton.engine.optim import BFloat16OptimWrapper
from seg_vton.files import write_json
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15, get_space, load_palette_png
from seg_vton.ops import carafe, roi_align_kernels
from seg_vton.ops.carafe_kernels import shifts_backward, shifts_forward
from seg_vton.ops.cpu_forms import use_cpu_forms
from seg_vton.pictures.images import MASK_THRESHOLD
from seg_vton.pose.keypoints import read_pose
from seg_vton.progress import track
from seg_vton.segmentation.metrics import SUMMARY_NAMES, InstanceAP
from seg_vton.tryon.datasets import TryOnDataset
from seg_vton.tryon.datasets.dataset import build_pipeline
from seg_vton.tryon.models import GMM, TOM, TPSGrid

Report = dict[str, Any]
OURS = "seg_vton"


def _rows(
    seconds: Mapping[tuple[str, str], Sequence[float]], baselines: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Rows by (task, form); a form is compared with the first one of its task, or with what `baselines` has for it."""
    first = dict(reversed(list(seconds)))
    rows = []
    for (task, form), taken in seconds.items():
        baseline = (baselines or {}).get(form, first[task])
        row = {"task": task, "form": form, "baseline": baseline}
        rows.append(row | compared(taken, seconds[task, baseline]))
    return rows


def _measured(quick: bool, measure: Callable[[], list[dict[str, Any]]]) -> Report:
    """Rows with the best matrix product before and after them, and their shares of it."""
    size = 256 if quick else 2048
    before = matmul_peak(size)
    rows = measure()
    peak = max(before, matmul_peak(size))
    for row in rows:
        # A float32 product is no measure of mixed precision.
        if "gigaflop" in row and not row["form"].endswith("(--amp)"):
            row["share_of_peak"] = row["gigaflop"] / row["median"] / peak
    return {"rows": rows, "matmul_peak_gflops": peak}


# ---- CARAFE

SHAPES = {
    "neck": (1, 256, 140, 96),  # P3, at stride 8, of a 750 x 1101 image padded to multiples of 32
    "mask head": (100, 256, 14, 14),  # 100 RoIs, the most of an image in a test
}


def ops(rounds: int, quick: bool) -> Report:
    """CARAFE against the usual ways to write it, forward and both passes, with the memory each one takes."""
    torch.manual_seed(0)
    shapes = {"neck": (1, 16, 12, 10), "mask head": (4, 16, 7, 7)} if quick else SHAPES
    copies = [copy_peak(1 if quick else 256)]
    report = _measured(quick, lambda: [row for place, shape in shapes.items() for row in _carafe(place, shape, rounds)])
    return report | {"copy_peak_gbytes": max(*copies, copy_peak(1 if quick else 256))}


def _carafe(place: str, shape: tuple[int, int, int, int], rounds: int) -> list[dict[str, Any]]:
    features, masks, grad = carafe_inputs(shape)
    last = features.detach().to(memory_format=torch.channels_last).requires_grad_()
    settings = published.KERNEL, 1, published.SCALE
    forms: dict[str, tuple[Callable[..., Tensor], Tensor, Tensor]] = {
        "unfold, multiply, sum": (published.carafe_by_multiplying, features, grad),
        "unfold, matrix products": (published.carafe_by_matmul, features, grad),
        OURS: (lambda x, m: carafe(x, m, *settings), features, grad),
        f"{OURS}, channels-last": (
            lambda x, m: carafe(x, m, *settings), last, grad.to(memory_format=torch.channels_last)
        ),
    }  # fmt: skip
    tasks = [f"{place} {'x'.join(map(str, shape))}, {passes}" for passes in ("forward", "forward + backward")]
    jobs = {}
    for name, (form, x, g) in forms.items():
        jobs[tasks[0], name] = torch.no_grad()(partial(form, x, masks))
        jobs[tasks[1], name] = lambda form=form, x=x, g=g: torch.autograd.grad(form(x, masks), (x, masks), g)
    empty = features.new_empty(0)

    @torch.no_grad()
    def shifts(backward: bool) -> None:
        shifts_forward(features, masks, *settings, empty)
        if backward:
            shifts_backward(grad, features, masks, *settings, empty)

    jobs |= {(task, "25 shifted adds"): partial(shifts, task == tasks[1]) for task in tasks}
    memory = {key: peak_bytes(job) for key, job in jobs.items()}
    rows = _rows(interleave(jobs, rounds, warmup=0))  # all jobs have run for their memory
    output = grad.numel() * grad.element_size()
    for row in rows:
        peak = memory[row["task"], row["form"]]
        row |= carafe_work(features, masks, grad)[tasks.index(row["task"])]
        row |= {"peak_bytes": peak, "peak_over_output": peak / output}
    return rows


def carafe_inputs(shape: tuple[int, int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Features (N, C, H, W), masks (N, 25, 2H, 2W) that sum to one over each kernel, and the output's gradient."""
    n, c, h, w = shape
    draw, size = partial(torch.randn, device=accelerator()), (h * published.SCALE, w * published.SCALE)
    masks = draw(n, published.KERNEL**2, *size).softmax(1).requires_grad_()
    return draw(shape).requires_grad_(), masks, draw(n, c, *size)


def carafe_work(features: Tensor, masks: Tensor, grad: Tensor) -> list[dict[str, float]]:
    """What forward, and both passes, need: 10^9 operations, and 10^9 bytes of inputs read and results written once."""
    sizes = [t.numel() * t.element_size() / 1e9 for t in (features, masks, grad)]
    flop = 2 * published.KERNEL**2 * grad.numel() / 1e9
    forward = {"gigaflop": flop, "gigabyte": sum(sizes)}
    return [forward, {"gigaflop": 3 * flop, "gigabyte": 3 * sum(sizes) - sizes[2]}]


# ---- Mask R-CNN

PLAIN, PLAIN_OURS = "R50-FPN, mmdet's plain settings", "R50-FPN, our settings"
CARAFE = "R50 CARAFE-FPN, our settings"
CONFIGS = {
    "plain": "configs/segmentation/mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py",
    "ours": "configs/segmentation/mask-rcnn_r50_carafe-fpn_sgd-lr0.009_2e_deepfashion.py",
}


def detector(rounds: int, quick: bool) -> Report:
    """A training step and an inference of R50-FPN in mmdet's plain settings and in ours, and of CARAFE-FPN.

    The image has 128 instances: every step then samples 512 RoIs of which 128 are positive, and every inference keeps
    100 detections, whatever random weights find.
    """
    size, instances = ((96, 128), 2) if quick else ((750, 1101), 128)
    register_all_modules(init_default_scope=True)
    image = torch.randint(0, 255, (3, size[1], size[0]), dtype=torch.uint8)
    configs = {name: load_config(path) for name, path in CONFIGS.items()}
    sample = make_sample(size, instances)
    forms = {
        PLAIN: Detector(configs["plain"], image, sample, plain=True),
        PLAIN_OURS: Detector(configs["plain"], image, sample, plain=False),
        CARAFE: Detector(configs["ours"], image, sample, plain=False),
    }
    jobs = {(task, form): job for task in ("train", "inference") for form, each in forms.items()
            for name, job in (("train", each.step), ("inference", each.predict)) if name == task}  # fmt: skip

    def measure() -> list[dict[str, Any]]:
        flop = {key: _gigaflop(job) for key, job in jobs.items()}
        memory = {key: peak_bytes(job) for key, job in jobs.items()}  # after a step, which made the optimizer's state
        rows = _rows(interleave(jobs, rounds, warmup=0))  # all jobs have run twice
        return [row | {"gigaflop": flop[key], "peak_bytes": memory[key]} for key, row in zip(jobs, rows, strict=True)]

    report = _measured(quick, measure)
    seconds = {(row["task"], row["form"]): row["seconds"] for row in report["rows"]}
    carafe = {t: compared(seconds[t, CARAFE], seconds[t, PLAIN_OURS])["speedup"] for t in ("train", "inference")}
    return report | {"carafe_speedup": carafe, "size": list(size), "configs": CONFIGS}


def make_sample(size: tuple[int, int], instances: int) -> DetDataSample:
    """One image's ground truth: random boxes, each filled by its mask; `size` is its width and height in pixels."""
    width, height = size
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 0.6, (instances, 2)) * (width, height)
    boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (instances, 2)) * (width, height)], axis=1)
    masks = np.zeros((instances, height, width), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = 1
    shape = (height, width)
    meta = {"img_shape": shape, "ori_shape": shape, "batch_input_shape": shape, "scale_factor": (1.0, 1.0), "img_id": 0}
    sample = DetDataSample(metainfo=meta)
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32),
        labels=torch.tensor(rng.integers(0, 15, instances)),
        masks=BitmapMasks(masks, height, width),
    )
    return sample


@contextlib.contextmanager
def sampled_roi_align() -> Iterator[None]:
    """Pools RoIs sample by sample with torchvision's operators, as mmcv's compiled ones do."""
    ops, kernels = torch.ops.torchvision, roi_align_kernels

    def forward(features: Tensor, rois: Tensor, p: kernels.Pooling) -> Tensor:
        return ops.roi_align(features, rois, p.spatial_scale, *p.size, p.sampling_ratio, p.aligned)

    def backward(grad: Tensor, rois: Tensor, shape: tuple[int, int, int, int], p: kernels.Pooling) -> Tensor:
        return ops._roi_align_backward(grad, rois, p.spatial_scale, *p.size, *shape, p.sampling_ratio, p.aligned)

    with patch.object(kernels, "forward", forward), patch.object(kernels, "backward", backward):
        yield


def _gigaflop(job: Callable[[], Any]) -> float:
    """Operations of convolutions and matrix products in 10^9, without our pooling of RoIs, which is products."""
    with sampled_roi_align(), FlopCounterMode(display=False) as counter:
        job()
    return counter.get_total_flops() / 1e9


class Detector:
    """A detector with random weights and its optimizer, ready to step and to predict.

    Args:
        config: the resolved config.
        image: (3, H, W) uint8.
        sample: the image's ground truth.
        plain: mmdet's plain settings (NCHW memory, batch normalization as it is, sampled RoIs) rather than what the
            config's hooks and `seg_vton.ops` make of them.
    """

    def __init__(self, config: Config, image: Tensor, sample: DetDataSample, plain: bool) -> None:
        hooks = [] if plain else [hook["type"] for hook in config.get("custom_hooks", [])]
        torch.manual_seed(0)
        config.model.backbone.init_cfg = None
        model = MODELS.build(config.model)
        model.init_weights()
        memory = torch.channels_last if "ChannelsLastHook" in hooks else torch.contiguous_format
        self.plain, self.model = plain, model.to(accelerator(), memory_format=memory)
        self.optimizer = build_optim_wrapper(self.model, config.optim_wrapper)
        # Random weights diverge at any rate worth the name; the rate does not change the work.
        self.optimizer.param_groups[0]["lr"] = 0.0
        self.tested = deepcopy(self.model).eval()
        if "FoldBatchNormHook" in hooks:
            with torch.no_grad():
                fuse_conv_bn(self.tested)
        self.image, self.sample = image, sample

    def step(self) -> None:
        """One training step: forward, backward, update."""
        self.model.train()
        torch.manual_seed(1)
        with sampled_roi_align() if self.plain else contextlib.nullcontext():
            self.model.train_step({"inputs": [self.image], "data_samples": [self.sample.clone()]}, self.optimizer)

    @torch.no_grad()
    def predict(self) -> None:
        """One inference, from the image to masks at its size."""
        with sampled_roi_align() if self.plain else contextlib.nullcontext():
            self.tested.test_step({"inputs": [self.image], "data_samples": [self.sample.clone()]})


# ---- the try-on networks

PUBLISHED, AUX = "published form", f"{OURS}, auxiliary decoder"


def tryon(rounds: int, quick: bool) -> Report:
    """Training steps of GMM and TOM, the spline and an item's inputs, against CP-VTON's computation written plainly."""
    torch.manual_seed(0)
    batch, size, channels = (2, (64, 64), 4) if quick else (4, (256, 192), 64)
    inputs = make_inputs(batch, size)
    theta = torch.empty(batch, 2 * published.GRID_SIZE**2).uniform_(-0.3, 0.3).to(accelerator())
    splines = {PUBLISHED: published.PublishedTPS(size), OURS: TPSGrid(size)}
    splines = {("TPS grid", form): partial(spline.to(accelerator()), theta) for form, spline in splines.items()}

    def measure() -> list[dict[str, Any]]:
        rows = _rows(interleave(splines, rounds, calls=20))  # one alone takes less than a millisecond
        rows = [row | {"peak_bytes": peak_bytes(job)} for row, job in zip(rows, splines.values(), strict=True)]
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "vgg19.pth"
            save_random_vgg19(weights, 3 if quick else 37)
            stages = {"GMM step": None, "TOM step, perceptual loss off": None, "TOM step": weights}
            for task, vgg19 in stages.items():
                steps = _steps(task, inputs, channels, vgg19)
                found = _rows(interleave(steps, rounds), {AUX: OURS})  # the published networks have no second decoder
                for row, step in zip(found, steps.values(), strict=True):
                    rows.append(row | {"peak_bytes": step.peak_bytes(), "gigaflop": step.gigaflop()})
        return rows + _item(rounds, 2 if quick else 50)

    return {**_measured(quick, measure), "batch": batch, "image_size": list(size)}


def make_inputs(batch: int, size: tuple[int, int]) -> dict[str, Tensor]:
    """A batch of random pictures in the ranges that the models take; smooth, as noise makes warping ill-conditioned."""
    channels = {"agnostic": 22, "cloth": 3, "image": 3, "parse_cloth": 3, "warped_cloth": 3}
    coarse = {name: torch.rand(batch, count, 8, 6) * 2 - 1 for name, count in channels.items()}
    inputs = {name: F.interpolate(value, size, mode="bilinear") for name, value in coarse.items()}
    inputs |= {name: (torch.rand(batch, 1, *size) > 0.5).float() for name in ("cloth_mask", "warped_mask")}
    inputs |= {"parse": torch.randint(0, 8, (batch, *size))}
    return {name: value.to(accelerator()) for name, value in inputs.items()}


def save_random_vgg19(path: Path, layers: int = 37) -> None:
    """The first layers of VGG19 with random weights; the time does not depend on the weights."""
    features = vgg.make_layers(vgg.cfgs["E"][:layers])
    torch.save({f"features.{key}": value for key, value in features.state_dict().items()}, path)


class Step:
    """A model with its optimizer and a batch, ready to take training steps.

    Args:
        model: a `GMM` or a `TOM`.
        inputs: the batch.
        published: wraps the model for the published form; None trains it as `tools/train.py` does.
        wrapper: what takes the step, as `optim_wrapper.type` of a config.
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        published: type[nn.Module] | None = None,
        wrapper: type[OptimWrapper] = OptimWrapper,
    ) -> None:
        self.inputs, self.model, self.published = inputs, model, published and published(model)
        if published is None:
            use_cpu_forms(model.to(memory_format=torch.channels_last))
        self.optimizer = torch.optim.Adam(model.parameters(), 1e-4, (0.5, 0.999), fused=not published or None)
        self.wrapper = wrapper(optimizer=self.optimizer)

    def __call__(self) -> Tensor:
        """Forward, backward, update; returns the loss before the update."""
        if self.published is None:
            return self.model.train_step({"inputs": self.inputs}, self.wrapper)["loss"]
        loss = self.published(self.inputs)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def gigaflop(self) -> float:
        """Operations of convolutions and matrix products in 10^9; of Winograd's forms the transforms and products."""
        with FlopCounterMode(display=False) as counter:
            self()
        return counter.get_total_flops() / 1e9

    def peak_bytes(self) -> int:
        """The most memory that a step takes beyond what there was before, without the step before's gradients."""
        self.optimizer.zero_grad()  # the published step keeps them until the next one, mmengine's does not
        return peak_bytes(self)


def _steps(
    task: str, inputs: dict[str, Tensor], base_channels: int, weights: Path | None
) -> dict[tuple[str, str], Step]:
    """The candidates of a stage; all start from the same weights."""

    def build(aux_head: dict[str, Any] | None = None) -> nn.Module:
        torch.manual_seed(0)
        if task == "GMM step":
            model = GMM(aux_head, image_size=tuple(inputs["image"].shape[2:]), base_channels=base_channels)
        else:
            perceptual = weights and {"type": "PerceptualLoss", "weights": str(weights)}
            model = TOM(aux_head, base_channels=base_channels, loss_perceptual=perceptual)
        model.init_weights()
        return model.to(accelerator())

    on_gpu = accelerator().type == "cuda"
    mixed = f"{OURS}, {'float16' if on_gpu else 'bfloat16'} (--amp)"
    form = published.PublishedGMM if task == "GMM step" else published.PublishedTOM
    return {
        (task, PUBLISHED): Step(build(), inputs, form),
        (task, OURS): Step(build(), inputs),
        (task, mixed): Step(build(), inputs, wrapper=AmpOptimWrapper if on_gpu else BFloat16OptimWrapper),
        (task, AUX): Step(build({"type": "AuxSegHead", "class_weight": {"background": 1.5, "skin": 1.5}}), inputs),
    }


def _item(rounds: int, items: int) -> list[dict[str, Any]]:
    """An item's person representation from decoded pictures, on one thread as in a worker of a data loader."""
    doll = draw_doll(0, 0, try_on=True)
    photo, joints = Image.fromarray(doll.image), doll.keypoints[:, :2].astype(np.float64)
    label_map, task = doll.label_map.astype(np.uint8), "inputs of one item"
    pipeline = build_pipeline([{"type": name} for name in ("LoadPerson", "CPVTONAgnostic", "GarmentTargets")])
    arrays = {"photo": doll.image, "parsing": label_map, "parsing_space": DEEPFASHION15.name, "joints": joints}
    arrays |= {"image_size": label_map.shape, "garment_classes": None}
    jobs = {
        (task, "a Pillow picture a joint"): partial(
            published.published_inputs, photo, label_map, joints, DEEPFASHION15.unions
        ),
        (task, OURS): lambda: pipeline({**arrays, "inputs": {}}),
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _rows(interleave(jobs, rounds, calls=items))
    finally:
        torch.set_num_threads(threads)


# ---- data pipelines


def data(rounds: int, quick: bool) -> Report:
    """Items a second with two workers: batches of 2 photos of instances, and of 4 try-on pairs, drawn for the run."""
    cv2.setNumThreads(0)  # as the configs do: the workers share the cores
    sizes = [(96, 128)] * 2 if quick else [(750, 1101), (192, 256)]  # DeepFashion's photos, CP-VTON's
    epochs: dict[tuple[str, str], Epoch] = {}
    with tempfile.TemporaryDirectory() as folder:
        for form, dataset in segmentation_forms(Path(folder) / "photos", sizes[0]).items():
            epochs["segmentation", form] = Epoch(dataset, 8 if quick else 64, 2, pseudo_collate)
        for form, dataset in try_on_forms(Path(folder) / "pairs", sizes[1]).items():
            epochs["try-on", form] = Epoch(dataset, 8 if quick else 256, 4, default_collate)
        rows: list[dict[str, Any]] = []
        for task in ("segmentation", "try-on"):
            jobs = {key: epoch for key, epoch in epochs.items() if key[0] == task}
            seconds = interleave(jobs, rounds)  # the first round starts the workers
            rows += _rows({key: [each / jobs[key].items for each in taken] for key, taken in seconds.items()})
            for epoch in jobs.values():
                epoch.loader = None  # ends its workers
    for row in rows:
        epoch = epochs[row["task"], row["form"]]
        row |= {"items": epoch.items, "peak_bytes": epoch.grown_bytes}
    return {"rows": rows, "workers": Epoch.WORKERS}


class Epoch:
    """Loads a number of items with workers that stay, and notes how much memory these take."""

    WORKERS = 2

    def __init__(self, dataset: Dataset, items: int, batch_size: int, collate: Callable[[Sequence[Any]], Any]) -> None:
        self.collate, self.items, self.at_start, self.grown_bytes = collate, items, 0, 0
        self.loader = DataLoader(
            dataset,
            batch_size,
            sampler=[index % len(dataset) for index in range(items)],
            num_workers=self.WORKERS,
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


class PlainSegmentation(Dataset):
    """Photos with boxes, classes and masks in torchvision's way; `size` is the items' width and height."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.images, self.coco = folder / "images/train", COCO(str(folder / "annotations/instances_train.json"))
        self.ids = sorted(self.coco.imgs)
        self.transform = v2.Compose([v2.Resize(size[::-1]), v2.RandomHorizontalFlip(0.5)])

    def __len__(self) -> int:
        """Number of photos."""
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Photo, uint8 `(3, H, W)`; `boxes` `(N, 4)` as x1, y1, x2, y2, `labels` `(N,)`, `masks` `(N, H, W)`."""
        info = self.coco.imgs[self.ids[index]]
        with Image.open(self.images / info["file_name"]) as photo:
            image = v2.functional.to_image(photo.convert("RGB"))
        instances = self.coco.imgToAnns[self.ids[index]]
        boxes = torch.tensor([each["bbox"] for each in instances]).reshape(-1, 4)
        boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.shape[1:]),
            "labels": torch.tensor([each["category_id"] - 1 for each in instances]),
            "masks": tv_tensors.Mask(np.stack([self.coco.annToMask(each) for each in instances])),
        }
        return self.transform(image, target)


def segmentation_forms(folder: Path, size: tuple[int, int]) -> dict[str, Dataset]:
    """The data sets of photos of instances, on paper dolls drawn into `folder`; `size` is their width and height."""
    write_paper_dolls(folder, Plan(train=8, size=size, layout="coco"), workers=1)
    register_all_modules(init_default_scope=True)

    def build(data_set: str, resize: str) -> Dataset:
        """With the pipeline of `configs/_base_/datasets/clothing.py`."""
        pipeline = [
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
            {"type": resize, "scale": size, "keep_ratio": True},
            {"type": "RandomFlip", "prob": 0.5},
            {"type": "PackDetInputs"},
        ]
        where = {"ann_file": "annotations/instances_train.json", "data_prefix": {"img": "images/train/"}}
        return DATASETS.build({"type": data_set, "data_root": str(folder), "pipeline": pipeline, **where})

    return {
        "torchvision's transforms": PlainSegmentation(folder, size),
        "mmdet's data set": build("DeepFashionDataset", "Resize"),
        OURS: build("ClothingDataset", "ResizeWhereNeeded"),
    }


class PublishedTryOn(Dataset):
    """Pairs in the operations of CP-VTON's data loader; the files of our data set must have the size of its items."""

    def __init__(self, dataset: TryOnDataset) -> None:
        self.files, self.space = dataset.files, dataset.label_spaces["parse"]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """What GMM gets of a pair, as `TryOnDataset`'s `inputs` but for `parse`, which CP-VTON has not."""
        files = self.files[index]
        to_unit = Compose([ToTensor(), Normalize([0.5] * 3, [0.5] * 3)])
        with Image.open(files["cloth"]) as cloth, Image.open(files["cloth_mask"]) as mask:
            garment = to_unit(cloth.convert("RGB"))
            lies = (np.array(mask.convert("L")) >= MASK_THRESHOLD).astype(np.float32)
        with Image.open(files["image"]) as photo:
            person = photo.convert("RGB")
        parse, joints = load_palette_png(files["parse"], self.space), read_pose(files["pose"])
        inputs = published.published_inputs(person, parse, joints, get_space(self.space).unions)
        return {**inputs, "cloth": garment, "cloth_mask": torch.from_numpy(lies)[None]}


def try_on_forms(folder: Path, size: tuple[int, int]) -> dict[str, Dataset]:
    """The data sets of try-on pairs, on paper dolls drawn into `folder`; `size` is their width and height."""
    write_paper_dolls(folder, Plan(train=16, size=size, layout="viton"), workers=1)
    names = ("LoadPerson", "LoadGarment", "LoadParsing", "LoadPose", "FaceFromPose", "CPVTONAgnostic", "GarmentTargets")
    steps = [{"type": name} for name in names]
    steps += [{"type": "AuxTarget", "label_space": "tryon8"}, {"type": "PackTryOnInputs"}]
    settings = {"layout": "paper_doll", "label_space": "deepfashion15", "split": "train", "image_size": size[::-1]}
    ours = TryOnDataset(folder, "train_pairs.txt", pipeline=steps, **settings)
    return {"CP-VTON's operations": PublishedTryOn(ours), OURS: ours}


# ---- COCO's average precision

FRAME = (256, 192)  # height, width
IOU_TYPES = ("bbox", "segm")  # pycocotools has no boundary AP
TOLERANCE = 1e-6
Numbers = dict[str, dict[str, float]]
Predictions = list[dict[str, Any]]


def evaluation(rounds: int, quick: bool) -> Report:
    """COCO's average precision by faster-coco-eval, as seg_vton calls it, against pycocotools.

    Both start from the annotation file and predictions in memory and end with the numbers of boxes and masks. Every
    measurement has a process of its own, which has evaluated a few images before.

    Raises:
        RuntimeError: the forms' numbers differ by more than 1e-6.
    """
    images, instances = (20, 3) if quick else (5000, 10)
    measured: dict[str, list[tuple[Numbers, float, int]]] = {form: [] for form in EVALUATIONS}
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for name, case in (("few", make_case(20, 3)), ("all", make_case(images, instances))):
            path = Path(folder) / f"{name}.json"
            write_json(path, case[0])
            cases.append((str(path), case[1]))
        # A fork server: processes that have imported all that they need, and nothing else.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        order = [form for number in range(rounds) for form in turns(EVALUATIONS, number)]
        for form in track(order, "average precision"):
            with ProcessPoolExecutor(1, mp_context=context) as executor:
                measured[form].append(executor.submit(_evaluate, form, *cases).result())
    first = next(iter(measured.values()))[0][0]
    difference = max(largest_difference(first, numbers) for each in measured.values() for numbers, *_ in each)
    task = "AP of boxes and masks"
    rows = _rows({(task, form): [seconds for _, seconds, _ in each] for form, each in measured.items()})
    rows = [row | {"peak_bytes": max(grown for *_, grown in measured[row["form"]])} for row in rows]
    facts = {"images": images, "instances": instances, "numbers": first, "largest_difference": difference}
    return {"rows": rows, **facts}


def _evaluate(form: str, few: tuple[str, Predictions], case: tuple[str, Predictions]) -> tuple[Numbers, float, int]:
    """Numbers, seconds and growth of memory, after a run on a few images for what only a first call pays."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):
        EVALUATIONS[form](*few)
        before, start = resident_bytes(), time.perf_counter()
        numbers = EVALUATIONS[form](*case)
        return numbers, time.perf_counter() - start, resident_bytes() - before


def evaluate_reference(annotations: str, predictions: Predictions) -> Numbers:
    """COCO's six numbers of boxes and masks by pycocotools."""
    truth, numbers = COCO(annotations), {}
    for kind in IOU_TYPES:
        rows = []
        for image in predictions:
            columns = (image[key].tolist() for key in ("bboxes", "scores", "labels"))
            for (x1, y1, x2, y2), score, label, mask in zip(*columns, image["masks"], strict=True):
                # Masks come without a box, from which COCO would take the area.
                place = {"bbox": [x1, y1, x2 - x1, y2 - y1]} if kind == "bbox" else {"segmentation": dict(mask)}
                rows.append({"image_id": image["img_id"], "category_id": label + 1, "score": score, **place})
        coco = COCOeval(truth, truth.loadRes(rows), kind)
        coco.evaluate()
        coco.accumulate()
        coco.summarize()
        numbers[kind] = dict(zip(SUMMARY_NAMES, coco.stats[:6].tolist(), strict=True))
    return numbers


def evaluate_ours(annotations: str, predictions: Predictions) -> Numbers:
    """The same, and each class's, as `tools/test.py` computes them."""
    metric = InstanceAP(annotations, "synthetic", "val", iou_types=IOU_TYPES)
    metric.dataset_meta = {"classes": CLOTHING_CLASSES}
    metric.compute_metrics(predictions)
    return metric.report["metrics"]


EVALUATIONS = {"pycocotools": evaluate_reference, "faster-coco-eval, as seg_vton calls it": evaluate_ours}


def largest_difference(a: Numbers, b: Numbers) -> float:
    """Between the same numbers of two evaluations; `RuntimeError` above `TOLERANCE`."""
    difference = max(abs(a[kind][name] - b[kind][name]) for kind in IOU_TYPES for name in SUMMARY_NAMES)
    if difference > TOLERANCE:
        raise RuntimeError(f"the evaluations differ by {difference}: {a} and {b}")
    return difference


def make_case(images: int, instances: int, seed: int = 0) -> tuple[dict[str, Any], Predictions]:
    """A COCO annotation file's content, and what `InstanceAP.process` would keep of each image.

    Truth is twelve-cornered figures in boxes with sides of 6 to 140 pixels, so that all of COCO's sizes occur. A fair
    detector finds most of them, somewhat beside, some as another class, and two of nothing in each image.
    """
    rng = np.random.default_rng(seed)
    angles, classes, frame = np.linspace(0, 2 * np.pi, 12, endpoint=False), len(CLOTHING_CLASSES), FRAME[::-1]

    def draw_boxes(count: int) -> np.ndarray:
        sides = rng.integers(6, 141, (count, 2))
        corners = rng.integers(0, np.array(frame) - sides)
        return np.concatenate([corners, corners + sides], axis=1).astype(float)

    def draw_masks(boxes: np.ndarray) -> list[dict[str, Any]]:
        centers, radii = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        corners = centers[:, None] + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return coco_mask.frPyObjects([polygon.ravel().tolist() for polygon in corners], *FRAME)

    annotations, predictions = [], []
    for image in range(1, images + 1):
        boxes, labels = draw_boxes(instances), rng.integers(0, classes, instances)
        for corners, label, mask in zip(boxes, labels, draw_masks(boxes), strict=True):
            annotations.append({
                **{"id": len(annotations) + 1, "image_id": image, "category_id": int(label) + 1, "iscrowd": 0},
                "bbox": [*corners[:2], *(corners[2:] - corners[:2])],
                "area": int(coco_mask.area(mask)),
                "segmentation": {"size": mask["size"], "counts": mask["counts"].decode()},
            })  # fmt: skip
        found = rng.random(instances) < 0.9
        moved = boxes[found] + 0.06 * rng.normal(size=(found.sum(), 4)) * np.tile(
            boxes[found, 2:] - boxes[found, :2], 2
        )
        moved = np.concatenate([moved, draw_boxes(2)]).clip(0, np.tile(frame, 2))
        guesses = np.concatenate([labels[found], rng.integers(0, classes, 2)])
        guesses = np.where(rng.random(len(guesses)) < 0.15, rng.integers(0, classes, len(guesses)), guesses)
        scores = rng.beta(4, 2, len(guesses))
        predictions.append({"img_id": image, "bboxes": moved, "labels": guesses, "scores": scores,
                            "masks": draw_masks(moved)})  # fmt: skip
    sizes = {"height": FRAME[0], "width": FRAME[1]}
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **sizes} for i in range(1, images + 1)],
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLOTHING_CLASSES)],
    }
    return content, predictions


BENCHMARKS: dict[str, Callable[[int, bool], Report]] = {
    "ops": ops,
    "detector": detector,
    "tryon": tryon,
    "data": data,
    "evaluation": evaluation,
}


def run(name: str, rounds: int, quick: bool) -> Report:
    """A benchmark's report, with the machine."""
    return {"benchmark": name, **BENCHMARKS[name](rounds, quick), "machine": machine.describe()}
