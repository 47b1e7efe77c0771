"""Checks data sets before training: annotations, classes, masks and image files. Ends with code 1 on errors."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from seg_vton.data.check import Report, check_data, print_report
from seg_vton.errors import exit_on_user_error


def main() -> None:
    """Reads the arguments and checks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="ROOT_OR_JSON", help="root of a data set, or COCO file")
    parser.add_argument("--images", type=Path, help="folder of the images; found beside the annotations by default")
    args = parser.parse_args()
    report = Report()
    with exit_on_user_error():
        for path in args.paths:
            report.merge(check_data(path, args.images))
    print_report(report)
    sys.exit(bool(report.errors))


if __name__ == "__main__":
    main()
