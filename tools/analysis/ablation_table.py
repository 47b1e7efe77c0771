"""Makes the ablation table from results: `python tools/analysis/ablation_table.py work_dirs`."""

from __future__ import annotations

import argparse
from pathlib import Path

from seg_vton.analysis import markdown
from seg_vton.analysis.ablation import ablation_table
from seg_vton.errors import exit_on_user_error
from seg_vton.files import atomic_path


def parse_args() -> argparse.Namespace:
    """Where results are and where the table goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="work dir, or result file that tools/test.py wrote")
    parser.add_argument("--all-rows", action="store_true", help="also the paper's rows that were not run")
    parser.add_argument("--per-class", action="store_true", help="also a table of AP by class")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="FILE", help="write the table to a file instead of printing it")
    where.add_argument("--update", metavar="FILE", help="put the table between the markers of a Markdown file")
    parser.add_argument("--marker", metavar="NAME", help="with --update: <!-- table:NAME --> and <!-- /table:NAME -->")
    parser.add_argument("--overwrite", action="store_true", help="with --out: replace an existing file")
    args = parser.parse_args()
    if bool(args.update) != bool(args.marker):
        parser.error("--update and --marker go together")
    return args


def main() -> None:
    """Reads the results and writes or prints the table."""
    args = parse_args()
    with exit_on_user_error():
        text = ablation_table(args.paths, args.all_rows, args.per_class)
        if args.update:
            markdown.replace_between_markers(args.update, args.marker, text)
        elif args.out:
            with atomic_path(Path(args.out), args.overwrite) as temporary:
                temporary.write_text(text, encoding="utf-8")
        else:
            print(text, end="")


if __name__ == "__main__":
    main()
