"""Draws what a training of either half sees, after the pipeline, on a page: DIR/index.html.

python tools/analysis/browse.py CONFIG --out DIR
"""

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error


def main() -> None:
    """Reads the options and draws."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("--split", choices=["train", "val", "test"], default="train", help="default: train")
    parser.add_argument("--number", type=int, default=12, metavar="N", help="items to show (default: %(default)s)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the page and its pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing page and its pictures")
    options = "change the config; randomness.seed=N for another order and other flips"
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help=options)
    args = parser.parse_args()
    from seg_vton.analysis.browse import browse
    from seg_vton.engine.launch import load_config

    with exit_on_user_error():
        config = load_config(args.config, args.cfg_options)
        print(browse(config, args.split, args.number, args.out, args.overwrite))


if __name__ == "__main__":
    main()
