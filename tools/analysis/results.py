"""Makes docs/results.md and the README's tables from the results: `python tools/analysis/results.py`."""

from __future__ import annotations

import argparse

from seg_vton.analysis.results_page import write_pages
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Reads the results and writes the page and the README's tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default="docs/results", metavar="DIR", help="folders of results (docs/results)")
    parser.add_argument("--page", default="docs/results.md", metavar="FILE.md", help="page to write (docs/results.md)")
    parser.add_argument(
        "--readme", default="README.md", metavar="FILE.md", help="where the short tables go (README.md)"
    )
    args = parser.parse_args()
    with exit_on_user_error():
        write_pages(args.results, args.page, args.readme)


if __name__ == "__main__":
    main()
