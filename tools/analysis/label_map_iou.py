"""Measures the label maps of a segmenter: mIoU, IoU of each class, pixel accuracy, boundary IoU.

python tools/analysis/label_map_iou.py CONFIG CHECKPOINT --split val

Writes the result beside the checkpoint as JSON: `epoch_2.ccp-val-label-map.json`. For a model with a semantic head that
is the fused map; its two parts get `epoch_2.ccp-val-label-map-semantic.json` and `...-instances.json`.
"""

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error, share
from seg_vton.parsing.instances import SCORE_THR


def main() -> None:
    """Applies the options and measures."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="segmentation config")
    parser.add_argument("checkpoint", help="checkpoint file; the result is written beside it as JSON")
    parser.add_argument("--split", choices=["val", "test"], default="val", help="data to measure on (default: val)")
    below = "leave out instances below this score (default: %(default)s)"
    parser.add_argument("--score-thr", type=share, default=SCORE_THR, help=below)
    parser.add_argument("--all-instances", action="store_true", help="keep all instances, not one per class")
    parser.add_argument("--keep-holes", action="store_true", help="do not fill small holes between merged instances")
    parser.add_argument("--work-dir", help="folder for logs (default: work_dirs/CONFIG_NAME)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing result")
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change the config")
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    args = parser.parse_args()
    from seg_vton.engine import launch, testing
    from seg_vton.engine.halves import half_of
    from seg_vton.parsing.evaluation import judge_label_maps
    from seg_vton.processes import leave_process_group

    with exit_on_user_error():
        config = launch.load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
        half_of(config).select_split(config, args.split, args.cfg_options)
        rules = {"one_per_class": not args.all_instances, "fill_holes": not args.keep_holes}
        judge_label_maps(config, score_thr=args.score_thr, **rules)
        testing.run(config, args.checkpoint, overwrite=args.overwrite)
        leave_process_group()


if __name__ == "__main__":
    main()
