"""The try-on benchmark behind `tools/analysis/benchmark_tryon.py`.

The published form is CP-VTON's computation written plainly: contiguous tensors, the spline evaluated for every batch,
all images warped at every step, each layer by itself, PyTorch's Adam as it comes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import vgg

from seg_vton import machine
from seg_vton.analysis.memory import peak_bytes
from seg_vton.analysis.timing import accelerator, compared, interleave, matmul_peak
from seg_vton.analysis.tryon_data_benchmark import run_data_benchmark
from seg_vton.engine.optim import BFloat16OptimWrapper
from seg_vton.files import refuse_existing, write_json
from seg_vton.ops.cpu_forms import use_cpu_forms
from seg_vton.tryon.models import GMM, TOM, TPSGrid
from seg_vton.tryon.models.perceptual import LAYER_WEIGHTS
from seg_vton.tryon.models.tom import UNetBlock
from seg_vton.tryon.models.tps import control_points, pixel_centers, tps_inverse

BATCH, IMAGE_SIZE, GRID_SIZE = 4, (256, 192), 5  # of the paper
PUBLISHED, OURS, AUX = "published form", "seg_vton", "seg_vton, auxiliary decoder"
SPLINES = 20  # evaluated in a turn: one alone takes less than a millisecond
COLUMNS = ("ms", "faster", "min", "max", "GFLOP", "of peak", "MB")


class TextbookTPS(nn.Module):
    """The spline from its definition: kernel, coefficients and sum anew for every batch, in float32."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("pixels", pixel_centers(size).float())
        self.register_buffer("points", control_points(GRID_SIZE).float())
        self.register_buffer("inverse", tps_inverse(GRID_SIZE).float())

    def forward(self, theta: Tensor) -> Tensor:
        """Offsets `(B, 50)` to a grid `(B, H, W, 2)`."""
        coefficients = self.inverse @ (self.points + theta.unflatten(1, (2, -1)).transpose(1, 2))  # (B, 28, 2)
        squared = (self.pixels[:, None] - self.points).square().sum(2)
        kernel = squared * torch.where(squared == 0, 1, squared).log()  # (HW, 25)
        bent, affine = coefficients.split([GRID_SIZE**2, 3], dim=1)
        axes = [(kernel * bent[:, None, :, axis]).sum(2) for axis in (0, 1)]
        flat = affine[:, None, 0] + affine[:, None, 1] * self.pixels[:, :1] + affine[:, None, 2] * self.pixels[:, 1:]
        return (torch.stack(axes, 2) + flat).unflatten(1, self.size)


class PublishedGMM(nn.Module):
    """The published training step's forward, on the layers of a `GMM`."""

    def __init__(self, model: GMM) -> None:
        super().__init__()
        self.model, self.tps = model, TextbookTPS(model.image_size)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """The loss; garment, mask and a drawn grid are warped at every step, as published."""
        person, garment = (
            features / (features.pow(2).sum(1) + 1e-6).pow(0.5).unsqueeze(1)
            for features in (self.model.extractionA(inputs["agnostic"]), self.model.extractionB(inputs["cloth"]))
        )
        b, c, h, w = person.shape
        person = person.transpose(2, 3).contiguous().view(b, c, h * w)
        product = torch.bmm(garment.view(b, c, h * w).transpose(1, 2), person)
        grid = self.tps(self.model.regression(product.view(b, h, w, h * w).permute(0, 3, 1, 2)))
        sample = partial(F.grid_sample, grid=grid, align_corners=self.model.align_corners)
        warped = sample(inputs["cloth"], padding_mode="border")
        sample(inputs["cloth_mask"], padding_mode="zeros")
        sample(inputs["image"], padding_mode="zeros")
        return F.l1_loss(warped, inputs["parse_cloth"])


class PublishedTOM(nn.Module):
    """The published training step's forward, on the layers of a `TOM`."""

    def __init__(self, model: TOM) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """The loss."""
        cloth, image = inputs["warped_cloth"], inputs["image"]
        rendered, mask = self._level(self.model.model, torch.cat([inputs["agnostic"], cloth], 1)).split([3, 1], 1)
        rendered, mask = rendered.tanh(), mask.sigmoid()
        try_on = mask * cloth + (1 - mask) * rendered
        loss = F.l1_loss(try_on, image) + F.l1_loss(mask, inputs["warped_mask"])
        return loss if self.model.loss_perceptual is None else loss + self._perceptual(try_on, image)

    def _level(self, block: UNetBlock, x: Tensor) -> Tensor:
        down = block.down(x)
        if block.inner is not None:
            down = torch.cat([down, self._level(block.inner, down)], 1)
        relu, _, conv, norm = block.model[-4:]
        return norm(conv(F.interpolate(relu(down), scale_factor=2, mode="bilinear")))

    def _perceptual(self, x: Tensor, y: Tensor) -> Tensor:
        loss = x.new_zeros(())
        for index, layer in enumerate(self.model.loss_perceptual.vgg):
            x, y = layer(x), layer(y)
            if index in LAYER_WEIGHTS:
                loss = loss + LAYER_WEIGHTS[index] * F.l1_loss(x, y.detach())
        return loss


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
        self.inputs = inputs
        settings = {"lr": 1e-4, "betas": (0.5, 0.999)}
        self.published = published and published(model)
        self.model = model if published else model.to(memory_format=torch.channels_last)
        if not published:
            use_cpu_forms(model)
        self.optimizer = torch.optim.Adam(model.parameters(), **settings, **({} if published else {"fused": True}))
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
        """Floating-point operations that the convolutions and matrix products of a step execute, in 10^9.

        A multiply-add counts as two. Of Winograd's convolutions the transforms and the products on transformed tiles
        count, and not the multiplications that they save.
        """
        with FlopCounterMode(display=False) as counter:
            self()
        return counter.get_total_flops() / 1e9

    def peak_bytes(self) -> int:
        """The most memory that a step takes beyond what there was before, the gradients of the step before it not."""
        self.optimizer.zero_grad()  # the published step keeps them until the next one, mmengine's does not
        return peak_bytes(self)


def amp() -> tuple[str, type[OptimWrapper]]:
    """What `--amp` trains with here: its name in the tables, and what takes the step."""
    if accelerator().type == "cuda":
        return f"{OURS}, float16 (--amp)", AmpOptimWrapper
    return f"{OURS}, bfloat16 (--amp)", BFloat16OptimWrapper


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


def _steps(stage: str, inputs: dict[str, Tensor], base_channels: int, weights: Path | None) -> dict[str, Step]:
    """The candidates of a stage; all start from the same weights."""

    def build(aux_head: dict[str, Any] | None = None) -> nn.Module:
        """The stage's model with the same weights each time."""
        torch.manual_seed(0)
        if stage == "GMM":
            model = GMM(aux_head, image_size=tuple(inputs["image"].shape[2:]), base_channels=base_channels)
        else:
            perceptual = weights and {"type": "PerceptualLoss", "weights": str(weights)}
            model = TOM(aux_head, base_channels=base_channels, loss_perceptual=perceptual)
        model.init_weights()
        return model.to(accelerator())

    published = PublishedGMM if stage == "GMM" else PublishedTOM
    mixed, wrapper = amp()
    return {
        PUBLISHED: Step(build(), inputs, published),
        OURS: Step(build(), inputs),
        mixed: Step(build(), inputs, wrapper=wrapper),
        AUX: Step(build({"type": "AuxSegHead", "class_weight": {"background": 1.5, "skin": 1.5}}), inputs),
    }


def run(rounds: int, quick: bool, out: str | None = None, overwrite: bool = False) -> dict[str, Any]:
    """Times all candidates in turn, prints the table and writes the JSON.

    Args:
        rounds: counted rounds.
        quick: tiny networks and images, to see that everything runs.
        out: JSON file, or None.
        overwrite: whether `out` may be replaced.

    Returns:
        The report: rows, the machine's matrix-product peak, the machine.

    Raises:
        UserError: `out` exists.
    """
    if out:
        refuse_existing(Path(out), overwrite)
    torch.manual_seed(0)
    batch, size, base_channels = (2, (64, 64), 4) if quick else (BATCH, IMAGE_SIZE, 64)
    inputs, theta = make_inputs(batch, size), torch.empty(batch, 2 * GRID_SIZE**2).uniform_(-0.3, 0.3)
    theta, peak_size = theta.to(accelerator()), 256 if quick else 2048
    splines = {PUBLISHED: TextbookTPS(size).to(accelerator()), OURS: TPSGrid(size).to(accelerator())}
    peak = matmul_peak(peak_size)
    rows = _measure_splines({form: partial(spline, theta) for form, spline in splines.items()}, rounds)
    rows += _measure_steps("GMM step", _steps("GMM", inputs, base_channels, None), rounds)
    rows += _measure_steps("TOM step, perceptual loss off", _steps("TOM", inputs, base_channels, None), rounds)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "vgg19.pth"
        save_random_vgg19(weights, 3 if quick else 37)
        rows += _measure_steps("TOM step", _steps("TOM", inputs, base_channels, weights), rounds)
    peak = max(peak, matmul_peak(peak_size))
    _add_shares(rows, peak)
    report = {"benchmark": "tryon", "batch": batch, "image_size": list(size), "rows": rows, "matmul_peak_gflops": peak}
    report["data"] = run_data_benchmark(rounds, items=2 if quick else 50)
    report["machine"] = machine.describe()
    _print(report)
    if out:
        write_json(out, report, overwrite=overwrite, indent=1)
    return report


def _measure_splines(splines: dict[str, Callable[[], Tensor]], rounds: int) -> list[dict[str, Any]]:
    seconds = interleave(splines, rounds, calls=SPLINES)
    return [
        {
            "task": "TPS grid",
            "form": form,
            "baseline": PUBLISHED,
            **compared(taken, seconds[PUBLISHED]),
            "peak_bytes": peak_bytes(splines[form]),
        }
        for form, taken in seconds.items()
    ]


def _measure_steps(task: str, steps: dict[str, Step], rounds: int) -> list[dict[str, Any]]:
    seconds = interleave(steps, rounds)
    rows = []
    for form, taken in seconds.items():
        baseline = OURS if form == AUX else PUBLISHED  # the published networks have no second decoder
        rows.append({
            "task": task,
            "form": form,
            "baseline": baseline,
            **compared(taken, seconds[baseline]),
            "peak_bytes": steps[form].peak_bytes(),
            "gigaflop": steps[form].gigaflop(),
        })  # fmt: skip
    return rows


def _add_shares(rows: list[dict[str, Any]], peak: float) -> None:
    """Gives each float32 step its `share_of_peak`: a float32 product is no measure of mixed precision."""
    for row in rows:
        if "gigaflop" in row and row["form"] != amp()[0]:
            row["share_of_peak"] = row["gigaflop"] / row["median"] / peak


def _print(report: dict[str, Any]) -> None:
    console = Console()
    height, width = report["image_size"]
    for task in dict.fromkeys(row["task"] for row in report["rows"]):
        table = Table("", *COLUMNS, title=f"{task}, batch {report['batch']}, {height} x {width}", box=box.SIMPLE)
        for row in (row for row in report["rows"] if row["task"] == task):
            work = f"{row['gigaflop']:.0f}" if "gigaflop" in row else "", _share(row), f"{row['peak_bytes'] / 1e6:.0f}"
            table.add_row(row["form"], *_times(row), *work)
        console.print(table)
    table = Table("", *COLUMNS[:4], title="inputs of one item, from decoded files, one thread", box=box.SIMPLE)
    for row in report["data"]["rows"]:
        table.add_row(row["form"], *_times(row))
    console.print(table)
    console.print(f"matrix-product peak {report['matmul_peak_gflops']:.0f} GFLOP/s, float32")


def _times(row: dict[str, Any]) -> list[str]:
    return [f"{1e3 * row['median']:.2f}", *(f"{row['speedup'][key]:.2f}" for key in ("median", "min", "max"))]


def _share(row: dict[str, Any]) -> str:
    return f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else ""
