"""Makes one HTML file from what the demo wrote: `python tools/analysis/report.py WORK_DIR --out report.html`.

It shows curves, tables, panels, try-ons and timings of WORK_DIR/{segmenter,panels,parsing,gmm,tom,try-on} and
timings.jsonl, and needs no other file to be read. If the demo is not finished, it says what is missing.
"""

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments and writes."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("work_dir", metavar="WORK_DIR", help="folder of the demo")
    parser.add_argument("--out", required=True, metavar="FILE", help="the report to write, FILE.html")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing report")
    args = parser.parse_args()
    from seg_vton.analysis.report import write_report

    with exit_on_user_error():
        write_report(args.work_dir, args.out, args.overwrite)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
