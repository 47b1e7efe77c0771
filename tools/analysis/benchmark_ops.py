"""Times CARAFE on the CPU against the usual ways to write it, forward and backward, with the memory each one takes.

All forms run in one process, in turn, on the same random inputs: the largest map that the neck upsamples at 750 x 1101
pixels, and 100 regions of interest in the mask head, both upsampled by 2 with 5 x 5 kernels. The columns:

  ms         median of the rounds, in milliseconds
  faster     how many times faster than the first form: median, min and max of the rounds' ratios
  MB         the most that PyTorch's allocator holds at a time, results included
  / output   the same in sizes of the output
  matmul     the multiply-adds that the operation needs, a second, as a share of the best float32 matrix product
  copy       its inputs read once and its results written once, a second, as a share of the best copy

The best product and the best copy are measured in the same run, before and after. Takes some minutes and 7 GB.
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
