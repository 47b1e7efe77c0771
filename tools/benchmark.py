"""Measures how fast the parts are, compared with the usual ways to write each, and writes the numbers to one JSON.

  ops         CARAFE against the usual ways to write it
  detector    a training step and an inference of R50-FPN Mask R-CNN in mmdet's settings and ours, and of CARAFE-FPN
  tryon       training steps of GMM and TOM against CP-VTON's published form
  data        items a second through the data pipelines against plain and published forms

`--suite cpu` runs all of them with GPUs hidden; it needs 7 GB and a machine with nothing else running. `--suite gpu`
runs ops, detector and tryon. docs/benchmarks.md says how to read the numbers.
"""

import argparse
import datetime
import multiprocessing
import os
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console

from seg_vton import machine
from seg_vton.errors import ToolParser, UserError, exit_on_user_error
from seg_vton.files import read_json, refuse_existing, write_json

SUITES = {"cpu": ("ops", "detector", "tryon", "data"), "gpu": ("ops", "detector", "tryon")}


def parse_args() -> argparse.Namespace:
    """Which, how often, where to."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("--suite", nargs="+", choices=[*SUITES, *SUITES["cpu"]], required=True, help="what to measure")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="written after each")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds of each (default 5)")
    parser.add_argument("--quick", action="store_true", help="tiny inputs: shows that it runs, measures nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace these in FILE.json; the rest stays")
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Runs each benchmark in a process of its own, so that none inherits another's memory; one may fail alone."""
    import torch

    from seg_vton.analysis.benchmarks import run
    from seg_vton.analysis.tables import benchmark_tables

    names = list(dict.fromkeys(name for suite in args.suite for name in SUITES.get(suite, (suite,))))
    if args.rounds < 1:
        raise UserError(f"--rounds is {args.rounds}: it must be 1 or more")
    if {"cpu", "gpu"} <= set(args.suite):
        raise UserError("--suite cpu hides the GPU: measure cpu and gpu in two runs, with an --out each")
    if "gpu" in args.suite and not torch.cuda.is_available():
        raise UserError(f"--suite gpu needs a CUDA GPU, and torch {torch.__version__} finds none")
    if "cpu" in args.suite:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    refuse_existing(args.out, args.overwrite)
    console, content, failed = Console(stderr=True), {"benchmarks": {}}, []
    if args.out.exists():
        content = read_json(args.out)
        if not isinstance(content, dict) or "benchmarks" not in content:
            raise UserError(f"{args.out} is not a report of tools/benchmark.py: choose another --out")
    facts = {"rounds": args.rounds, "quick": args.quick, "code": machine.code_version()}
    facts["command"] = machine.command_line()
    for name in names:
        console.print(f"[bold]{name}[/bold], {args.rounds} rounds")
        started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        load, start = [round(load, 2) for load in os.getloadavg()], time.perf_counter()
        try:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
                report = executor.submit(run, name, args.rounds, args.quick).result()
        except Exception:  # whatever it is, the others' figures are worth having
            traceback.print_exc()
            failed.append(name)
            continue
        moment = {"started": started, "load_average": load, "seconds": time.perf_counter() - start}
        content["benchmarks"][name] = {**facts, **moment, "report": report}
        write_json(args.out, content, overwrite=True, indent=1)
        print(benchmark_tables(args.out, [name]), flush=True)
    if failed:
        raise UserError(f"{', '.join(failed)} failed, as said above: run --suite {' '.join(failed)} --overwrite again")


if __name__ == "__main__":
    arguments = parse_args()
    with exit_on_user_error():
        measure(arguments)
