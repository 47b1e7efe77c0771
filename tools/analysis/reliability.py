"""Writes the page on reliability from the fault suite's records: `reliability.py FOLDER --out docs/reliability.md`."""

from __future__ import annotations

import argparse

from seg_vton.analysis.reliability import write_reliability
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Reads the arguments and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="folder of records, as FAULTS_RESULTS names it for tests/faults")
    parser.add_argument("--out", required=True, metavar="FILE", help="Markdown file to write, or to write anew")
    args = parser.parse_args()
    with exit_on_user_error():
        write_reliability(args.folder, args.out)


if __name__ == "__main__":
    main()
