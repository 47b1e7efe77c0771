"""Makes Markdown tables, or a page of them, from benchmark JSONs."""

from __future__ import annotations

import argparse
from pathlib import Path

from seg_vton.analysis.benchmark_table import benchmark_tables, write_page
from seg_vton.analysis.markdown import replace_between_markers
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Prints the tables, puts them between a file's markers, or writes a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE.json", help="what the benchmarks wrote")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--page", type=Path, metavar="FILE.md", help="write a whole page that says how to read them")
    target.add_argument("--update", type=Path, metavar="FILE.md", help="replace what stands between the markers there")
    parser.add_argument("--marker", default="benchmarks", help="NAME of <!-- table:NAME --> (default: benchmarks)")
    args = parser.parse_args()
    with exit_on_user_error():
        if args.page:
            write_page(args.paths, args.page)
        elif args.update:
            replace_between_markers(args.update, args.marker, benchmark_tables(args.paths))
        else:
            print(benchmark_tables(args.paths))


if __name__ == "__main__":
    main()
