"""Trainings and tests of the sweep of the auxiliary decoder's weights; behind `tools/analysis/aux_weight_sweep.py`.

Ayush et al. give neither the weight of the auxiliary loss nor those of the classes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from seg_vton.analysis import sweep_table
from seg_vton.errors import UserError
from seg_vton.files import read_json, write_json
from seg_vton.progress import track

WEIGHED_CLASSES = ("background", "skin")
"""The classes whose weights change together, those that the paper weighs more."""

CONFIGS = {
    "gmm": ("gmm_cp-vton_128x96_3k_paper-doll", "gmm_aux-seg_128x96_3k_paper-doll"),
    "tom": ("tom_cp-vton_128x96_2k_paper-doll", "tom_aux-seg_gmm-cp-vton_128x96_2k_paper-doll"),
}
"""By stage, the config without a decoder and the one with it."""


@dataclass(frozen=True)
class Sweep:
    """What to run.

    Attributes:
        out: folder that gets a work dir and a log for each run.
        stages: `gmm`, `tom`. TOM's garments are warped by the GMM without a decoder of the same seed, which runs too.
        seeds: of the trainings.
        iterations: of each training; the second half of them at a falling learning rate.
        loss_weights: weights of the loss, with the class weights of the config.
        class_weights: weights of `WEIGHED_CLASSES`, with 1 as the loss's weight.
        amp: whether to train in mixed precision.
        options: `KEY=VALUE` for the configs of all trainings and tests.

    Raises:
        UserError: a stage is unknown, or there is no iteration.
    """

    out: Path
    stages: tuple[str, ...] = ("gmm", "tom")
    seeds: tuple[int, ...] = (0,)
    iterations: int = 1000
    loss_weights: tuple[float, ...] = (0.1, 0.3, 1, 3, 10)
    class_weights: tuple[float, ...] = (1, 3)
    amp: bool = False
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what cannot be run."""
        unknown = [stage for stage in self.stages if stage not in CONFIGS]
        if unknown:
            raise UserError(f"there is no stage {', '.join(unknown)} to sweep: choose from {', '.join(CONFIGS)}")
        if self.iterations < 1:
            raise UserError(f"a training needs at least 1 iteration, not {self.iterations}")


@dataclass(frozen=True)
class Run:
    """A training and its test.

    Attributes:
        name: of work dir and log: row and seed.
        config: name of the config.
        options: `KEY=VALUE` for the config of the training alone.
        shared: `KEY=VALUE` for the configs of training and test.
    """

    name: str
    config: str
    options: tuple[str, ...]
    shared: tuple[str, ...]


def plan(sweep: Sweep) -> list[Run]:
    """The runs, seed by seed, the GMM that warps for the TOMs before these."""
    rows = {"gmm": _rows(sweep, "gmm"), "tom": _rows(sweep, "tom")}
    if "gmm" not in sweep.stages:
        rows["gmm"] = rows["gmm"][:1]
    return [
        _run(sweep, stage, seed, name, options)
        for seed in sweep.seeds
        for stage in CONFIGS
        if stage == "gmm" or stage in sweep.stages
        for name, options in rows[stage]
    ]


def _rows(sweep: Sweep, stage: str) -> list[tuple[str, tuple[str, ...]]]:
    """Name and options of each row of a stage, the one without a decoder first."""
    head = "model.aux_head"
    rows: list[tuple[str, tuple[str, ...]]] = [(f"{stage}_cp-vton", ())]
    for weight in sweep.loss_weights:
        rows.append((f"{stage}_aux-seg_loss-weight{weight:g}", (f"{head}.loss_weight={weight:g}",)))
    for weight in sweep.class_weights:
        by_class = (f"{head}.class_weight.{name}={weight:g}" for name in WEIGHED_CLASSES)
        rows.append((f"{stage}_aux-seg_class-weight{weight:g}", (f"{head}.loss_weight=1", *by_class)))
    return rows


def _run(sweep: Sweep, stage: str, seed: int, name: str, options: tuple[str, ...]) -> Run:
    last = sweep.iterations
    schedule = (f"train_cfg.max_iters={last}", f"train_cfg.val_interval={2 * last}")  # no validation on the way
    decay = (f"param_scheduler.0.begin={last // 2}", f"param_scheduler.0.end={last + 1}")
    without, with_decoder = CONFIGS[stage]
    warper = f"model.warper.checkpoint={sweep.out / f'gmm_cp-vton_seed{seed}' / f'iter_{last}.pth'}"
    return Run(
        name=f"{name}_seed{seed}",
        config=with_decoder if options else without,
        options=(*options, f"randomness.seed={seed}", *schedule, *decay),
        shared=(*sweep.options, *([warper] if stage == "tom" else [])),
    )


def run_sweep(root: Path, sweep: Sweep) -> str:
    """Trains and tests all rows; a row whose result is there is not run again, a training that was stopped goes on.

    One that fails is left out, and the others still run, unless it is the first.

    Args:
        root: of the repository: `tools` and `configs` lie in it.
        sweep: what to run.

    Returns:
        The table of each stage, in Markdown.

    Raises:
        UserError: there is a run that failed, whose log is named; or the folder's runs have other settings.
    """
    _refuse_other_settings(sweep)
    runs, failed = plan(sweep), []
    for run in track(runs, "training and testing", len(runs)):
        if not _train_and_test(root, sweep, run):
            failed.append(run)
            if run is runs[0]:  # whatever is wrong with it is likely wrong with all
                break
    if failed:
        why = "; ".join(f"{_log(sweep, run)} ends with '{_last_line(_log(sweep, run))}'" for run in failed)
        raise UserError(f"{len(failed)} of {len(runs)} runs failed: {why}. Called again, only what is missing runs")
    return sweep_table.render([read_json(path) for run in runs for path in _results(sweep, run)])


def _refuse_other_settings(sweep: Sweep) -> None:
    """Notes how the folder's runs are trained; one that was stopped may not go on otherwise."""
    path = sweep.out / "settings.json"
    own = {"iterations": sweep.iterations, "amp": sweep.amp, "cfg-options": list(sweep.options)}
    if not path.exists():
        sweep.out.mkdir(parents=True, exist_ok=True)
        write_json(path, own, overwrite=True)  # another process with other seeds may have been as fast
    elif (found := read_json(path)) != own:
        raise UserError(f"{sweep.out} has runs with {found}, and {own} was asked for: choose another --out")


def _log(sweep: Sweep, run: Run) -> Path:
    return sweep.out / f"{run.name}.log"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")


def _results(sweep: Sweep, run: Run) -> list[Path]:
    """The result file of a run, if it has one."""
    return sorted((sweep.out / run.name).glob(f"iter_{sweep.iterations}.*-test.json"))


def _train_and_test(root: Path, sweep: Sweep, run: Run) -> bool:
    """Whether the run has a result, which it is given if it has none."""
    work_dir = sweep.out / run.name
    here = Path(os.path.relpath(root))  # results keep the command, which is to read as a user would type it
    config = str(here / "configs" / "tryon" / f"{run.config}.py")
    train = [config, "--work-dir", str(work_dir), "--resume", *["--amp"] * sweep.amp]
    test = [config, str(work_dir / f"iter_{sweep.iterations}.pth"), "--work-dir", str(work_dir)]
    steps = (("train.py", train, (*run.shared, *run.options)), ("test.py", test, run.shared))
    with _log(sweep, run).open("a", encoding="utf-8") as log:
        for tool, arguments, options in steps if not _results(sweep, run) else ():
            given = ["--cfg-options", *options] if options else []
            command = [sys.executable, str(here / "tools" / tool), *arguments, *given]
            if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
                return False
    return bool(_results(sweep, run))
