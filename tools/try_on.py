r"""Dresses people in garments: photos in, photos out.

python tools/try_on.py --models DIR --person me.jpg --garment shirts/ --out DIR --pose DIR
python tools/try_on.py --person me.jpg --garment shirts/ --segmenter CONFIG CHECKPOINT --gmm CONFIG CHECKPOINT \
    --tom CONFIG CHECKPOINT --out DIR --pose DIR

The models are those of a model folder; --segmenter, --gmm and --tom replace some or all of them. Every person gets
every garment, unless --pairs names the pairs. A garment's mask is the first of these that exists: the file in
--garment-mask, the picture's alpha channel, what a person in it wears as the segmenter sees it, a cut-out from the
background. Label maps of another parser can replace the segmenter: --parsing DIR --label-space atr18.

Writes DIR/try-on/PERSON_GARMENT.png at the photo's resolution, other kinds of pictures beside it, and
DIR/records/PERSON_GARMENT.json, which says how they were made. Run the same command again to continue an interrupted
run. If something cannot be done, the rest is, and the exit code is 1.
"""

import argparse
import sys

from seg_vton.errors import ToolParser, exit_on_user_error
from seg_vton.labels import DEEPFASHION15, SPACES
from seg_vton.parsing.options import add_photo_options, load_segmenter, parse_photo_options


def parse_args() -> argparse.Namespace:
    """Which people, garments and models."""
    parser = ToolParser(description=__doc__)
    add_photo_options(parser)
    parser.add_argument("--label-space", choices=list(SPACES), help="of the --parsing maps: atr18 for SCHP, segformer")
    for model in ("gmm", "tom"):
        pair = ("CONFIG", "CHECKPOINT")
        parser.add_argument(f"--{model}", nargs=2, metavar=pair, help=f"instead of the folder's {model}")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--pairs", metavar="FILE", help="a person's and a garment's file name a line (default: all)")
    parser.add_argument("--garment-mask", metavar="DIR", help="folder of masks, white on black, named as the garments")
    window = "take everything that the models render, not only what changes"
    parser.add_argument("--whole-window", action="store_true", help=window)
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    args = parse_photo_options(parser)
    if args.label_space and not args.parsing:
        parser.error("--label-space is of the maps of --parsing: give both, or leave it out")
    return args


def main() -> None:
    """Dresses everybody and says how it went."""
    args = parse_args()
    from seg_vton.engine.model_folder import chosen_parts
    from seg_vton.parsing.maps import ParsingMaps
    from seg_vton.tryon.inference.run import dress_all
    from seg_vton.tryon.predictor import TryOn

    with exit_on_user_error():
        gmm, tom = chosen_parts(args.models, {"gmm": args.gmm, "tom": args.tom}).values()
        maps = ParsingMaps(args.parsing, args.label_space) if args.parsing else None
        segmenter = None if maps else load_segmenter(args)
        run = dress_all(
            TryOn(segmenter, gmm, tom, args.device, args.whole_window, args.label_space or DEEPFASHION15.name),
            args.person,
            args.garment,
            args.out,
            pairs=args.pairs,
            pose=args.pose,
            garment_masks=args.garment_mask,
            overwrite=args.overwrite,
            pose_models=args.pose_models,
            maps=maps,
        )
    run.print_warnings()
    print(f"made {run.done} try-ons, {run.complete} were done before, {len(run.failures)} faults: {args.out}")
    sys.exit(bool(run.failures))


if __name__ == "__main__":
    main()
