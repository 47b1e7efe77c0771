"""What a test asks the half of the repository that a config belongs to; each half registers an answer."""

import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from torch.utils.data import Dataset

from seg_vton.engine.configs import built_by, data_sets
from seg_vton.errors import UserError


class Half:
    """The answers of a config that no half owns; a half overrides what it knows better.

    They change the config in place and raise `UserError` for what the half does not do.
    """

    data_set: type[Dataset] = Dataset  # configs whose test data is of this class are the half's
    splits: tuple[str, ...] = ("val", "test")  # the names of the data that a config may be tested on, for `--split`

    def describe_row(self, config: Config, trained: Config | None) -> dict[str, Any]:
        """The facts of a test, and of its training where the checkpoint has its config, that an ablation is about."""
        return {}

    def select_split(self, config: Config, split: str, options: Mapping[str, Any] | None = None) -> None:
        """Points the config's test loop at one of `splits`.

        Raises:
            UserError: the config has no such data, or `options`, the command line's, change data that are not read.
        """
        if split not in self.splits:
            raise UserError(f"{config.filename} has no {split} split to test on: it has {' and '.join(self.splits)}")
        own = "val" if split == "val" else "test"
        for part, read in {r"dataloader\.dataset": "train" if split == "train" else own, "evaluator": own}.items():
            for key in options or {}:
                other = re.fullmatch(rf"(val|test)(_{part}\..*)", key)
                if other and other[1] != read and (instead := read + other[2]) not in options:
                    raise UserError(f"--cfg-options {key}: --split {split} does not read it; it reads {instead}")
        parts = {part: config.get(f"{own}_{part}") for part in ("dataloader", "evaluator")}
        if missing := [f"{own}_{part}" for part, found in parts.items() if found is None]:
            raise UserError(f"{config.filename} has no {' and no '.join(missing)}: --split {split} needs them")
        config.test_dataloader, config.test_evaluator = parts.values()

    def enable_tta(self, config: Config) -> None:
        """Wraps the model and the pipeline in test-time augmentation."""
        raise UserError(f"--tta is for segmentation, and {config.filename} is not a segmentation config")

    def enable_painting(self, config: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
        """Paints predictions over the images, in windows for so many seconds or to a folder inside the run's own."""
        raise UserError(f"--show and --show-dir are for segmentation; {config.filename} is not a segmentation config")

    def set_output(self, config: Config, out: str, overwrite: bool) -> list[BaseMetric]:
        """Makes a test write its predictions to `out`, unless it may not; returns metrics that do it."""
        raise UserError(f"--out is for segmentation and try-on, and {config.filename} belongs to neither")

    def more_facts(self, config: Config) -> dict[str, Any]:
        """What else the result of a test says, once the model is built."""
        return {}


_HALVES: list[Half] = []


def register_half(half: Half) -> None:
    """Makes a half known; of several that own a config the one registered last is asked."""
    _HALVES.insert(0, half)


def half_of(config: Config) -> Half:
    """The half that a config belongs to, by the class of its test data set, or of that to validate on."""
    loader = config.get("test_dataloader") or config.get("val_dataloader") or {}
    kinds = [kind for data in data_sets(loader) for kind in built_by(data.get("type"))]
    classes = [kind for kind in kinds if isinstance(kind, type)]
    return next((half for half in _HALVES if any(issubclass(c, half.data_set) for c in classes)), Half())
