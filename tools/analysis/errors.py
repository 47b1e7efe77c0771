"""Shows where a tested model is wrong: the worst images first, and the confusion matrix of classes: DIR/index.html.

python tools/analysis/errors.py CONFIG PREDICTIONS --out DIR
"""

from pathlib import Path

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error, share


def main() -> None:
    """Reads the options, compares and draws."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="config file")
    predictions = "what tools/test.py --out wrote: COCO results (FILE.json), for try-on the folder"
    parser.add_argument("predictions", type=Path, help=predictions)
    parser.add_argument("--split", default="test", help="the --split of tools/test.py (default: test)")
    parser.add_argument(
        "--number",
        type=int,
        default=20,
        metavar="N",
        help="number of images to draw (default: %(default)s); the JSON has all",
    )
    parser.add_argument("--score-thr", type=share, default=0.5, help="leave out instances below this score")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the page, pictures and JSON")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing page and its pictures")
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change the config")
    args = parser.parse_args()
    from seg_vton.analysis.errors import find_errors
    from seg_vton.engine.launch import load_config

    with exit_on_user_error():
        config = load_config(args.config, args.cfg_options)
        options = (args.split, args.out, args.number, args.score_thr, args.overwrite, args.cfg_options)
        print(find_errors(config, args.predictions, *options))


if __name__ == "__main__":
    main()
