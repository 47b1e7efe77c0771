"""The detector benchmark behind `tools/analysis/benchmark_detector.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from seg_vton import machine
from seg_vton.analysis.memory import peak_bytes
from seg_vton.analysis.timing import accelerator, compared, interleave, matmul_peak, speedup
from seg_vton.engine import launch
from seg_vton.files import refuse_existing, write_json
from seg_vton.ops import roi_align_kernels
from seg_vton.ops.roi_align_kernels import Pooling

INSTANCES = 128  # as many as a step's positive RoIs
QUICK_SIZE, QUICK_INSTANCES = (96, 128), 2
PLAIN, PLAIN_OURS = "R50-FPN, mmdet's plain settings", "R50-FPN, our settings"
OURS = "R50 CARAFE-FPN, our settings"
TASKS = ("train", "inference")


def make_sample(size: tuple[int, int], instances: int = INSTANCES, seed: int = 0) -> DetDataSample:
    """One image's ground truth: random boxes, each filled by its mask.

    Args:
        size: width and height in pixels.
        instances: number of boxes.
        seed: of the boxes.
    """
    width, height = size
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 0.6, (instances, 2)) * (width, height)
    boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (instances, 2)) * (width, height)], axis=1)
    masks = np.zeros((instances, height, width), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = 1
    sample = DetDataSample(
        metainfo={
            "img_shape": (height, width),
            "ori_shape": (height, width),
            "scale_factor": (1.0, 1.0),
            "img_id": 0,
            "batch_input_shape": (height, width),
        }
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32),
        labels=torch.tensor(rng.integers(0, 15, instances)),
        masks=BitmapMasks(masks, height, width),
    )
    return sample


def build(config: Config, channels_last: bool) -> nn.Module:
    """The config's model with random weights, on the GPU where there is one."""
    torch.manual_seed(0)
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model)
    model.init_weights()
    model = model.to(accelerator())
    return model.to(memory_format=torch.channels_last) if channels_last else model


@contextmanager
def sampled_roi_align() -> Iterator[None]:
    """Pools RoIs as mmcv's compiled operators do, sample by sample, with torchvision's operators.

    Where mmcv has its own compiled operators this changes nothing.
    """

    def forward(features: Tensor, rois: Tensor, p: Pooling) -> Tensor:
        return torch.ops.torchvision.roi_align(features, rois, p.spatial_scale, *p.size, p.sampling_ratio, p.aligned)

    def backward(grad: Tensor, rois: Tensor, shape: tuple[int, int, int, int], p: Pooling) -> Tensor:
        settings = p.spatial_scale, *p.size, *shape, p.sampling_ratio, p.aligned
        return torch.ops.torchvision._roi_align_backward(grad, rois, *settings)

    with patch.object(roi_align_kernels, "forward", forward), patch.object(roi_align_kernels, "backward", backward):
        yield


class Candidate:
    """A model with its optimizer, ready to step and to predict.

    Args:
        config: the resolved config.
        image: (3, H, W) uint8.
        sample: the image's ground truth.
        plain: mmdet's plain settings (NCHW memory, batch normalization as it is, sampled RoIs) rather than what the
            config's hooks and `seg_vton.ops` make of them.
    """

    def __init__(self, config: Config, image: Tensor, sample: DetDataSample, plain: bool) -> None:
        self.plain = plain
        self.model = build(config, not plain and _has_hook(config, "ChannelsLastHook"))
        self.optimizer = build_optim_wrapper(self.model, config.optim_wrapper)
        # Random weights diverge at any rate worth the name; the rate does not change the work.
        self.optimizer.param_groups[0]["lr"] = 0.0
        self.tested = deepcopy(self.model).eval()
        if not plain and _has_hook(config, "FoldBatchNormHook"):
            with torch.no_grad():
                fuse_conv_bn(self.tested)
        self.data = {"inputs": [image], "data_samples": [sample]}

    def step(self) -> None:
        """One training step: forward, backward, update."""
        self.model.train()
        torch.manual_seed(1)
        with sampled_roi_align() if self.plain else nullcontext():
            self.model.train_step(self._copy(), self.optimizer)

    def predict(self) -> None:
        """One inference, from the image to masks at its size."""
        with torch.no_grad(), sampled_roi_align() if self.plain else nullcontext():
            self.tested.test_step(self._copy())

    def _copy(self) -> dict[str, Any]:
        return {"inputs": list(self.data["inputs"]), "data_samples": [s.clone() for s in self.data["data_samples"]]}

    @property
    def jobs(self) -> dict[str, Callable[[], None]]:
        """What is timed, by task."""
        return dict(zip(TASKS, (self.step, self.predict), strict=True))

    def gigaflop(self) -> dict[str, float]:
        """Floating-point operations in 10^9 by task; a multiply-add counts as two.

        RoIs are pooled by sampling, which the counter takes no notice of: it would count our matrix products.
        """
        counts = {}
        for task, job in self.jobs.items():
            with sampled_roi_align(), FlopCounterMode(display=False) as counter:
                job()
            counts[task] = counter.get_total_flops() / 1e9
        return counts


def run(
    plain: str,
    ours: str,
    size: tuple[int, int],
    rounds: int,
    quick: bool = False,
    out: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Times all forms in turn, prints the table and writes the JSON.

    Args:
        plain: config of the reference, run in mmdet's plain settings, and as its hooks say with our operators.
        ours: config of our model, run as its hooks say, with our operators.
        size: image width and height in pixels.
        rounds: counted rounds.
        quick: a tiny image with few instances instead, to see that everything runs.
        out: JSON file, or None.
        overwrite: whether `out` may be replaced.

    Raises:
        UserError: a config is missing or `out` exists.
    """
    if out:
        refuse_existing(Path(out), overwrite)
    size, instances = (QUICK_SIZE, QUICK_INSTANCES) if quick else (size, INSTANCES)
    register_all_modules(init_default_scope=True)
    image = torch.randint(0, 255, (3, size[1], size[0]), dtype=torch.uint8)
    configs = {"plain": launch.load_config(plain), "ours": launch.load_config(ours)}
    sample = make_sample(size, instances)
    forms = {
        PLAIN: Candidate(configs["plain"], image, sample, plain=True),
        PLAIN_OURS: Candidate(configs["plain"], image, sample, plain=False),
        OURS: Candidate(configs["ours"], image, sample, plain=False),
    }
    report = {"benchmark": "detector", **_measure(forms, rounds, 256 if quick else 2048)}
    report |= {"size": list(size), "configs": {"plain": plain, "ours": ours}, "machine": machine.describe()}
    _print(report)
    if out:
        write_json(out, report, overwrite=overwrite, indent=1)
    return report


def _has_hook(config: Config, name: str) -> bool:
    return any(hook["type"] == name for hook in config.get("custom_hooks", []))


def _measure(forms: dict[str, Candidate], rounds: int, peak_size: int) -> dict[str, Any]:
    """Rows by task and form, CARAFE-FPN against R50-FPN, and the greater of the peaks before and after the rounds."""
    jobs = {(task, form): job for form, candidate in forms.items() for task, job in candidate.jobs.items()}
    flop = {form: candidate.gigaflop() for form, candidate in forms.items()}
    # After a step of each: the first one makes the optimizer's state.
    memory = {key: peak_bytes(job) for key, job in jobs.items()}
    peak = matmul_peak(peak_size)
    seconds = interleave(jobs, rounds, warmup=0)  # all jobs have run twice
    peak = max(peak, matmul_peak(peak_size))
    rows = [
        {
            "task": task,
            "form": form,
            **compared(seconds[task, form], seconds[task, PLAIN]),
            "gigaflop": flop[form][task],
            "share_of_peak": flop[form][task] / median(seconds[task, form]) / peak,
            "peak_bytes": memory[task, form],
        }
        for task in TASKS
        for form in forms
    ]
    carafe = {task: speedup(seconds[task, PLAIN_OURS], seconds[task, OURS]) for task in TASKS}
    return {"rows": rows, "carafe_speedup": carafe, "matmul_peak_gflops": peak}


def _print(report: dict[str, Any]) -> None:
    table = Table("", "median s", "faster", "min", "max", "GFLOP", "of peak", "MB")
    for row in report["rows"]:
        numbers = [f"{row['median']:.3f}", *(f"{row['speedup'][key]:.2f}" for key in ("median", "min", "max"))]
        work = f"{row['gigaflop']:.0f}", f"{row['share_of_peak']:.0%}", f"{row['peak_bytes'] / 1e6:.0f}"
        table.add_row(f"{row['task']}: {row['form']}", *numbers, *work)
    console = Console()
    console.print(table)
    console.print(f"matrix-product peak {report['matmul_peak_gflops']:.0f} GFLOP/s, float32")
