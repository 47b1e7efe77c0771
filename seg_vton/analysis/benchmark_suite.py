"""All benchmarks, each in a process of its own, into one JSON; behind `tools/analysis/benchmark.py`."""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from seg_vton import machine
from seg_vton.errors import UserError
from seg_vton.files import read_json, refuse_existing, write_json

SUITES = {
    "cpu": ("ops", "detector", "tryon", "data", "evaluation"),
    "gpu": ("ops", "detector", "tryon"),  # data and evaluation use no GPU
}


ROUNDS = 5


def benchmark_parser(description: str, tiny: str) -> argparse.ArgumentParser:
    """The options that every benchmark's tool has: `--rounds`, `--quick`, `--out`, `--overwrite`.

    Args:
        description: the tool's docstring, whose lines are kept.
        tiny: what `--quick` takes instead of the real inputs.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"counted rounds (default {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help=f"{tiny}: shows that it runs, measures nothing")
    parser.add_argument("--out", metavar="FILE.json", help="write the figures as JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE.json")
    return parser


def choose(suite: str, only: Sequence[str] = ()) -> list[str]:
    """The benchmarks to run, in the suite's order.

    Args:
        suite: `cpu` or `gpu`.
        only: names; all of the suite where there are none.

    Raises:
        UserError: the suite lacks one of the names, or asks for a GPU that is not there.
    """
    unknown = [name for name in only if name not in SUITES[suite]]
    if unknown:
        raise UserError(f"--only {','.join(only)}: the suite {suite} has {', '.join(SUITES[suite])}")
    if suite == "gpu" and not torch.cuda.is_available():
        raise UserError(
            f"--suite gpu needs a CUDA GPU, and torch {torch.__version__} finds none: run it where "
            "`python -c 'import torch; print(torch.cuda.is_available())'` says True, or take --suite cpu"
        )
    return [name for name in SUITES[suite] if not only or name in only]


def run_suite(
    tools: Path,
    suite: str,
    out: str | Path,
    only: Sequence[str] = (),
    rounds: int = ROUNDS,
    quick: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Runs benchmarks one after the other and writes what they found after each.

    None inherits another's memory: each is `TOOLS/benchmark_NAME.py` in a new process. One that fails is left out, and
    the others still run.

    Args:
        tools: folder of the tools.
        suite: `cpu`, which hides GPUs from the benchmarks, or `gpu`.
        out: JSON file. With `only`, what it has of the suite's other benchmarks is kept.
        only: names of benchmarks; all of the suite where there are none.
        rounds: counted rounds of each benchmark.
        quick: tiny inputs, to see that everything runs.
        overwrite: whether `out` may be replaced.

    Returns:
        `suite`, `machine` and `benchmarks`: by name `rounds`, whether `quick`, `code` and `command` (this process's
        commit, see `machine.code_version`, and command line), `started` (UTC, ISO 8601), `load_average` of that moment
        over the last 1, 5 and 15 minutes, the `seconds` that the whole process took, and its `report`.

    Raises:
        UserError: there is no such benchmark, no GPU for the suite, `out` may not be replaced, or a benchmark failed.
    """
    names, out = choose(suite, only), Path(out)
    refuse_existing(out, overwrite)
    code, command = machine.code_version(), machine.command_line()
    shared = {"rounds": rounds, "quick": quick, "code": code, "command": command}
    content = {"suite": suite, "machine": _machine(suite), "benchmarks": _kept(out, suite) if only else {}}
    failed = _run_all(tools, names, shared, out, content)
    if failed:
        raise UserError(f"{'; '.join(failed)}. {out} has the others; run these again with --only NAMES --overwrite")
    return content


def _run_all(
    tools: Path, names: Sequence[str], shared: dict[str, Any], out: Path, content: dict[str, Any]
) -> list[str]:
    """Adds what each benchmark found to `content`, written after each; returns what to say of those that failed."""
    console, failed = Console(stderr=True), []
    for number, name in enumerate(names, 1):
        rounds, quick = shared["rounds"], shared["quick"]
        console.print(f"[bold]{number}/{len(names)} {name}[/bold], {rounds} rounds{', quick' if quick else ''}")
        try:
            found = _run(tools / f"benchmark_{name}.py", content["suite"], rounds, quick)
        except subprocess.CalledProcessError as error:
            failed.append(f"{name} ended with {error.returncode}")
            console.print(f"[red]{name} failed[/red]; its own message is above")
            continue
        console.print(f"{name} took {found['seconds']:.0f} s")
        content["benchmarks"][name] = {**shared, **found}
        write_json(out, content, overwrite=True, indent=1)
    return failed


def _machine(suite: str) -> dict[str, Any]:
    return {**machine.describe(), **({"gpu": None} if suite == "cpu" else {})}


def _kept(out: Path, suite: str) -> dict[str, Any]:
    """The benchmarks that an earlier run of the same suite left."""
    if not out.exists():
        return {}
    content = read_json(out)
    if not isinstance(content, dict) or content.get("suite") != suite:
        raise UserError(f"{out} is not of the suite {suite}: choose another --out, or run the whole suite")
    return content["benchmarks"]


def _run(tool: Path, suite: str, rounds: int, quick: bool) -> dict[str, Any]:
    """One benchmark in a process of its own.

    Raises:
        CalledProcessError: it failed.
    """
    environment = {**os.environ, **({"CUDA_VISIBLE_DEVICES": ""} if suite == "cpu" else {})}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, str(tool), "--rounds", str(rounds), "--out", str(report)]
        moment = {"started": _now(), "load_average": [round(load, 2) for load in os.getloadavg()]}
        start = time.perf_counter()
        subprocess.run(command + ["--quick"] * quick, env=environment, check=True)
        return {**moment, "seconds": time.perf_counter() - start, "report": read_json(report)}


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
