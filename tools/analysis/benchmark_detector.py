"""Times a training step and an inference of Mask R-CNN: R50-FPN in mmdet's plain settings and in ours, CARAFE-FPN.

All run in one process, in turn, on the same image. Plain settings are NCHW memory, batch normalization as a layer of
its own, and RoIs pooled sample by sample, by torchvision's operator where mmcv has no compiled ones. Ours are what the
configs' hooks and seg_vton.ops make of the same model: channels-last memory, RoIs pooled by matrix products, and for
inferences batch normalization folded into the convolutions. To give all the same work whatever random weights find, the
image has 128 instances: every training step then samples 512 RoIs of which 128 are positive, and every inference keeps
100 detections. The columns:

  median s   of the rounds, in seconds
  faster     how many times faster than R50-FPN in plain settings: median, min and max of the rounds' ratios
  GFLOP      floating-point operations in convolutions and matrix products, without the pooling of RoIs
  of peak    GFLOP a second as a share of the best float32 matrix product, measured in the same run before and after
  MB         the most that PyTorch's allocator holds beyond what it held before

Takes some minutes and 6 GB.
"""

from __future__ import annotations

import argparse

from seg_vton.analysis.benchmark_suite import benchmark_parser
from seg_vton.analysis.detector_benchmark import run
from seg_vton.errors import exit_on_user_error


def parse_args() -> argparse.Namespace:
    """Which configs, how often, where to."""
    folder = "configs/segmentation/"
    parser = benchmark_parser(__doc__, tiny="a tiny image")
    parser.add_argument("--plain", default=folder + "mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion.py")
    parser.add_argument("--ours", default=folder + "mask-rcnn_r50_carafe-fpn_sgd-lr0.009_2e_deepfashion.py")
    parser.add_argument("--size", type=int, nargs=2, default=(750, 1101), metavar=("W", "H"), help="image in pixels")
    return parser.parse_args()


def main() -> None:
    """Runs the benchmark."""
    args = parse_args()
    with exit_on_user_error():
        run(args.plain, args.ours, tuple(args.size), args.rounds, args.quick, args.out, args.overwrite)


if __name__ == "__main__":
    main()
