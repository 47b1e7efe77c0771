"""Writes trained models as one folder that the other tools take as --models DIR and that can be passed on.

python tools/export.py --segmenter CONFIG CHECKPOINT --out DIR --half --results RESULT.json --license Apache-2.0
python tools/export.py --segmenter CONFIG CHECKPOINT --gmm CONFIG CHECKPOINT --tom CONFIG CHECKPOINT --out DIR

DIR holds model.json, the weights as safetensors, and README.md, the model card: read it before you publish the folder.
Nothing in the folder is run when it is loaded. A segmenter alone is a valid folder.
"""

import argparse

from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Writes the folder."""
    parser = ToolParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for model in ("segmenter", "gmm", "tom"):
        pair = {"nargs": 2, "metavar": ("CONFIG", "CHECKPOINT")}
        parser.add_argument(f"--{model}", required=model == "segmenter", **pair)
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder")
    parser.add_argument(
        "--half", action="store_true", help="weights as float16: half the size, results nearly the same"
    )
    results = "what tools/test.py wrote for these checkpoints: numbers for the card"
    parser.add_argument("--results", nargs="+", default=[], metavar="JSON", help=results)
    licenses = "of the training data, such as Apache-2.0: one for all parts, or one each"
    parser.add_argument("--license", nargs="+", default=[], metavar="TEXT", help=licenses)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing model folder")
    args = parser.parse_args()
    from seg_vton.tryon.export import export

    with exit_on_user_error():
        export(args.out, args.segmenter, args.gmm, args.tom, args.half, args.results, args.license, args.overwrite)
        print(f"exported to {args.out}: read the card {args.out}/README.md before you pass the folder on")


if __name__ == "__main__":
    main()
