"""Times COCO's average precision as tools/test.py computes it against pycocotools, with the memory each one takes.

The data are 5,000 drawn images with 10 instances each in 15 classes and as many predictions and some more, masks as
RLE. Both start from the annotation file and the predictions in memory and end with the numbers of boxes and masks,
which must agree to 1e-6, else the run fails. Every measurement has a process of its own, and the forms take turns.
The columns:

  s, min, max    median, minimum and maximum of the rounds, in seconds
  faster         how many times faster than pycocotools: median of the rounds' ratios
  MB             the most by which a process's memory grew

Takes about a minute a round.
"""

from __future__ import annotations

import argparse

from seg_vton.analysis.evaluation_benchmark import run
from seg_vton.errors import exit_on_user_error


def parse_args() -> argparse.Namespace:
    """How often and where to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds (default 3)")
    parser.add_argument("--quick", action="store_true", help="20 images: shows that it runs, measures nothing")
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
