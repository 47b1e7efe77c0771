"""Counts parameters and operations of detectors: `tools/analysis/model_cost.py CONFIG... --photo W H --out FILE.json`.

A file called model-cost.json among the results is joined into the ablation table. Photographs of Clothing Co-Parsing
are 550 x 825, those of DeepFashion 750 x 1101.
"""

import argparse

from rich.console import Console
from rich.table import Table

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments, counts, writes and prints."""
    parser = ToolParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="config file of a segmentation row")
    photo = "size of a photograph, which is then resized and padded as the config's test does"
    parser.add_argument("--photo", nargs=2, type=int, required=True, metavar=("WIDTH", "HEIGHT"), help=photo)
    parser.add_argument("--out", required=True, metavar="FILE.json", help="where to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    args = parser.parse_args()
    from seg_vton.analysis.model_cost import write_costs

    with exit_on_user_error():
        content = write_costs(args.configs, tuple(args.photo), args.out, args.overwrite)
    table = Table("config", "M parameters", "GFLOP", "image")
    for name, row in content["rows"].items():
        size = "x".join(map(str, row["image"]))
        table.add_row(name, f"{row['parameters'] / 1e6:.2f}", f"{row['gigaflop']:.1f}", size)
    Console().print(table)


if __name__ == "__main__":
    main()
