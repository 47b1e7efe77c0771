"""Training curves: losses and accuracy of runs side by side, from the scalars that mmengine logs."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from seg_vton.errors import UserError
from seg_vton.files import atomic_path


def read_curves(work_dir: str | Path) -> pd.DataFrame:
    """What a run logged while it trained: float64 columns `loss...` and accuracies (`...acc`, percent) by iteration.

    NaN where one was not logged. Where the run in `work_dir` was resumed, a later log takes over from the iteration it
    starts at. `UserError` where there is no log, it is broken, or it has no training iteration yet.
    """
    # The folders between are named by the time of the start, so that their order is the order of the runs.
    logs = sorted(Path(work_dir).glob("*/vis_data/scalars.json"))
    if not logs:
        raise UserError(f"{work_dir} has no */vis_data/scalars.json: is it the work dir of a training run?")
    by_iteration: dict[int, dict[str, float]] = {}
    for log in logs:
        records, lines = [], log.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                if number < len(lines):  # the last may be in the middle of being written
                    raise UserError(f"{log}, line {number}: not JSON ({error}): the log is broken there") from None
        training = {record["step"]: record for record in records if "loss" in record}
        if training:
            start = min(training)
            by_iteration = {step: record for step, record in by_iteration.items() if step < start} | training
    if not by_iteration:
        raise UserError(f"{work_dir}: no training iteration is logged yet in {', '.join(map(str, logs))}")
    frame = pd.DataFrame.from_dict(by_iteration, orient="index").sort_index()
    return frame[[name for name in frame if name.startswith("loss") or name.endswith("acc")]].astype(np.float64)


def smooth(values: np.ndarray) -> np.ndarray:
    """Gaussian average of `(N,)` with a sigma of N / 50, at least one: unlike a running one it lags behind no loss."""
    return gaussian_filter1d(values.astype(np.float64), sigma=max(1.0, len(values) / 50), mode="nearest")


def run_names(work_dirs: Sequence[str | Path]) -> list[str]:
    """Folder names, with as many parents as it takes to tell them apart; a folder given twice is a `UserError`."""
    parts = [Path(work_dir).resolve().parts for work_dir in work_dirs]
    if len(set(parts)) < len(parts):
        raise UserError("a work dir is given twice")
    depth = next(d for d in range(1, max(map(len, parts)) + 1) if len({p[-d:] for p in parts}) == len(parts))
    return ["/".join(part[-depth:]) for part in parts]


def draw_curves(work_dirs: Sequence[str | Path], out: str | Path, overwrite: bool = False) -> None:
    """Draws a panel for each scalar with a line for each run.

    `out` ends in an image format (.png, .pdf, .svg), else it is a `UserError`, as is one that exists; see `read_curves`
    too.
    """
    runs = dict(zip(run_names(work_dirs), map(read_curves, work_dirs), strict=True))
    names = list(dict.fromkeys(name for curves in runs.values() for name in curves))
    rows, columns = -(-len(names) // 3), 3
    figure = Figure(figsize=(3.6 * columns, 2.6 * rows + 0.22 * len(runs) + 0.1), layout="constrained")  # inches
    if Path(out).suffix.removeprefix(".") not in figure.canvas.get_supported_filetypes():
        raise UserError(f"{out}: the name must end in an image format such as .png, .pdf or .svg")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        for index, curves in enumerate(runs.values()):
            if name in curves:
                curve = curves[name].dropna()
                axes.plot(curve.index, curve, color=f"C{index}", alpha=0.3, linewidth=0.8)
                axes.plot(curve.index, smooth(curve.to_numpy()), color=f"C{index}", linewidth=1.4)
        axes.set_title(f"{name} (%)" if name.endswith("acc") else name, fontsize=10)
        axes.set_xlabel("iteration", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    handles = [grid[0].plot([], [], color=f"C{index}", label=name)[0] for index, name in enumerate(runs)]
    figure.legend(handles=handles, loc="outside lower left", fontsize=8, frameon=False)
    with atomic_path(out, overwrite) as temporary:
        figure.savefig(temporary, dpi=150)
