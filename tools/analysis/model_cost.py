"""Counts parameters and operations of detectors: `tools/analysis/model_cost.py CONFIG... --photo W H --out FILE.json`.

If there is a file model-cost.json among the results, the ablation table has its numbers. Photographs of Clothing
Co-Parsing are 550 x 825, those of DeepFashion 750 x 1101.
"""

from rich.console import Console
from rich.table import Table

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the arguments, counts, writes and prints."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="config file of a segmentation row")
    photo = "size of a photograph in pixels, before the config's test pipeline resizes and pads it"
    parser.add_argument("--photo", nargs=2, type=int, required=True, metavar=("WIDTH", "HEIGHT"), help=photo)
    parser.add_argument("--out", required=True, metavar="FILE.json", help="file to write")
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
