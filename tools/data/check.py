"""Checks data sets before training: annotations, classes, masks, poses and files.

If there are errors, the exit code is 1.
"""

import sys
from pathlib import Path

from seg_vton.errors import ToolParser, UserError, exit_on_user_error
from seg_vton.labels import SPACES


def main() -> None:
    """Reads the arguments and checks."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="ROOT_OR_JSON", help="root of a data set, or COCO file")
    parser.add_argument("--images", type=Path, help="folder of the images; found beside the annotations by default")
    space = "label space of a try-on set's parsing maps (default: that of its dataset.json, or the published one)"
    parser.add_argument("--label-space", choices=SPACES, help=space)
    parser.add_argument("--config", help="of a try-on model: ROOT is a set as its training reads it, in its layout")
    args = parser.parse_args()
    from seg_vton.data.check import check_data
    from seg_vton.data.report import Report, print_report
    from seg_vton.engine.configs import data_sets, load_config

    report = Report()
    with exit_on_user_error():
        data = next(data_sets(load_config(args.config).train_dataloader)) if args.config else None
        if data and "layout" not in data:
            raise UserError(f"{args.config} reads no try-on set: --config is for those, COCO files are checked without")
        for path in args.paths:
            report.merge(check_data(path, args.images, args.label_space, data))
    print_report(report)
    sys.exit(bool(report.errors))


if __name__ == "__main__":
    main()
