"""Cuts garments out of photos: cloth and cloth-mask, as every try-on data set has them.

python tools/data/cut_garments.py shirts/ jacket.jpg --out DIR
python tools/data/cut_garments.py shirts/ --out DIR --size photo --models MODELS

Writes DIR/cloth/NAME.jpg (the garment on white), DIR/cloth-mask/NAME.png (white on black), DIR/panel/NAME.jpg (the
photo beside what was kept of it) and DIR/records. A garment may lie or hang before any background that does not look
like it; one that somebody wears is found by the segmenter. If a picture has an alpha channel, that is the mask. Run the
same command again to continue an interrupted run. If a photo cannot be used, the others are, and the exit code is 1.
"""

import sys

from seg_vton.errors import ToolParser, exit_on_user_error, height_by_width
from seg_vton.parsing.options import MODELS, THRESHOLD, load_segmenter


def main() -> None:
    """Cuts the garments out and says how it went."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("inputs", nargs="+", metavar="PHOTO_OR_FOLDER", help="photos, or folders of photos")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    size = "size of the pictures, which frame the garment; photo keeps each photo's frame (default: %(default)s)"
    parser.add_argument(
        "--size",
        type=lambda text: None if text == "photo" else height_by_width(text),
        default="1024x768",
        metavar="HEIGHTxWIDTH|photo",
        help=size,
    )
    segmenters = parser.add_mutually_exclusive_group()
    segmenters.add_argument("--models", metavar="DIR", help=MODELS)
    pair = ("CONFIG", "CHECKPOINT")
    segmenters.add_argument("--segmenter", nargs=2, metavar=pair, help="instead of the folder's segmenter")
    parser.add_argument("--score-thr", type=float, help=THRESHOLD)
    parser.add_argument("--device", help="torch device (default: the GPU if there is one)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    args = parser.parse_args()
    from seg_vton.data.cut_garments import cut_garments

    with exit_on_user_error():
        run = cut_garments(args.inputs, args.out, args.size, load_segmenter(args), args.overwrite)
    run.print_warnings()
    print(f"cut out {run.done} garments, {run.complete} were done before, {len(run.failures)} failed: {args.out}")
    sys.exit(bool(run.failures))


if __name__ == "__main__":
    main()
