"""The operator benchmark behind `tools/analysis/benchmark_ops.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from seg_vton import machine
from seg_vton.analysis.memory import peak_bytes
from seg_vton.analysis.timing import accelerator, compared, copy_peak, interleave, matmul_peak
from seg_vton.files import refuse_existing, write_json
from seg_vton.ops import carafe
from seg_vton.ops.carafe_kernels import shifts_backward, shifts_forward

KERNEL, GROUPS, SCALE = 5, 1, 2  # of the paper and of mmdet's configs
SHAPES = {
    "neck": (1, 256, 140, 96),
    "mask head": (100, 256, 14, 14),
}
PLACES = {
    "neck": "level P3, at stride 8, of a 750 x 1101 image padded to multiples of 32, upsampled for P2",
    "mask head": "100 RoIs, the most of an image in a test",
}
QUICK_SHAPES = {"neck": (1, 16, 12, 10), "mask head": (4, 16, 7, 7)}
BASELINE = "unfold, multiply, sum"
OURS = "seg_vton"
COLUMNS = ("ms", "faster", "min", "max", "MB", "/ output", "matmul", "copy")


@dataclass(frozen=True)
class Inputs:
    """What one call gets: features (N, C, H, W), masks (N, 25, 2H, 2W) and the output's gradient."""

    features: Tensor
    masks: Tensor
    grad: Tensor

    @classmethod
    def random(cls, shape: tuple[int, int, int, int]) -> Inputs:
        """Normal features and gradients, masks that sum to one over each kernel; on the GPU where there is one."""
        n, c, h, w = shape
        draw = partial(torch.randn, device=accelerator())
        masks = draw(n, KERNEL**2, h * SCALE, w * SCALE).softmax(1).requires_grad_()
        return cls(draw(shape).requires_grad_(), masks, draw(n, c, h * SCALE, w * SCALE))

    def channels_last(self) -> Inputs:
        """The same features and gradient in channels-last memory; the masks stay as a softmax leaves them."""
        features = self.features.detach().to(memory_format=torch.channels_last).requires_grad_()
        return Inputs(features, self.masks, self.grad.to(memory_format=torch.channels_last))

    def work(self) -> dict[str, dict[str, float]]:
        """What the operation itself needs: 10^9 operations, and 10^9 bytes of inputs read and results written once."""
        sizes = [t.numel() * t.element_size() / 1e9 for t in (self.features, self.masks, self.grad)]
        forward = {"gigaflop": 2 * KERNEL**2 * self.grad.numel() / 1e9, "gigabyte": sum(sizes)}
        backward = {"gigaflop": 2 * forward["gigaflop"], "gigabyte": 2 * sum(sizes) - sizes[2]}
        return {"forward": forward, "both": {key: forward[key] + backward[key] for key in forward}}


def _unfolded(features: Tensor) -> Tensor:
    """(N, C, 25, H, 1, W, 1)."""
    n, c, h, w = features.shape
    return F.unfold(features, KERNEL, padding=KERNEL // 2).view(n, c, KERNEL**2, h, 1, w, 1)


def _split(masks: Tensor) -> Tensor:
    """(N, 25, H, 2, W, 2)."""
    return masks.unflatten(2, (-1, SCALE)).unflatten(4, (-1, SCALE))


def unfold_multiply(features: Tensor, masks: Tensor) -> Tensor:
    """The textbook form: unfolded features times broadcast masks, summed over the kernel."""
    n, c, h, w = features.shape
    products = _unfolded(features) * _split(masks).unsqueeze(1)
    return products.sum(2).view(n, c, h * SCALE, w * SCALE)


def unfold_matmul(features: Tensor, masks: Tensor) -> Tensor:
    """The same as one batched matrix product over all source pixels, (4 x 25) by (25 x C) each."""
    n, c, h, w = features.shape
    windows = _unfolded(features).view(n, c, KERNEL**2, h * w).permute(0, 3, 2, 1).flatten(0, 1)
    weights = _split(masks).permute(0, 2, 4, 3, 5, 1).reshape(n * h * w, SCALE**2, KERNEL**2)
    sums = torch.bmm(weights, windows).view(n, h, w, SCALE, SCALE, c)
    return sums.permute(0, 5, 1, 3, 2, 4).reshape(n, c, h * SCALE, w * SCALE)


def _differentiated(form: Callable[[Tensor, Tensor], Tensor], inputs: Inputs) -> None:
    torch.autograd.grad(form(inputs.features, inputs.masks), (inputs.features, inputs.masks), inputs.grad)


def _only_forward(form: Callable[[Tensor, Tensor], Tensor], inputs: Inputs) -> None:
    with torch.no_grad():
        form(inputs.features, inputs.masks)


def _shifts(inputs: Inputs, backward: bool) -> None:
    settings = KERNEL, GROUPS, SCALE, inputs.features.new_empty(0)
    with torch.no_grad():
        shifts_forward(inputs.features, inputs.masks, *settings)
        if backward:
            shifts_backward(inputs.grad, inputs.features, inputs.masks, *settings)


def _jobs(inputs: Inputs) -> dict[tuple[str, str], Callable[[], None]]:
    """(form, pass) -> what to time."""
    ours = partial(carafe, kernel_size=KERNEL, group_size=GROUPS, scale_factor=SCALE)
    forms = {
        BASELINE: (unfold_multiply, inputs),
        "unfold, matrix products": (unfold_matmul, inputs),
        OURS: (ours, inputs),
        f"{OURS}, channels-last": (ours, inputs.channels_last()),
    }
    jobs: dict[tuple[str, str], Callable[[], None]] = {}
    for name, (form, given) in forms.items():
        jobs[name, "forward"] = partial(_only_forward, form, given)
        jobs[name, "both"] = partial(_differentiated, form, given)
    jobs["25 shifted adds", "forward"] = partial(_shifts, inputs, backward=False)
    jobs["25 shifted adds", "both"] = partial(_shifts, inputs, backward=True)
    return jobs


def run(rounds: int, quick: bool, out: str | None = None, overwrite: bool = False) -> dict[str, Any]:
    """Times all forms in turn, prints the tables and writes the JSON.

    Args:
        rounds: counted rounds.
        quick: tiny maps, to see that everything runs.
        out: JSON file, or None.
        overwrite: whether ``out`` may be replaced.

    Returns:
        The report: a list of rows, the peaks of the machine, the machine.

    Raises:
        UserError: ``out`` exists.
    """
    if out:
        refuse_existing(Path(out), overwrite)
    torch.manual_seed(0)
    before, shapes = _peaks(quick), QUICK_SHAPES if quick else SHAPES
    rows = [row for place, shape in shapes.items() for row in _measure(place, shape, rounds)]
    peaks = {key: max(before[key], after) for key, after in _peaks(quick).items()}
    _add_shares(rows, peaks)
    report = {"benchmark": "ops", "kernel": KERNEL, "scale": SCALE, "rows": rows, **peaks}
    report["places"] = {} if quick else PLACES
    report["machine"] = machine.describe()
    _print(report)
    if out:
        write_json(out, report, overwrite=overwrite, indent=1)
    return report


def _peaks(quick: bool) -> dict[str, float]:
    return {
        "matmul_peak_gflops": matmul_peak(256 if quick else 2048),
        "copy_peak_gbytes": copy_peak(1 if quick else 256),
    }


def _measure(place: str, shape: tuple[int, ...], rounds: int) -> list[dict[str, Any]]:
    inputs = Inputs.random(shape)
    work, jobs = inputs.work(), _jobs(inputs)
    memory = {key: peak_bytes(job) for key, job in jobs.items()}
    seconds = interleave(jobs, rounds, warmup=0)  # all jobs have run for their memory
    output_bytes = inputs.grad.numel() * inputs.grad.element_size()
    return [
        {
            "place": place,
            "shape": list(shape),
            "form": form,
            "pass": passes,
            **compared(taken, seconds[BASELINE, passes]),
            "peak_bytes": memory[form, passes],
            "peak_over_output": memory[form, passes] / output_bytes,
            **work[passes],
        }
        for (form, passes), taken in seconds.items()
    ]


def _add_shares(rows: list[dict[str, Any]], peaks: dict[str, float]) -> None:
    """Says how much of the machine each row uses for what the operation itself needs."""
    for row in rows:
        row["share_of_matmul"] = row["gigaflop"] / row["median"] / peaks["matmul_peak_gflops"]
        row["share_of_copy"] = row["gigabyte"] / row["median"] / peaks["copy_peak_gbytes"]


def _print(report: dict[str, Any]) -> None:
    console = Console()
    titles = {"forward": "forward", "both": "forward and backward"}
    for place, passes in dict.fromkeys((row["place"], row["pass"]) for row in report["rows"]):
        rows = [row for row in report["rows"] if (row["place"], row["pass"]) == (place, passes)]
        size = " x ".join(str(side) for side in rows[0]["shape"])
        table = Table("", *COLUMNS, title=f"{place}, {size}, {titles[passes]}", box=box.SIMPLE)
        table.columns[0].no_wrap = True
        for row in rows:
            faster = (f"{row['speedup'][key]:.1f}" for key in ("median", "min", "max"))
            memory = f"{row['peak_bytes'] / 1e6:.0f}", f"{row['peak_over_output']:.1f}"
            shares = (f"{row[key]:.0%}" for key in ("share_of_matmul", "share_of_copy"))
            table.add_row(row["form"], f"{1e3 * row['median']:.1f}", *faster, *memory, *shares)
        console.print(table)
    console.print(f"matrix-product peak {report['matmul_peak_gflops']:.0f} GFLOP/s, float32")
    console.print(f"copy peak {report['copy_peak_gbytes']:.0f} GB/s, read and written")
