"""Finds clothing in photos: masks, label maps and overlays, for try-on or for looking at.

python tools/parse.py me.jpg photos/ --out DIR
python tools/parse.py --models MODELS photos/ --out DIR --write coco label-map instances overlay
python tools/parse.py CONFIG CHECKPOINT photos/ --out DIR
torchrun --nproc_per_node 2 tools/parse.py CONFIG CHECKPOINT photos/ --out DIR

The segmenter is that of a model folder, or a config and its checkpoint, given before the photos; without either it is
the packaged one. Writes DIR/label-map/NAME.png and so on, and DIR/records/NAME.json, which says how they were made.
NAME is the photo's path in its folder. Run the same command again to continue an interrupted run. If a photo cannot be
parsed, the others are, and the exit code is 1.
"""

import argparse
import os
import sys

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error
from seg_vton.parsing.options import MODELS, THRESHOLD, load_segmenter
from seg_vton.parsing.writers import KINDS

_MAPS = {
    "fused": "the model's semantic map, with its instances of accessories and hair in their place",
    "instances": "the model's instances, merged",
}


def parse_args() -> argparse.Namespace:
    """Which model, which photos, what to write."""
    parser = ToolParser(description=__doc__)
    inputs = "photos, or folders of them; before them, if you like, the CONFIG and CHECKPOINT of a segmenter"
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help=inputs)
    parser.add_argument("--models", metavar="MODELS", help=MODELS)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    kinds = ["coco", "label-map"]
    parser.add_argument("--write", nargs="+", choices=list(KINDS), default=kinds, help="default: coco label-map")
    parser.add_argument("--label-space", metavar="NAME", help="of the label maps (default: the segmenter's own)")
    parser.add_argument("--score-thr", type=float, help=THRESHOLD)
    parser.add_argument("--all-instances", action="store_true", help="keep all instances, not one per class")
    parser.add_argument("--keep-holes", action="store_true", help="do not fill small holes between merged instances")
    parser.add_argument("--batch-size", type=int, default=1, help="photos in a batch")
    parser.add_argument("--device", help="torch device (default: the GPU if there is one)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change the config")
    launcher = "pytorch" if "TORCHELASTIC_RUN_ID" in os.environ else "none"
    splits = "pytorch divides the photos among torchrun's processes, and is the default there"
    parser.add_argument("--launcher", choices=["none", "pytorch"], default=launcher, help=splits)
    args = parser.parse_intermixed_args()  # CONFIG CHECKPOINT --out DIR PHOTO works too
    args.segmenter = args.inputs[:2] if args.inputs[0].endswith((".py", ".json", ".yaml", ".yml")) else None
    if args.segmenter:
        args.inputs = args.inputs[2:]
        if not args.inputs:
            parser.error("after CONFIG and CHECKPOINT photos are needed, or folders of photos")
        if args.models:
            parser.error("--models and CONFIG CHECKPOINT both name a segmenter: give one")
    elif args.cfg_options:
        parser.error("--cfg-options changes a config: give CONFIG CHECKPOINT before the photos")
    return args


def main() -> None:
    """Parses the photos; the first process says how it went."""
    args = parse_args()
    from seg_vton.parsing.run import parse_photos, start_processes
    from seg_vton.processes import leave_process_group

    with exit_on_user_error():
        device = start_processes(args.launcher)
        args.device = args.device or device
        parser = load_segmenter(args, args.cfg_options, not args.all_instances)
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
        print(f"nothing was found in {len(empty)}: {some} (--score-thr {parser.score_thr:g}; a lower one finds more)")
    sys.exit(bool(run.failures))


if __name__ == "__main__":
    main()
