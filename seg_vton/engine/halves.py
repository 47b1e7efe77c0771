"""What a test asks the half of the repository that a config belongs to; each half registers an answer."""

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

    def select_split(self, config: Config, split: str) -> None:
        """Points the config's test loop at one of `splits`; raises `UserError` where the config has no such data."""
        if split == "val":
            config.test_dataloader, config.test_evaluator = config.val_dataloader, config.val_evaluator
        elif split != "test":
            raise UserError(f"{config.filename} has no {split} split to test on: it has {' and '.join(self.splits)}")

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


def refuse_unread(options: Mapping[str, Any] | None, split: str) -> None:
    """Raises `UserError` where `--cfg-options` change the data of val alone, and the split is test, or the reverse."""
    other = {"val": "test", "test": "val"}.get(split)
    for key in options or {}:
        read = key.replace(f"{other}_", f"{split}_", 1)
        if key.startswith((f"{other}_dataloader.dataset.", f"{other}_evaluator.")) and read not in options:
            raise UserError(f"--cfg-options {key}: --split {split} does not read it; it reads {read}")


_HALVES: list[Half] = []


def register_half(half: Half) -> None:
    """Makes a half known; of several that own a config the one registered last is asked."""
    _HALVES.insert(0, half)


def half_of(config: Config) -> Half:
    """The half that a config belongs to, by the class of its test data set."""
    kinds = [kind for data in data_sets(config.get("test_dataloader") or {}) for kind in built_by(data.get("type"))]
    classes = [kind for kind in kinds if isinstance(kind, type)]
    return next((half for half in _HALVES if any(issubclass(c, half.data_set) for c in classes)), Half())
