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

from seg_vton.analysis.benchmark_suite import benchmark_parser
from seg_vton.analysis.ops_benchmark import run
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Runs the benchmark."""
    args = benchmark_parser(__doc__, tiny="tiny maps").parse_args()
    with exit_on_user_error():
        run(args.rounds, args.quick, args.out, args.overwrite)


if __name__ == "__main__":
    main()
