"""Times CARAFE on the CPU against the usual ways to write it, forward and backward, with the memory each one takes.

All forms run in one process, in turn, on the same random inputs: the largest map of the neck at 750 x 1101 pixels and
64 regions of interest in the mask head, both upsampled by 2 with 5 x 5 kernels. The columns:

  ms, min    median and minimum of the rounds, in milliseconds
  faster     how many times faster than the first form: median of the rounds' ratios
  MB         the most that PyTorch's allocator holds at a time, results included
  / output   the same in sizes of the output
  matmul     share of the best matrix product of this machine, measured in the same run, for the task's multiply-adds
  copy       share of its best copy, for inputs read once and results written once

Takes some minutes and 4 GB.
"""

from __future__ import annotations

import argparse

from seg_vton.analysis.ops_benchmark import run
from seg_vton.errors import exit_on_user_error


def parse_args() -> argparse.Namespace:
    """How often and where to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--quick", action="store_true", help="tiny maps: shows that it runs, measures nothing")
    parser.add_argument("--out", metavar="FILE.json", help="write the figures as JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing FILE.json")
    return parser.parse_args()


def main() -> None:
    """Runs the benchmark."""
    args = parse_args()
    with exit_on_user_error():
        run(args.rounds, args.quick, args.out, args.overwrite)


if __name__ == "__main__":
    main()
