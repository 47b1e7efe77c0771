"""How `tools/test.py` tests GMM and TOM: their facts, more splits, and the images that a test writes."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import BaseMetric

from seg_vton.engine.halves import Half, register_half
from seg_vton.errors import UserError
from seg_vton.files import sha256
from seg_vton.tryon.datasets import TryOnDataset
from seg_vton.tryon.models.warper import warper_checkpoint
from seg_vton.tryon.rows import describe_row


class TryOnHalf(Half):
    """Models of pairs of a person and a garment; see `Half`."""

    data_set = TryOnDataset
    splits = ("val", "test", "test-unpaired", "train")

    def describe_row(self, config: Config, trained: Config | None) -> dict[str, Any]:
        """See `seg_vton.tryon.rows`."""
        return describe_row(config, trained)

    def select_split(self, config: Config, split: str) -> None:
        """Also takes 'test-unpaired', each person of the test set with another's garment, and 'train'.

        The first is for a config that says by a dict `unpaired` what changes in the data set; the second is to export
        warped garments, say.
        """
        if split not in ("test-unpaired", "train"):
            super().select_split(config, split)
            return
        if split == "test-unpaired" and "unpaired" not in config:
            raise UserError(
                f"{config.filename} has no test-unpaired split: it needs a dict `unpaired` of what changes in the data"
            )
        unpaired = {**config.test_dataloader.dataset, **config.get("unpaired", {})}
        config.test_dataloader.dataset = unpaired if split == "test-unpaired" else config.train_dataloader.dataset
        config.test_evaluator.split = split

    def enable_painting(self, config: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
        """Refuses: `--out` writes the images."""
        raise UserError("--show and --show-dir paint detections: pass --out DIR for try-on images and panels")

    def set_output(self, config: Config, out: str, overwrite: bool) -> list[BaseMetric]:
        """Writes try-on images, intermediates and panels to a folder; its hook refuses existing ones."""
        config.default_hooks.visualization.update(out_dir=out, overwrite=overwrite)
        return []

    def more_facts(self, config: Config) -> dict[str, Any]:
        """Which GMM warped the garments of a TOM: a result is one of both checkpoints."""
        warper = config.model.get("warper")
        if not warper or "warped_cloth" in (config.test_dataloader.dataset.get("folders") or {}):
            return {}
        checkpoint = warper_checkpoint(**warper)
        facts = {"checkpoint": checkpoint.name, "checkpoint_sha256": sha256(checkpoint)}
        return {"warper": {"config": Path(warper.config).stem, **facts}}


register_half(TryOnHalf())
