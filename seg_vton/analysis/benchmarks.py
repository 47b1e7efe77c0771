"""What `tools/benchmark.py` measures: our forms beside the usual ones, in turn, in one process for each benchmark.

A benchmark takes the number of rounds and whether to run `quick`ly, on tiny inputs, which shows that it runs and
measures nothing. It returns a report with the `rows` of `measured`; `run` adds the machine and its peaks.
"""

import contextlib
import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmdet.registry import DATASETS, MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.optim import AmpOptimWrapper, OptimWrapper, build_optim_wrapper
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.models import vgg
from torchvision.transforms import v2

from seg_vton import machine
from seg_vton.analysis import published, timing
from seg_vton.analysis.timing import Job, accelerator, compared, interleave, peak_bytes
from seg_vton.data.paper_doll import Plan, draw_doll, write_paper_dolls
from seg_vton.engine.launch import load_config
from seg_vton.engine.optim import BFloat16OptimWrapper
from seg_vton.labels import DEEPFASHION15
from seg_vton.ops import carafe, roi_align_kernels
from seg_vton.ops.carafe_kernels import shifts_backward, shifts_forward
from seg_vton.ops.cpu_forms import use_cpu_forms
from seg_vton.tryon.datasets import TryOnDataset
from seg_vton.tryon.datasets.dataset import build_pipeline
from seg_vton.tryon.models import GMM, TOM, TPSGrid

Report = dict[str, Any]
Rows = list[dict[str, Any]]
Key = tuple[str, str]  # task and form
OURS = "seg_vton"


def measured(jobs: Mapping[Key, Job], rounds: int, calls: int = 1, flop: bool = False, memory: bool = True) -> Rows:
    """Runs jobs in turn and compares those of a task.

    Args:
        jobs: what to run by task and form; the first form of a task is the baseline of the others.
        rounds: counted rounds.
        calls: how often a job runs in its turn, as in `interleave`.
        flop: also count `gigaflop`, the operations of convolutions and matrix products in 10^9; of Winograd's forms the
            transforms and products, and RoIs are pooled without products.
        memory: also measure `peak_bytes`.

    Returns:
        A row a job: `task`, `form`, and of `compared_rows`.
    """
    facts: dict[Key, dict[str, Any]] = {key: {} for key in jobs}
    for key, job in jobs.items():  # before the time, as a warm-up that also makes the optimizers' state
        if flop:
            with sampled_roi_align(), FlopCounterMode(display=False) as counter:
                job()
            facts[key]["gigaflop"] = counter.get_total_flops() / 1e9
        if memory:
            facts[key]["peak_bytes"] = peak_bytes(job)
    rows = compared_rows(interleave(jobs, rounds, warmup=0 if flop or memory else 1, calls=calls))
    return [row | facts[row["task"], row["form"]] for row in rows]


def compared_rows(seconds: Mapping[Key, Sequence[float]], **facts: Any) -> Rows:
    """Rows with `facts`, what `compared` says of each form and the `baseline`, the first form of its task.

    The auxiliary decoder has ours as its baseline: the published networks have no second decoder.
    """
    first = dict(reversed(list(seconds)))
    rows = []
    for (task, form), taken in seconds.items():
        baseline = OURS if form == AUX else first[task]
        rows.append(
            {"task": task, "form": form, "baseline": baseline, **compared(taken, seconds[task, baseline]), **facts}
        )
    return rows


# ---- CARAFE

SHAPES = {
    "neck": (1, 256, 140, 96),  # P3, at stride 8, of a 750 x 1101 image padded to multiples of 32
    "mask head": (100, 256, 14, 14),  # 100 RoIs, the most of an image in a test
}


def ops(rounds: int, quick: bool) -> Report:
    """CARAFE against the usual ways to write it, forward and both passes, with the memory each one takes."""
    torch.manual_seed(0)
    rows: Rows = []
    for place, shape in ({"neck": (1, 16, 12, 10), "mask head": (4, 16, 7, 7)} if quick else SHAPES).items():
        features, masks, grad = carafe_inputs(shape)
        rows += _carafe(f"{place} {'x'.join(map(str, shape))}", features, masks, grad, rounds)
    return {"rows": rows}


def _carafe(place: str, features: Tensor, masks: Tensor, grad: Tensor, rounds: int) -> Rows:
    settings, empty = (published.KERNEL, 1, published.SCALE), features.new_empty(0)
    last, last_grad = (each.detach().to(memory_format=torch.channels_last) for each in (features, grad))
    forms: dict[str, tuple[Callable[..., Tensor], Tensor, Tensor]] = {
        "unfold, multiply, sum": (published.carafe_by_multiplying, features, grad),
        "unfold, matrix products": (published.carafe_by_matmul, features, grad),
        OURS: (lambda x, m: carafe(x, m, *settings), features, grad),
        f"{OURS}, channels-last": (lambda x, m: carafe(x, m, *settings), last.requires_grad_(), last_grad),
    }
    forward, both = (f"{place}, {passes}" for passes in ("forward", "forward + backward"))
    jobs: dict[Key, Job] = {}
    for name, (form, x, g) in forms.items():
        jobs[forward, name] = torch.no_grad()(partial(form, x, masks))
        jobs[both, name] = lambda form=form, x=x, g=g: torch.autograd.grad(form(x, masks), (x, masks), g)

    @torch.no_grad()
    def shifts(backward: bool) -> None:
        shifts_forward(features, masks, *settings, empty)
        if backward:
            shifts_backward(grad, features, masks, *settings, empty)

    jobs |= {(task, "25 shifted adds"): partial(shifts, task == both) for task in (forward, both)}
    work = dict(zip((forward, both), carafe_work(features, masks, grad), strict=True))
    output = grad.numel() * grad.element_size()
    rows = measured(jobs, rounds)
    return [row | work[row["task"]] | {"peak_over_output": row["peak_bytes"] / output} for row in rows]


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
    PLAIN: "configs/segmentation/mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py",
    PLAIN_OURS: "configs/segmentation/mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py",
    CARAFE: "configs/segmentation/mask-rcnn_r50_carafe-fpn_sgd-lr0.009_2e_deepfashion.py",
    "R50 panoptic FPN, our settings": "configs/segmentation/mask-rcnn_r50_panoptic-fpn_sgd-lr0.009_12e_ccp.py",
}


def detector(rounds: int, quick: bool) -> Report:
    """A training step and an inference of R50-FPN in mmdet's plain settings and in ours, and of our other networks.

    The image has 128 instances: every step then samples 512 RoIs of which 128 are positive, and every inference keeps
    100 detections, whatever random weights find.
    """
    size, instances = ((96, 128), 2) if quick else ((750, 1101), 128)
    register_all_modules(init_default_scope=True)
    forms = {
        form: Detector(load_config(config), size, instances, plain=form == PLAIN) for form, config in CONFIGS.items()
    }
    jobs: dict[Key, Job] = {("train", form): each.step for form, each in forms.items()}
    jobs |= {("inference", form): each.predict for form, each in forms.items()}
    rows = measured(jobs, rounds, flop=True)
    seconds = {(row["task"], row["form"]): row["seconds"] for row in rows}
    beside_fpn = {
        form: {t: compared(seconds[t, PLAIN_OURS], seconds[t, form])["speedup"] for t in ("train", "inference")}
        for form in list(CONFIGS)[2:]
    }
    return {"rows": rows, "time_beside_fpn": beside_fpn, "size": list(size), "configs": CONFIGS}


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


class Detector:
    """A detector with random weights and its optimizer, ready to step and to predict.

    The random image of `size` (width, height) has so many `instances`. `plain` takes mmdet's plain settings (NCHW
    memory, batch normalization as it is, sampled RoIs, targets image by image) rather than what the config's hooks and
    `seg_vton` make of them.
    """

    def __init__(self, config: Config, size: tuple[int, int], instances: int, plain: bool) -> None:
        self.data = demo_mm_inputs(1, (3, *size[::-1]), [instances], num_classes=15, with_mask=True, with_semantic=True)
        masks = self.data["data_samples"][0].gt_instances.masks
        masks.masks = masks.masks.astype(np.uint8)  # as files have them
        if plain:
            config.model.roi_head.mask_head.type = "FCNMaskHead"
        else:  # as a loader's workers send them
            self.data["data_samples"][0].gt_instances.masks = pickle.loads(bytes(ForkingPickler.dumps(masks)))
        hooks = [] if plain else [hook["type"] for hook in config.get("custom_hooks", [])]
        torch.manual_seed(0)
        config.model.backbone.init_cfg = None
        model = MODELS.build(config.model)
        model.init_weights()
        memory = torch.channels_last if "ChannelsLastHook" in hooks else torch.contiguous_format
        self.pooling = sampled_roi_align if plain else contextlib.nullcontext
        self.model = model.to(accelerator(), memory_format=memory)
        self.optimizer = build_optim_wrapper(self.model, config.optim_wrapper)
        # Random weights diverge at any rate worth the name; the rate does not change the work.
        self.optimizer.param_groups[0]["lr"] = 0.0
        self.tested = deepcopy(self.model).eval()
        if "FoldBatchNormHook" in hooks:
            with torch.no_grad():
                fuse_conv_bn(self.tested)

    def step(self) -> None:
        """One training step: forward, backward, update."""
        self.model.train()
        torch.manual_seed(1)
        with self.pooling():
            self.model.train_step(deepcopy(self.data), self.optimizer)

    @torch.no_grad()
    def predict(self) -> None:
        """One inference, from the image to masks at its size."""
        with self.pooling():
            self.tested.test_step(deepcopy(self.data))


# ---- the try-on networks

PUBLISHED, AUX = "published form", f"{OURS}, auxiliary decoder"


def tryon(rounds: int, quick: bool) -> Report:
    """Training steps of GMM and TOM, the spline and an item's inputs, against CP-VTON's computation written plainly."""
    torch.manual_seed(0)
    batch, size, channels = (2, (64, 64), 4) if quick else (4, (256, 192), 64)
    inputs, device = make_inputs(batch, size), accelerator()
    theta = torch.empty(batch, 2 * published.GRID_SIZE**2).uniform_(-0.3, 0.3).to(device)
    splines = {PUBLISHED: published.PublishedTPS(size), OURS: TPSGrid(size)}
    jobs: dict[Key, Job] = {("TPS grid", form): partial(each.to(device), theta) for form, each in splines.items()}
    rows = measured(jobs, rounds, calls=20)  # one alone takes less than a millisecond
    half = ("float16", AmpOptimWrapper) if device.type == "cuda" else ("bfloat16", BFloat16OptimWrapper)
    aux_head = {"type": "AuxSegHead", "class_weight": {"background": 1.5, "skin": 1.5}}
    candidates = {  # decoder, whether published, what takes the step
        PUBLISHED: (None, True, OptimWrapper),
        OURS: (None, False, OptimWrapper),
        f"{OURS}, {half[0]} (--amp)": (None, False, half[1]),
        AUX: (aux_head, False, OptimWrapper),
    }
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "vgg19.pth"
        save_random_vgg19(weights, 3 if quick else 37)
        perceptual = {"type": "PerceptualLoss", "weights": str(weights)}
        stages: dict[str, tuple[Callable[..., nn.Module], type[nn.Module]]] = {
            "GMM step": (partial(GMM, image_size=size, base_channels=channels), published.PublishedGMM),
            "TOM step, perceptual loss off": (partial(TOM, base_channels=channels), published.PublishedTOM),
            "TOM step": (partial(TOM, base_channels=channels, loss_perceptual=perceptual), published.PublishedTOM),
        }
        for task, (build, plain) in stages.items():
            jobs = {}
            for form, (head, is_published, wrapper) in candidates.items():
                torch.manual_seed(0)  # all start from the same weights
                model = build(head)
                model.init_weights()
                step = training_step(model.to(device), inputs, plain if is_published else None, wrapper)
                jobs[task, form] = step
            rows += measured(jobs, rounds, flop=True)
    return {"rows": rows + _item(rounds, 2 if quick else 50), "batch": batch, "image_size": list(size)}


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


def training_step(
    model: nn.Module, inputs: dict[str, Tensor], form: type | None = None, wrapper: type[OptimWrapper] = OptimWrapper
) -> Job:
    """What takes a training step of a `GMM` or a `TOM` on a batch: forward, backward, update.

    `form` wraps the model for the published form; without one it trains as `tools/train.py` does, by a `wrapper` as in
    a config's `optim_wrapper.type`.
    """
    if form is None:
        use_cpu_forms(model.to(memory_format=torch.channels_last))
    adam = torch.optim.Adam(model.parameters(), 1e-4, (0.5, 0.999), fused=None if form else True)
    optimizer = wrapper(optimizer=adam)
    if form is None:
        return lambda: model.train_step({"inputs": inputs}, optimizer)
    plain = form(model)
    return lambda: optimizer.update_params(plain(inputs))


def _item(rounds: int, items: int) -> Rows:
    """An item's person representation from decoded pictures, on one thread as in a worker of a data loader."""
    doll = draw_doll(0, 0, try_on=True)
    photo, joints = Image.fromarray(doll.image), doll.keypoints[:, :2].astype(np.float64)
    label_map, task = doll.label_map.astype(np.uint8), "inputs of one item"
    pipeline = build_pipeline([{"type": name} for name in ("LoadPerson", "CPVTONAgnostic", "GarmentTargets")])
    arrays = {"photo": doll.image, "parsing": label_map, "parsing_space": DEEPFASHION15.name, "joints": joints}
    arrays |= {"image_size": label_map.shape, "garment_classes": None}
    plain = partial(published.published_inputs, photo, label_map, joints, DEEPFASHION15.unions)
    jobs = {(task, "a Pillow picture a joint"): plain, (task, OURS): lambda: pipeline({**arrays, "inputs": {}})}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measured(jobs, rounds, calls=items, memory=False)
    finally:
        torch.set_num_threads(threads)


# ---- data pipelines

WORKERS = 2


def data(rounds: int, quick: bool) -> Report:
    """Items a second with two workers: batches of 2 photos of instances, and of 4 try-on pairs, drawn for the run."""
    cv2.setNumThreads(0)  # as the configs do: the workers share the cores
    sizes = [(96, 128)] * 2 if quick else [(750, 1101), (192, 256)]  # DeepFashion's photos, CP-VTON's
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        photos = segmentation_forms(Path(folder) / "photos", sizes[0])
        pairs = try_on_forms(Path(folder) / "pairs", sizes[1])
        for task, forms, items, batch, collate in (
            ("segmentation", photos, 8 if quick else 64, 2, pseudo_collate),
            ("try-on", pairs, 8 if quick else 256, 4, default_collate),
        ):
            loaders = {
                (task, form): DataLoader(
                    dataset,
                    batch,
                    sampler=[index % len(dataset) for index in range(items)],
                    collate_fn=collate,
                    num_workers=WORKERS,
                    persistent_workers=True,
                )
                for form, dataset in forms.items()
            }
            jobs = {key: partial(deque, loader, maxlen=0) for key, loader in loaders.items()}  # loads all items
            seconds = interleave(jobs, rounds)  # the first round starts the workers
            rows += compared_rows(
                {key: [each / items for each in taken] for key, taken in seconds.items()}, items=items
            )
            del loaders, jobs  # ends the workers
    return {"rows": rows, "workers": WORKERS}


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

    transform = v2.Compose([v2.ToImage(), v2.Resize(size[::-1]), v2.RandomHorizontalFlip(0.5)])
    photos = CocoDetection(folder / "images/train", folder / "annotations/instances_train.json", transforms=transform)
    return {
        "torchvision's transforms": wrap_dataset_for_transforms_v2(photos, ("boxes", "labels", "masks")),
        "mmdet's data set": build("DeepFashionDataset", "Resize"),
        OURS: build("ClothingDataset", "ResizeWhereNeeded"),
    }


def try_on_forms(folder: Path, size: tuple[int, int]) -> dict[str, Dataset]:
    """The data sets of try-on pairs, on paper dolls drawn into `folder`; `size` is their width and height."""
    write_paper_dolls(folder, Plan(train=16, size=size, layout="viton"), workers=1)
    names = ("LoadPerson", "LoadGarment", "LoadParsing", "LoadPose", "FaceFromPose", "CPVTONAgnostic", "GarmentTargets")
    steps = [{"type": name} for name in names]
    steps += [{"type": "AuxTarget", "label_space": "tryon8"}, {"type": "PackTryOnInputs"}]
    settings = {"layout": "paper_doll", "label_space": "deepfashion15", "split": "train", "image_size": size[::-1]}
    ours = TryOnDataset(folder, "train_pairs.txt", pipeline=steps, **settings)
    return {"CP-VTON's operations": published.PublishedTryOn(ours), OURS: ours}


BENCHMARKS: dict[str, Callable[[int, bool], Report]] = {
    function.__name__: function for function in (ops, detector, tryon, data)
}
ON_GPU = ("ops", "detector", "tryon")
"""Those that run on the GPU where there is one, and whose tables have shares of the machine's peaks."""


def run(name: str, rounds: int, quick: bool) -> Report:
    """A benchmark's report, with the machine and, of those `ON_GPU`, its best rates before and after them."""
    if name not in ON_GPU:
        return {"benchmark": name, **BENCHMARKS[name](rounds, quick), "machine": machine.describe()}
    rates = partial(timing.matmul_peak, 256 if quick else 2048), partial(timing.copy_peak, 1 if quick else 256)
    before = [rate() for rate in rates]
    report = {"benchmark": name, **BENCHMARKS[name](rounds, quick), "machine": machine.describe()}
    matmul, copy = (max(rate(), earlier) for rate, earlier in zip(rates, before, strict=True))
    return report | {"matmul_peak_gflops": matmul, "copy_peak_gbytes": copy}
