"""Prints a resolved config, or in what another differs: `python tools/print_config.py CONFIG --diff OTHER`."""

from __future__ import annotations

from mmengine.config import DictAction

from seg_vton.analysis.configs import config_difference
from seg_vton.engine.launch import load_config
from seg_vton.errors import ToolParser, exit_on_user_error


def main() -> None:
    """Reads the config and prints it."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("--diff", metavar="OTHER_CONFIG", help="print only what is another in this config")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="change CONFIG")
    args = parser.parse_args()
    with exit_on_user_error():
        config = load_config(args.config, args.cfg_options)
        if args.diff:
            print(config_difference(config, load_config(args.diff)) or "no difference")
        else:
            print(config.pretty_text, end="")


if __name__ == "__main__":
    main()
