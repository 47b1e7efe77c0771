"""Draws photographs, ground truth and models' masks side by side.

python tools/analysis/panels.py CONFIG --models FPN=CONFIG,CHECKPOINT CARAFE=PREDICTIONS.json --random 4 --out DIR
"""

from seg_vton.errors import ToolParser, exit_on_user_error, share


def main() -> None:
    """Reads data and models and draws."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="config whose data is shown")
    models = "a column each; or NAME=PREDICTIONS.json of tools/test.py --out; or NAME=CONFIG,CHECKPOINT,MAP for label "
    models += "maps, where MAP is fused, semantic or instances"
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME=CONFIG,CHECKPOINT", help=models)
    parser.add_argument("--split", choices=["val", "test"], default="val", help="data to show (default: val)")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--images", nargs="+", metavar="ID", help="ids or file names of images")
    which.add_argument("--random", type=int, metavar="N", help="that many images at random")
    parser.add_argument("--seed", type=int, default=0, help="seed of --random")
    parser.add_argument("--score-thr", type=share, default=0.5, help="leave out predictions below this score")
    parser.add_argument("--height", type=int, default=720, help="height of a panel in pixels")
    parser.add_argument("--out", required=True, metavar="DIR", help="writes DIR/panels.png and DIR/IMAGE_ID/COLUMN.png")
    parser.add_argument("--overwrite", action="store_true", help="replace existing panels")
    args = parser.parse_args()
    from seg_vton.analysis.panels import Photographs, draw_panels, parse_source
    from seg_vton.engine.launch import load_config

    with exit_on_user_error():
        sources = [parse_source(text) for text in args.models]
        photographs = Photographs(load_config(args.config), args.split)
        ids = photographs.find(args.images) if args.images else photographs.draw(args.random, args.seed)
        print(draw_panels(photographs, sources, ids, args.out, args.score_thr, args.height, args.overwrite))


if __name__ == "__main__":
    main()
