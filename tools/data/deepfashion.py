"""Checks DeepFashion In-shop, as mmdet lays it out, and writes COCO files of the 15 classes with compressed RLE."""

from pathlib import Path

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments and converts."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("source", type=Path, help="DeepFashion or its In-shop, with Img/ and Anno/segmentation/")
    parser.add_argument("--out", type=Path, required=True, help="writes OUT/annotations/instances_SPLIT.json")
    parser.add_argument("--overwrite", action="store_true", help="replace annotation files that exist")
    args = parser.parse_args()
    from seg_vton.data.coco_files import print_summaries
    from seg_vton.data.deepfashion import convert_deepfashion

    with exit_on_user_error():
        print_summaries(convert_deepfashion(args.source, args.out, args.overwrite))


if __name__ == "__main__":
    main()
