"""Items a second through the data pipelines with two workers: ours against the published or plain forms.

Segmentation: batches of 2 photos of 750 x 1101 pixels with boxes, classes and masks, resized and flipped, as for a
training. Plain is torchvision's way (Pillow, an annotation's mask decoded by itself, transforms v2); mmdet's own data
set with the same transforms as ours stands beside it. Try-on: batches of 4 at 256 x 192. Published are the operations
of CP-VTON's data loader on the same files. All pictures are paper dolls, drawn for the run. The columns:

  items/s   median of the rounds
  faster    how many times faster than the first form: median, min and max of the rounds' ratios
  MB        the most by which the peak of a worker's resident memory rose after its start; what it writes to pages that
            it shares with the process it was forked from is not seen

Takes about a minute.
"""

from __future__ import annotations

from seg_vton.analysis.benchmark_suite import benchmark_parser
from seg_vton.analysis.data_benchmark import run
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Runs the benchmark."""
    args = benchmark_parser(__doc__, tiny="a few tiny items").parse_args()
    with exit_on_user_error():
        run(args.rounds, args.quick, args.out, args.overwrite)


if __name__ == "__main__":
    main()
