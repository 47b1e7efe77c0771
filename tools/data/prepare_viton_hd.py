r"""Makes a test set in VITON-HD's layout from photos of persons and garments, for this repo and others that read it.

python tools/data/prepare_viton_hd.py --person people/ --garment shirts/ --out data/mine --models DIR
python tools/data/prepare_viton_hd.py --person people/ --garment shirts/ --pose poses/ --out data/mine \
    --parsing maps/ --label-space atr18

Writes OUT/test/{image,image-parse-v3,image-parse-agnostic-v3.2,agnostic-v3.2,agnostic-mask,openpose_json,cloth,
cloth-mask}, OUT/test_pairs.txt, OUT/dataset.json, which names the label space of the parsing maps, and
OUT/contact-sheet.jpg, which shows all of it. Run the same command again to continue an interrupted run; nothing is
overwritten. If something cannot be made, the rest is, and the exit code is 1.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from seg_vton.errors import ToolParser, exit_on_user_error, height_by_width
from seg_vton.labels import SPACES
from seg_vton.parsing.options import add_photo_options, load_segmenter, parse_photo_options


def parse_args() -> argparse.Namespace:
    """Which photos, and what sees persons and poses in them."""
    parser = ToolParser(description=__doc__)
    add_photo_options(parser)
    parser.add_argument("--label-space", choices=SPACES, help="of --parsing; with a segmenter, of the maps to write")
    parser.add_argument("--out", type=Path, required=True, metavar="ROOT", help="root of the set")
    size = partial(height_by_width, least=64)
    parser.add_argument("--size", type=size, default=(1024, 768), metavar="HxW", help="height x width (1024x768)")
    parser.add_argument("--pose-format", choices=("body25", "coco18"), default="body25", help="order of the joints")
    parser.add_argument("--overwrite", action="store_true", help="make everything again")
    args = parse_photo_options(parser)
    if args.models and (args.segmenter or args.parsing):
        parser.error("--models, --segmenter and --parsing each make the label maps: give one")
    return args


def main() -> None:
    """Makes the set and says what is not in it."""
    args = parse_args()
    from seg_vton.data.viton_hd import LEFT_OUT, SHEET, prepare
    from seg_vton.parsing.maps import ParsingMaps
    from seg_vton.pose import Poses

    with exit_on_user_error():
        if args.parsing:
            parser, label_space = ParsingMaps(args.parsing, args.label_space), None
        else:
            parser, label_space = load_segmenter(args), args.label_space
        run = prepare(
            args.out,
            args.person,
            args.garment,
            parser,
            Poses(args.pose, args.pose_models, args.device),
            args.size,
            args.pose_format == "body25",
            label_space,
            args.overwrite,
        )
    run.print_warnings()
    for folder, maker in LEFT_OUT.items():
        print(f"left out {folder}: {maker}")
    counts = f"{run.complete} were done before, {len(run.failures)} faults; {run.pairs} pairs"
    shown = f", shown in {args.out / SHEET}" if (args.out / SHEET).exists() else ""
    print(f"made {run.done} persons and garments, {counts}: {args.out}{shown}")
    sys.exit(bool(run.failures))


if __name__ == "__main__":
    main()
