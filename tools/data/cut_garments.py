"""Cuts garments out of photos: cloth and cloth-mask, as every try-on data set has them.

python tools/data/cut_garments.py shirts/ jacket.jpg --out DIR
python tools/data/cut_garments.py shirts/ --out DIR --size photo --segmenter CONFIG CHECKPOINT

Writes DIR/cloth/NAME.jpg (the garment on white), DIR/cloth-mask/NAME.png (white on black), DIR/panel/NAME.jpg (the
photo beside what was kept of it) and DIR/records. Garments may lie or hang before anything that does not look like
them; those that somebody wears need --segmenter. A picture's alpha channel is its mask. Running the same command again
goes on where it was interrupted. Ends with code 1 when a photo could not be used; the others are.
"""

import argparse
import sys

from seg_vton.errors import ToolParser, exit_on_user_error, height_by_width


def main() -> None:
    """Cuts the garments out and says how it went."""
    parser = ToolParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="+", metavar="PHOTO_OR_FOLDER", help="photos, or folders of photos")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    size = "of the pictures that frame the garment; photo keeps each photo's frame (default: %(default)s)"
    parser.add_argument(
        "--size",
        type=lambda text: None if text == "photo" else height_by_width(text),
        default="1024x768",
        metavar="HEIGHTxWIDTH|photo",
        help=size,
    )
    segmenter = "finds garments that somebody wears"
    parser.add_argument("--segmenter", nargs=2, metavar=("CONFIG", "CHECKPOINT"), help=segmenter)
    parser.add_argument("--device", help="torch device (default: the GPU where there is one)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    args = parser.parse_args()
    from seg_vton.data.cut_garments import cut_garments
    from seg_vton.parsing.predictor import ClothingParser

    with exit_on_user_error():
        segmenter = args.segmenter and ClothingParser(*args.segmenter, args.device)
        run = cut_garments(args.inputs, args.out, args.size, segmenter, args.overwrite)
    run.print_warnings()
    print(f"cut out {run.done} garments, {run.complete} were done before, {len(run.failures)} failed: {args.out}")
    sys.exit(bool(run.failures))


if __name__ == "__main__":
    main()
