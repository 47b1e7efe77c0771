"""Prints a resolved config, or how another one differs from it: `python tools/print_config.py CONFIG --diff OTHER`."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seg_vton.errors import ConfigOptions, ToolParser, exit_on_user_error

if TYPE_CHECKING:
    from mmengine.config import Config


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Dotted key and `repr` of everything in `value` that is neither a dict nor a list of dicts."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{key}[{index}]")
    else:
        yield key, repr(value)


def config_difference(*configs: "Config") -> str:
    """What a Runner reads in which two configs differ, one a line: `optim_wrapper.optimizer.lr: 0.009 -> 0.02`."""
    from mmengine.runner import Runner

    # A config's other names (`train_pipeline`, `carafe_fpn`) are there for `_base_` to reuse: nothing reads them.
    read = {*inspect.signature(Runner).parameters, "custom_imports", "tta_model", "tta_pipeline"} - {"cfg", "work_dir"}
    left, right = (
        dict(_leaves({name: value for name, value in config.to_dict().items() if name in read}, ""))
        for config in configs
    )
    pairs = {key: (left.get(key, "(absent)"), right.get(key, "(absent)")) for key in (left | right)}
    return "\n".join(f"{key}: {old} -> {new}" for key, (old, new) in pairs.items() if old != new)


def main() -> None:
    """Reads the config and prints it."""
    parser = ToolParser(description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("--diff", metavar="OTHER_CONFIG", help="print only how this config differs")
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions, metavar="KEY=VALUE", help="change CONFIG")
    args = parser.parse_args()
    from seg_vton.engine.launch import load_config

    with exit_on_user_error():
        config = load_config(args.config, args.cfg_options)
        if args.diff:
            print(config_difference(config, load_config(args.diff)) or "no difference")
        else:
            print(config.pretty_text, end="")


if __name__ == "__main__":
    main()
