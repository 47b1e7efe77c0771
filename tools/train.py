"""Trains a model of either half from a config: `python tools/train.py configs/{segmentation,tryon}/NAME.py`."""

import argparse

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error


def main() -> None:
    """Applies the options and trains."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("--work-dir", help="folder for logs and checkpoints (default: work_dirs/CONFIG_NAME)")
    parser.add_argument("--amp", action="store_true", help="mixed precision: float16 on a GPU, bfloat16 on the CPU")
    parser.add_argument("--auto-scale-lr", action="store_true", help="scale the learning rate with the batch size")
    resume = "continue from a checkpoint; without a value, from the last complete one in the work dir"
    parser.add_argument("--resume", nargs="?", const="auto", metavar="CHECKPOINT", help=resume)
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change the config")
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    from seg_vton.engine import launch
    from seg_vton.processes import leave_process_group

    with exit_on_user_error():
        config = launch.load_config(args.config, args.cfg_options, args.work_dir, args.launcher)
        if args.amp:
            launch.enable_amp(config)
        if args.auto_scale_lr:
            launch.enable_auto_scale_lr(config)
        if args.resume:
            launch.set_resume(config, args.resume)
        launch.train(config)
        leave_process_group()


if __name__ == "__main__":
    main()
