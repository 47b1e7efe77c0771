"""What tools that dress people from photos ask for on the command line."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from seg_vton.parsing.instances import SCORE_THR
from seg_vton.pose import add_pose_options

if TYPE_CHECKING:
    from seg_vton.parsing.predictor import ClothingParser

MODELS = "model folder, which tools/export.py writes (default: the one that comes with the package)"
THRESHOLD = f"leave out instances below this score (default: the model folder's, or {SCORE_THR})"


def add_photo_options(parser: ArgumentParser) -> None:
    """Adds the options for persons, garments and poses, and for what makes the label maps of persons."""
    for role in ("person", "garment"):
        parser.add_argument(f"--{role}", nargs="+", required=True, metavar="PHOTO", help="photos, or folders of them")
    parser.add_argument("--models", metavar="DIR", help=MODELS)
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument("--segmenter", nargs=2, metavar=("CONFIG", "CHECKPOINT"), help="instead of the folder's")
    labels.add_argument("--parsing", metavar="DIR", help="folder of the persons' label maps NAME.png, of any parser")
    add_pose_options(parser)
    parser.add_argument("--score-thr", type=float, help=THRESHOLD)
    parser.add_argument("--device", help="torch device (default: the GPU if there is one)")


def parse_photo_options(parser: ArgumentParser) -> Namespace:
    """Reads the command line; `add_photo_options` and `--label-space` have to go together."""
    args = parser.parse_args()
    if args.parsing and not args.label_space:
        parser.error("--parsing needs --label-space: nothing in a label map says what its ids mean")
    if args.parsing and args.score_thr is not None:
        parser.error("--score-thr is of a segmenter's instances, and with --parsing no segmenter runs: leave one out")
    return args


def load_segmenter(
    args: Namespace, options: dict[str, Any] | None = None, one_per_class: bool = True
) -> "ClothingParser":
    """The segmenter of `add_photo_options`: --segmenter, changed by `options`, or else that of the model folder."""
    from seg_vton.engine.launch import load_config
    from seg_vton.engine.model_folder import packaged_folder
    from seg_vton.parsing.predictor import ClothingParser

    if args.segmenter:
        config, checkpoint = args.segmenter
        threshold = SCORE_THR if args.score_thr is None else args.score_thr
        return ClothingParser(load_config(config, options), checkpoint, args.device, threshold, one_per_class)
    folder = packaged_folder() if args.models is None else args.models
    return ClothingParser.load(folder, args.device, args.score_thr, one_per_class)
