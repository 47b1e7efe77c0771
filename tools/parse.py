"""Finds clothing in photos: masks, label maps and overlays, for try-on or for looking at.

python tools/parse.py CONFIG CHECKPOINT me.jpg photos/ --out DIR --write coco label-map instances overlay
torchrun --nproc_per_node 2 tools/parse.py CONFIG CHECKPOINT photos/ --out DIR

Writes DIR/label-map/NAME.png and so on, and DIR/records/NAME.json, which says what they are of. NAME is the photo's
path in its folder. Running the same command again goes on where it was interrupted. Ends with code 1 when a photo could
not be parsed; the others are.
"""

import argparse
import os
import sys

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error
from seg_vton.parsing.instances import SCORE_THR
from seg_vton.parsing.writers import KINDS

_MAPS = {
    "fused": "the model's semantic map, with its instances of accessories painted over it",
    "instances": "the model's instances, merged",
}


def parse_args() -> argparse.Namespace:
    """Which model, which photos, what to write."""
    parser = ToolParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="segmentation config")
    parser.add_argument("checkpoint", help="its checkpoint")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="photos, or folders of photos")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    kinds = ["coco", "label-map"]
    parser.add_argument("--write", nargs="+", choices=list(KINDS), default=kinds, help="default: coco label-map")
    parser.add_argument("--label-space", metavar="NAME", help="of the label maps (default: the segmenter's own)")
    parser.add_argument("--score-thr", type=float, default=SCORE_THR, help="of instances (default: %(default)s)")
    parser.add_argument("--all-instances", action="store_true", help="not only the best instance of each class")
    parser.add_argument("--keep-holes", action="store_true", help="do not fill small holes between merged instances")
    parser.add_argument("--batch-size", type=int, default=1, help="photos in one pass")
    parser.add_argument("--device", help="torch device (default: the GPU where there is one)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change the config")
    started_by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    launcher, splits = (
        "pytorch" if started_by_torchrun else "none",
        "pytorch: over torchrun's processes, the default there",
    )
    parser.add_argument("--launcher", choices=["none", "pytorch"], default=launcher, help=splits)
    return parser.parse_args()


def main() -> None:
    """Parses the photos; the first process says how it went."""
    args = parse_args()
    from seg_vton.engine.launch import load_config
    from seg_vton.parsing.predictor import ClothingParser
    from seg_vton.parsing.run import parse_photos, start_processes
    from seg_vton.processes import leave_process_group

    with exit_on_user_error():
        device = start_processes(args.launcher)
        parser = ClothingParser(
            load_config(args.config, args.cfg_options),
            args.checkpoint,
            device=args.device or device,
            score_thr=args.score_thr,
            one_per_class=not args.all_instances,
        )
        run = parse_photos(
            parser,
            args.inputs,
            args.out,
            kinds=args.write,
            label_space=args.label_space,
            fill_holes=not args.keep_holes,
            batch_size=args.batch_size,
            overwrite=args.overwrite,
        )
        leave_process_group()
    if int(os.environ.get("RANK", "0")):
        return
    print(f"parsed {run.done} photos, {run.complete} were done before, {len(run.failures)} failed: {args.out}")
    print(f"label maps are {_MAPS[parser.stamp['map']]}")
    if empty := list(run.warnings):
        some = ", ".join(empty[:10]) + (", ..." if len(empty) > 10 else "")
        print(f"nothing was found in {len(empty)}: {some} (--score-thr {args.score_thr:g}; a lower one finds more)")
    sys.exit(bool(run.failures))


if __name__ == "__main__":
    main()
