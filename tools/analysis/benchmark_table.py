"""Makes Markdown tables from benchmark JSONs."""

from __future__ import annotations

import argparse
from pathlib import Path

from seg_vton.analysis.benchmark_table import benchmark_tables
from seg_vton.analysis.markdown import replace_between_markers
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Prints the tables, or puts them between a file's markers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE.json", help="what the benchmarks wrote")
    parser.add_argument("--update", type=Path, metavar="FILE.md", help="replace what stands between the markers there")
    parser.add_argument("--marker", default="benchmarks", help="NAME of <!-- table:NAME --> (default: benchmarks)")
    args = parser.parse_args()
    with exit_on_user_error():
        text = benchmark_tables(args.paths)
        if args.update:
            replace_between_markers(args.update, args.marker, text)
        else:
            print(text)


if __name__ == "__main__":
    main()
