"""Draws losses and accuracy of training runs: `python tools/analysis/curves.py WORK_DIR... --out curves.png`."""

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments and draws."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("work_dirs", nargs="+", metavar="WORK_DIR", help="folder that tools/train.py wrote")
    parser.add_argument("--out", required=True, metavar="FILE", help="image to write: .png, .pdf or .svg")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    args = parser.parse_args()
    from seg_vton.analysis.curves import draw_curves

    with exit_on_user_error():
        draw_curves(args.work_dirs, args.out, args.overwrite)


if __name__ == "__main__":
    main()
