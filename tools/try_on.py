"""Dresses people in garments: photos in, photos out.

python tools/try_on.py --person me.jpg --garment shirts/ --segmenter CONFIG CHECKPOINT --gmm CONFIG CHECKPOINT \
    --tom CONFIG CHECKPOINT --out DIR --pose DIR

Every person gets every garment, or --pairs names the pairs. A garment's mask is the one in --garment-mask; else its
picture's alpha channel; else what a person in it wears, by the segmenter; else what is cut out of its background. In
the place of --segmenter, other parsers' label maps of the persons serve: --parsing DIR --label-space atr18.

Writes DIR/try-on/PERSON_GARMENT.png at the photo's resolution, other kinds beside it, and
DIR/records/PERSON_GARMENT.json, which says what they are of. Running the same command again goes on where it was
interrupted. Ends with code 1 when something could not be done; the rest is.
"""

import argparse
import sys

from seg_vton.errors import ToolParser, exit_on_user_error
from seg_vton.labels import DEEPFASHION15, SPACES
from seg_vton.parsing.instances import SCORE_THR


def parse_args() -> argparse.Namespace:
    """Which people, garments and models."""
    parser = ToolParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for role in ("person", "garment"):
        parser.add_argument(f"--{role}", nargs="+", required=True, metavar="PHOTO", help="photos, or folders of them")
    labels = parser.add_mutually_exclusive_group(required=True)
    labels.add_argument("--segmenter", nargs=2, metavar=("CONFIG", "CHECKPOINT"))
    labels.add_argument("--parsing", metavar="DIR", help="folder of label maps NAME.png of the persons, any parser's")
    parser.add_argument("--label-space", choices=list(SPACES), help="of --parsing: atr18 for SCHP's ATR or segformer's")
    for model in ("gmm", "tom"):
        parser.add_argument(f"--{model}", nargs=2, required=True, metavar=("CONFIG", "CHECKPOINT"))
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--pairs", metavar="FILE", help="lines of a person's and a garment's file name; default: all")
    pose = "folder of keypoint files NAME_keypoints.json, an installed estimator, or none for empty pose maps"
    parser.add_argument("--pose", default="auto", metavar="DIR|none|rtmlib|mediapipe", help=pose)
    models = "ONNX files for rtmlib (default: its own download)"
    parser.add_argument("--pose-models", nargs=2, metavar=("DETECTOR", "POSE"), help=models)
    parser.add_argument("--garment-mask", metavar="DIR", help="folder of masks, white on black, named as the garments")
    parser.add_argument("--score-thr", type=float, default=SCORE_THR, help="of the segmenter's instances")
    window = "take the person's whole window as the models render it, not only what changes"
    parser.add_argument("--whole-window", action="store_true", help=window)
    parser.add_argument("--device", help="torch device (default: the GPU where there is one)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    args = parser.parse_args()
    if (args.parsing is None) != (args.label_space is None):
        parser.error("--parsing and --label-space go together: nothing in a label map says what its ids mean")
    return args


def main() -> None:
    """Dresses everybody and says how it went."""
    args = parse_args()
    from seg_vton.apis import ClothingParser, TryOn
    from seg_vton.parsing.maps import ParsingMaps
    from seg_vton.tryon.inference.run import dress_all

    with exit_on_user_error():
        maps = segmenter = None
        if args.parsing:
            maps = ParsingMaps(args.parsing, args.label_space)
        else:
            segmenter = ClothingParser(*args.segmenter, args.device, score_thr=args.score_thr)
        run = dress_all(
            TryOn(
                segmenter, args.gmm, args.tom, args.device, args.whole_window, args.label_space or DEEPFASHION15.name
            ),
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
