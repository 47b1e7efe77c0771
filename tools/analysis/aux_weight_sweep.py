"""Trains and tests GMM and TOM with other weights of the auxiliary loss and of the classes, on the paper doll.

  python tools/data/paper_doll.py --out data/paper-doll-tryon --train 2000 --test 200 --layout viton
  python tools/analysis/aux_weight_sweep.py --out work_dirs/aux-weight-sweep --amp

A row is a work dir and a log in the folder of --out; its result lies beside its checkpoint. What is there is not run
again and a training that was stopped goes on, so that the tool may be interrupted, and called with more seeds later.
Several of it may run at once where they have different seeds. A folder has runs of one length, precision and set of
--cfg-options; others want another folder. The table is printed at the end. On one CPU core a GMM takes about 3 minutes
and a TOM about 4, and there are 8 of each a seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seg_vton.analysis.aux_weight_sweep import CONFIGS, WEIGHED_CLASSES, Sweep, run_sweep
from seg_vton.errors import exit_on_user_error


def parse_args() -> argparse.Namespace:
    """Which rows, how long, where to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Sweep(Path())
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the rows' work dirs go")
    parser.add_argument("--stages", nargs="+", choices=CONFIGS, default=default.stages, help="default: both")
    parser.add_argument("--seeds", nargs="+", type=int, default=default.seeds, metavar="N", help="default: 0")
    parser.add_argument("--iterations", type=int, default=default.iterations, help="of each training (default 1000)")
    weights = {"nargs": "*", "type": float, "metavar": "W"}
    parser.add_argument(
        "--loss-weights", **weights, default=default.loss_weights, help="default: 0.1 0.3 1 3 10; the classes' stay"
    )
    parser.add_argument(
        "--class-weights",
        **weights,
        default=default.class_weights,
        help=f"of {' and '.join(WEIGHED_CLASSES)}; default: 1 3; the loss's is 1",
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision: float16 on a GPU, bfloat16 on the CPU")
    parser.add_argument(
        "--cfg-options", nargs="+", default=(), metavar="KEY=VALUE", help="change the configs of all rows"
    )
    return parser.parse_args()


def main() -> None:
    """Runs the sweep and prints its table."""
    args = parse_args()
    with exit_on_user_error():
        sweep = Sweep(
            out=args.out,
            stages=tuple(args.stages),
            seeds=tuple(args.seeds),
            iterations=args.iterations,
            loss_weights=tuple(args.loss_weights),
            class_weights=tuple(args.class_weights),
            amp=args.amp,
            options=tuple(args.cfg_options),
        )
        print(run_sweep(Path(__file__).parents[2], sweep))


if __name__ == "__main__":
    main()
