"""What a test asks the half of the repository that a config belongs to; each half registers an answer."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from torch.utils.data import Dataset

from seg_vton.engine.configs import built_by, data_sets
from seg_vton.errors import UserError


class Half:
    """The answers of a config that no half owns; a half overrides what it knows better.

    Attributes:
        data_set: configs whose test data is of this class are the half's.
        splits: the names of the data that a config may be tested on, for `--split`.
    """

    data_set: type[Dataset] = Dataset
    splits: tuple[str, ...] = ("val", "test")

    def describe_row(self, config: Config, trained: Config | None) -> dict[str, Any]:
        """The facts that tell one row of an ablation from another.

        Args:
            config: the resolved config of the test.
            trained: the resolved config of the training, where the checkpoint has it.
        """
        return {}

    def select_split(self, config: Config, split: str) -> None:
        """Points the test loop at other data of the config; 'test' leaves it as it is.

        Args:
            config: its `test_dataloader` and `test_evaluator` are changed.
            split: one of `splits`.

        Raises:
            UserError: the config has no such data.
        """
        if split == "val":
            config.test_dataloader, config.test_evaluator = config.val_dataloader, config.val_evaluator
        elif split != "test":
            raise UserError(f"{config.filename} has no {split} split to test on: it has {' and '.join(self.splits)}")

    def enable_tta(self, config: Config) -> None:
        """Wraps the model and the pipeline in test-time augmentation.

        Raises:
            UserError: the half has none.
        """
        raise UserError(f"--tta is for segmentation, which {config.filename} is not of")

    def enable_painting(self, config: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
        """Paints the predictions over the images.

        Args:
            config: changed in place.
            show: open a window for each image.
            show_dir: folder inside the run's own folder that the painted images are written to.
            wait_time: seconds that a window stays.

        Raises:
            UserError: the half paints nothing.
        """
        raise UserError(f"--show and --show-dir are for segmentation, which {config.filename} is not of")

    def set_output(self, config: Config, out: str, overwrite: bool) -> list[BaseMetric]:
        """Makes a test write its predictions to `out`, after checking that it may; returns metrics that do it.

        Raises:
            UserError: something stands there, or the half writes no such thing.
        """
        raise UserError(f"--out is for segmentation and try-on, and {config.filename} is of neither")

    def more_facts(self, config: Config) -> dict[str, Any]:
        """What else the result of a test says, once the model is built."""
        return {}


_HALVES: list[Half] = []


def register_half(half: Half) -> None:
    """Makes a half known; of several that own a config the one registered last is asked."""
    _HALVES.insert(0, half)


def half_of(config: Config) -> Half:
    """The half that a config belongs to, by the class of its test data set."""
    kinds = [kind for data in data_sets(config.get("test_dataloader") or {}) for kind in built_by(data.get("type"))]
    classes = [kind for kind in kinds if isinstance(kind, type)]
    return next((half for half in _HALVES if any(issubclass(c, half.data_set) for c in classes)), Half())


def all_splits() -> list[str]:
    """The names of splits that any half knows."""
    return list(dict.fromkeys(name for half in (Half, *_HALVES) for name in half.splits))
