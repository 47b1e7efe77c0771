"""Times COCO's average precision by faster-coco-eval, as seg_vton calls it, against pycocotools, with the memory taken.

The data are 5,000 drawn images with 10 instances each in 15 classes and as many predictions and some more, masks as
RLE. Both start from the annotation file and the predictions in memory and end with the numbers of boxes and masks,
which must agree to 1e-6, else the run fails. Every measurement has a process of its own, which has evaluated a few
images before, and the forms take turns. The columns:

  s        median of the rounds, in seconds
  faster   how many times faster than pycocotools: median, min and max of the rounds' ratios
  MB       the most by which the peak of a process's resident memory rose; what it writes to pages that it shares with
           the process it was forked from is not seen

Takes about a minute a round.
"""

from __future__ import annotations

from seg_vton.analysis.benchmark_suite import benchmark_parser
from seg_vton.analysis.evaluation_benchmark import run
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Runs the benchmark."""
    args = benchmark_parser(__doc__, tiny="20 images").parse_args()
    with exit_on_user_error():
        run(args.rounds, args.quick, args.out, args.overwrite)


if __name__ == "__main__":
    main()
