"""Times the try-on networks' training against the published form: spline grid, GMM step, TOM step.

All candidates of a task run in one process, in turn, on the same batch of 4 at 256 x 192, from the same weights. The
published form is CP-VTON's computation written plainly (contiguous tensors, the spline from its definition for every
batch); ours is what tools/train.py runs with the configs' channels-last memory and fused Adam. A step is forward,
backward and update. TOM's perceptual loss runs on VGG19 with random weights. The columns:

  ms        median of the rounds, in milliseconds
  faster    how many times faster than the published form: median, min and max of the rounds' ratios; ours with the
            auxiliary decoder is compared with ours without it
  GFLOP     floating-point operations that the form executes in convolutions and matrix products
  of peak   GFLOP a second as a share of the best float32 matrix product, measured in the same run before and after
  MB        the most that PyTorch's allocator holds during a step beyond what it held before, without old gradients

Runs on the GPU where there is one. Takes some minutes and 6 GB.
"""

from __future__ import annotations

from seg_vton.analysis.benchmark_suite import benchmark_parser
from seg_vton.analysis.tryon_benchmark import run
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Runs the benchmark."""
    args = benchmark_parser(__doc__, tiny="tiny networks").parse_args()
    with exit_on_user_error():
        run(args.rounds, args.quick, args.out, args.overwrite)


if __name__ == "__main__":
    main()
