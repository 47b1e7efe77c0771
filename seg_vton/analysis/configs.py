"""Resolved configs as text, and what tells one from another."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

# A config's other names (`train_pipeline`, `carafe_fpn`) are there for `_base_` to reuse: nothing reads them.
_READ = {*inspect.signature(Runner).parameters, "custom_imports", "tta_model", "tta_pipeline"} - {"cfg", "work_dir"}
_ABSENT = "(absent)"


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


def config_difference(ours: Config, theirs: Config) -> str:
    """The settings in which two configs differ, one a line: `optim_wrapper.optimizer.lr: 0.009 -> 0.02`.

    Only what a Runner reads is compared, without the work dir.

    Args:
        ours: the config on the left of the arrows.
        theirs: the config on the right.

    Returns:
        The lines, in the order of the configs; empty where they do not differ.
    """
    left, right = (
        dict(_leaves({name: value for name, value in config.to_dict().items() if name in _READ}, ""))
        for config in (ours, theirs)
    )
    pairs = {key: (left.get(key, _ABSENT), right.get(key, _ABSENT)) for key in (left | right)}
    return "\n".join(f"{key}: {old} -> {new}" for key, (old, new) in pairs.items() if old != new)
