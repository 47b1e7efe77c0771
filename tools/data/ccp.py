"""Converts Clothing Co-Parsing (https://github.com/bearpaw/clothing-co-parsing) to COCO files of the 15 classes."""

from pathlib import Path

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments and converts."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder with photos/, annotations/pixel-level/ and label_list.mat")
    parser.add_argument("--out", type=Path, required=True, help="writes OUT/annotations/instances_SPLIT.json")
    parser.add_argument("--overwrite", action="store_true", help="replace annotation files that exist")
    args = parser.parse_args()
    from seg_vton.data.ccp import convert_ccp
    from seg_vton.data.coco_files import print_summaries

    with exit_on_user_error():
        print_summaries(convert_ccp(args.source, args.out, args.overwrite))


if __name__ == "__main__":
    main()
