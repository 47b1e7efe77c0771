r"""Makes try-on pairs out of photos: the garment a person wears is cut out and laid out on white.

python tools/data/pairs_from_photos.py --photos data/ccp/photos --masks data/ccp/annotations/instances_train.json \
    data/ccp/annotations/instances_val.json --train 0001-0704 --test 0705-0804 --out data/ccp-tryon
python tools/data/pairs_from_photos.py --photos album --masks parsed --out data/album-tryon

Writes VITON's layout with parsing maps in deepfashion15: TryOnDataset(layout="viton", label_space="deepfashion15").
Maps that cannot be converted to it, such as SCHP's (--parsing DIR --label-space atr18), stay as they are; dataset.json
names their space. OUT/SPLIT/warp has the warps that the GMM learns. Photos that lack what training needs are left out
and counted. If a photo, mask or pose cannot be read, the others are used, and the exit code is 1.
"""

import argparse
import sys
from pathlib import Path

from seg_vton.errors import ToolParser, exit_on_user_error
from seg_vton.labels import DEEPFASHION15, SPACES
from seg_vton.pictures.crop import FRAMES
from seg_vton.pose import add_pose_options

_EXAMPLES = 5


def parse_args() -> argparse.Namespace:
    """Which photos, which splits, and how the pairs are made."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="folder of the photos")
    masks = "COCO JSON files of the 15 classes, or folders of label maps NAME.png, or what tools/parse.py wrote"
    parser.add_argument("--masks", "--parsing", type=Path, nargs="+", required=True, metavar="PATH", help=masks)
    space = "label space of label maps (default: %(default)s)"
    parser.add_argument("--label-space", choices=list(SPACES), default=DEEPFASHION15.name, help=space)
    predicted = "what tools/parse.py wrote for the same photos, to train on predicted parsing maps"
    parser.add_argument("--predicted", type=Path, metavar="DIR", help=predicted)
    add_pose_options(parser, "--poses")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="appears when it is complete")
    parser.add_argument("--train", nargs="+", default=[], metavar="IDS", help="0001-0704, ids, or patterns such as a_*")
    parser.add_argument("--test", nargs="+", default=[], metavar="IDS", help="the same; a person is never in both")
    parser.add_argument("--test-share", type=float, default=0.1, help="share to test on, without --train and --test")
    parser.add_argument("--person-id", metavar="REGEX", help="matches the id in a photo's name (default: all of it)")
    parser.add_argument("--size", type=int, nargs=2, default=(192, 256), metavar=("W", "H"), help="size of pictures")
    parser.add_argument("--frame", choices=FRAMES, default="upper", help="head to hips as in VITON, or everything")
    parser.add_argument("--background", choices=("white", "photo"), default="white", help="what is behind persons")
    garment = "all upper garments as one, or only persons who wear just one"
    parser.add_argument("--garment", choices=("union", "single"), default="union", help=garment)
    parser.add_argument("--keep-hidden", action="store_true", help="do not paint in what arms, hair and bags hide")
    parser.add_argument("--keep-labels", action="store_true", help="do not label a face where the masks have none")
    parser.add_argument("--min-garment", type=int, default=2500, help="smallest garment, in pixels at 256x192")
    parser.add_argument("--strength", type=float, default=1.0, help="of the random deformation (default: %(default)s)")
    parser.add_argument("--variants", type=int, default=1, help="garments laid out for each training photo")
    parser.add_argument("--mirror", type=float, default=0.5, help="share of the training pairs that are mirrored")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier set at OUT")
    return parser.parse_args()


def main() -> None:
    """Makes the pairs and says what was left out."""
    args = parse_args()
    from seg_vton.data.photo_pairs import Plan, Settings, SplitRule, find_labeled, write_photo_pairs
    from seg_vton.pictures.photos import find_photos

    settings = Settings(
        size=(args.size[1], args.size[0]),
        frame=args.frame,
        background=args.background,
        garment=args.garment,
        fill_hidden=not args.keep_hidden,
        find_face=not args.keep_labels,
        min_garment=args.min_garment,
        strength=args.strength,
        pose_needed=args.pose != "none",
    )
    rule = SplitRule(args.train, args.test, args.test_share, args.person_id, args.seed)
    with exit_on_user_error():
        photos = find_labeled(args.photos, args.masks, args.label_space)
        predicted = args.predicted and {p.place: p for p in find_labeled(args.photos, [args.predicted])}
        plan = Plan(
            photos, args.pose, rule, settings, args.variants, args.mirror, args.seed, args.pose_models, predicted
        )
        outcome = write_photo_pairs(args.out, plan, args.workers, args.overwrite)
        labeled, maps = {item.photo for item in photos}, (*args.masks, args.out, args.predicted or args.out)
        others = [path for path in find_photos(args.photos) if path not in labeled]
        others = [path.name for path in others if not any(map(path.is_relative_to, maps))]
        outcome.dropped |= {"no labels": others} if others else {}
    for fault in outcome.faults:
        print(f"error: {fault}", file=sys.stderr)
    for reason, names in sorted(outcome.dropped.items()):
        print(f"left out {len(names)} x {reason}: {_some(names)}")
    if outcome.several:
        print(f"of several people, used the one on the body {len(outcome.several)} x: {_some(outcome.several)}")
    if outcome.beside:
        print(f"most joints lie beside the person {len(outcome.beside)} x: {_some(outcome.beside)}; poses must be of")
        print("these photos, in pixels of the upright photos")
    if args.pose == "none":
        print("the pose maps are empty: --pose none")
    pairs = ", ".join(f"{count} in {name}" for name, count in outcome.pairs.items())
    print(f"wrote {args.out}: {outcome.persons['train']} persons to train on, {outcome.persons['test']} to test on")
    print(f"pairs: {pairs}; {len(outcome.faults)} photos could not be read")
    sys.exit(bool(outcome.faults))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")


if __name__ == "__main__":
    main()
