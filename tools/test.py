"""Tests a checkpoint of either half: `python tools/test.py configs/{segmentation,tryon}/NAME.py CHECKPOINT`."""

import argparse

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error


def main() -> None:
    """Applies the options and tests."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", help="checkpoint file; the result is written beside it as JSON")
    split = "val or test (the default); for try-on also test-unpaired (others' garments) and train"
    parser.add_argument("--split", default="test", help=split)
    parser.add_argument("--work-dir", help="folder for logs (default: work_dirs/CONFIG_NAME)")
    out = "write the predictions: FILE.json (COCO results) or FILE.pkl (mmdet's dump); for try-on a folder of pictures"
    parser.add_argument("--out", metavar="PATH", help=out)
    parser.add_argument("--show", action="store_true", help="show painted images on the screen")
    parser.add_argument("--show-dir", metavar="DIR", help="write painted images to WORK_DIR/TIMESTAMP/DIR")
    parser.add_argument("--wait-time", type=float, default=2, help="seconds between shown images")
    parser.add_argument("--tta", action="store_true", help="test-time augmentation: merge the flipped image's result")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files of results and predictions")
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change the config")
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    from seg_vton.engine import launch, testing
    from seg_vton.engine.halves import half_of
    from seg_vton.processes import leave_process_group

    with exit_on_user_error():
        config = launch.load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
        half = half_of(config)
        half.select_split(config, args.split, args.cfg_options)
        if args.show or args.show_dir:
            half.enable_painting(config, args.show, args.show_dir, args.wait_time)
        if args.tta:
            half.enable_tta(config)
        testing.run(config, args.checkpoint, args.out, args.overwrite)
        leave_process_group()


if __name__ == "__main__":
    main()
