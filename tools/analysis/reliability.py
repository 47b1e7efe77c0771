"""Writes the page on reliability from the fault suite's records: `reliability.py FOLDER --out docs/reliability.md`."""

from __future__ import annotations

import argparse

from seg_vton.analysis.reliability import write_page
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Reads the arguments and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="folder of records, as FAULTS_RESULTS names it for tests/faults")
    parser.add_argument("--out", required=True, metavar="FILE", help="Markdown file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    args = parser.parse_args()
    with exit_on_user_error():
        write_page(args.folder, args.out, args.overwrite)


if __name__ == "__main__":
    main()
