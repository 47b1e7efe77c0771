"""Draws a set of paper dolls (dressed figures with known truth) as COCO segmentation and as VITON try-on data."""

from pathlib import Path

from seg_vton.data.coco_files import print_summaries
from seg_vton.data.paper_doll import DEFAULT_SIZE, Plan, write_paper_dolls
from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments and writes the set."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write; it appears when it is complete")
    parser.add_argument("--train", type=int, default=0, help="dolls to train on")
    parser.add_argument("--val", type=int, default=0, help="held-out dolls (COCO layout)")
    parser.add_argument("--test", type=int, default=0, help="dolls to test on")
    parser.add_argument("--seed", type=int, default=0, help="seed of the set: the same seed gives the same bytes")
    size = "size of every image in pixels (default: %(default)s)"
    parser.add_argument("--size", type=int, nargs=2, default=DEFAULT_SIZE, metavar=("W", "H"), help=size)
    layouts = ("coco", "viton", "both")
    parser.add_argument("--layout", choices=layouts, default="both", help="what to write (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="processes (default: as many as pay off)")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier set at OUT")
    args = parser.parse_args()
    plan = Plan(args.train, args.val, args.test, args.seed, tuple(args.size), args.layout)
    with exit_on_user_error():
        summaries = write_paper_dolls(args.out, plan, args.workers, args.overwrite)
        if summaries:
            print_summaries(summaries)
        print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
