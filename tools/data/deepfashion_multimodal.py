"""Converts DeepFashion-MultiModal (https://github.com/yumingj/DeepFashion-MultiModal) to COCO files."""

from pathlib import Path

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments and converts."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder with segm/NAME_segm.png and images/NAME.jpg")
    parser.add_argument("--out", type=Path, required=True, help="writes OUT/annotations/instances_SPLIT.json")
    parser.add_argument("--seed", type=int, default=0, help="of the split by item id (default 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace annotation files that exist")
    args = parser.parse_args()
    from seg_vton.data.coco_files import print_summaries
    from seg_vton.data.deepfashion_multimodal import convert_deepfashion_multimodal

    with exit_on_user_error():
        print_summaries(convert_deepfashion_multimodal(args.source, args.out, args.seed, args.overwrite))


if __name__ == "__main__":
    main()
