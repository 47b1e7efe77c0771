"""Runs the benchmarks one after the other, each in a process of its own, and writes their figures to one JSON.

  ops         CARAFE against the usual ways to write it
  detector    a training step and an inference of R50-FPN Mask R-CNN in mmdet's settings and ours, and of CARAFE-FPN
  tryon       training steps of GMM and TOM against CP-VTON's published form
  data        items a second through the data pipelines against plain and published forms
  evaluation  COCO's average precision by faster-coco-eval, as seg_vton calls it, against pycocotools

What is compared runs interleaved in one process, so that only ratios inside a run count. `--suite cpu` hides GPUs and
needs 7 GB and a machine with nothing else running; docs/benchmarks.md says how long it took. `--suite gpu` has ops,
detector and tryon. Every benchmark is also a tool of its own, `benchmark_NAME.py`, whose --help says what its figures
are. docs/benchmarks.md is made from the JSON by benchmark_table.py --page.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seg_vton.analysis.benchmark_suite import ROUNDS, SUITES, run_suite
from seg_vton.errors import ToolParser, exit_on_user_error


def parse_args() -> argparse.Namespace:
    """Which, how often, where to."""
    parser = ToolParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, required=True, help="where to run")
    parser.add_argument("--out", required=True, metavar="FILE.json", help="where to write, after each benchmark")
    parser.add_argument("--only", default="", metavar="NAME,NAME", help="these alone; FILE.json keeps its other ones")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"counted rounds of each (default {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="tiny inputs: shows that it runs, measures nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE.json")
    return parser.parse_args()


def main() -> None:
    """Runs the suite."""
    args = parse_args()
    only = [name for name in args.only.split(",") if name]
    with exit_on_user_error():
        run_suite(Path(__file__).parent, args.suite, args.out, only, args.rounds, args.quick, args.overwrite)


if __name__ == "__main__":
    main()
