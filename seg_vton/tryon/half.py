"""How `tools/test.py` tests GMM and TOM: their facts, more splits, and the images that a test writes."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import BaseMetric

from seg_vton.engine.configs import data_sets
from seg_vton.engine.halves import Half, register_half
from seg_vton.engine.launch import load_config
from seg_vton.engine.optim import precision_of
from seg_vton.errors import UserError
from seg_vton.files import sha256
from seg_vton.tryon.datasets import TryOnDataset, predicted
from seg_vton.tryon.datasets.agnostic import NUM_CHANNELS
from seg_vton.tryon.models.warper import warper_checkpoint

_DEFAULT_SIZE = (256, 192)  # (height, width) of `TryOnDataset` where a config says none


class TryOnHalf(Half):
    """Models of pairs of a person and a garment; see `Half`."""

    data_set = TryOnDataset
    splits = ("val", "test", "test-unpaired", "train")

    def describe_row(self, config: Config, trained: Config | None) -> dict[str, Any]:
        """The facts that tell one row of the try-on ablation from another.

        The warper's checkpoint is not among them: a TOM of another seed has a GMM of another seed.

        Args:
            config: the resolved config of the test.
            trained: the resolved config of the training, where the checkpoint has it: `--cfg-options` may have changed
                it.

        Returns:
            A dict that JSON can hold. `stage` (gmm, tom or a type), `aux` (whether it has the paper's auxiliary
            decoder; the type of another one) and `aux_head` (its `label_space`, `class_weight` and `loss_weight`, as
            far as the config says them, or None); of a TOM `warper` (name of the GMM's config, or 'exported warps'),
            `warper_aux` (`aux` of that GMM; None for exported warps), `mask_target` and `perceptual_weights` (file name
            of VGG19's weights, None with the loss switched off); `person_channels` (of a person representation that has
            not CP-VTON's 22, else None), `image_size` ([height, width] in pixels of the test), `optimizer`,
            `learning_rate`, `iterations`, `batch_size` (of one process), `precision`, `maps` (whose parsing maps the
            training took: the data set's `files`, or those `predicted` by a segmenter), `known_warps` (of a GMM, or of
            a TOM's warper: whether it also learned from the control points' known offsets; None for exported warps) and
            `recipe` (12 digits of a hash of model and training, without the warper's checkpoint and the seed).

        Raises:
            UserError: the warper's config is missing.
        """
        training = trained or config
        model, data = training.model, training.train_dataloader
        head, channels = model.get("aux_head"), model.get("person_channels", NUM_CHANNELS)
        roles = [step.get("role") for each in data_sets(data) for step in each.get("pipeline", ())]
        facts = {
            "stage": {"GMM": "gmm", "TOM": "tom"}.get(model.type, model.type),
            "aux": _decoder(model),
            "aux_head": head and {key: head.get(key) for key in ("label_space", "class_weight", "loss_weight")},
            "person_channels": None if channels == NUM_CHANNELS else channels,
            "image_size": list(next(data_sets(config.test_dataloader)).get("image_size", _DEFAULT_SIZE)),
            "optimizer": training.optim_wrapper.optimizer.type,
            "learning_rate": training.optim_wrapper.optimizer.lr,
            "iterations": training.train_cfg.get("max_iters"),
            "batch_size": data.batch_size,
            "precision": precision_of(training),
            "maps": "predicted" if predicted.ROLE in roles else "files",
            "known_warps": model.get("loss_theta") is not None,
            "recipe": _recipe(training),
        }
        if facts["stage"] != "tom":
            return facts
        vgg = (model.get("loss_perceptual") or {}).get("weights")
        facts |= {"mask_target": model.get("mask_target"), "perceptual_weights": vgg and Path(vgg).name}
        warper = _warper(config)  # the test's: what warps there is what the images show
        if warper is None:
            return {**facts, "warper": "exported warps", "warper_aux": None, "known_warps": None}
        gmm = load_config(warper["config"]).model
        known = gmm.get("loss_theta") is not None
        return {**facts, "warper": Path(warper["config"]).stem, "warper_aux": _decoder(gmm), "known_warps": known}

    def select_split(self, config: Config, split: str, options: Mapping[str, Any] | None = None) -> None:
        """Also takes 'test-unpaired', each person of the test set with another's garment, and 'train'.

        The first is for a config that says by a dict `unpaired` what changes in the data set; the second is to export
        warped garments, say.
        """
        super().select_split(config, split, options)
        if split == "test-unpaired":
            if "unpaired" not in config:
                raise UserError(
                    f"{config.filename} has no test-unpaired split: it needs a dict `unpaired` of what changes in the "
                    "data"
                )
            config.test_dataloader.dataset = deepcopy(config.test_dataloader.dataset)
            for data in data_sets(config.test_dataloader):  # also a person whom a shuffled list gave their own garment
                data.update({**config.unpaired, "paired": False})
        if split == "train":
            config.test_dataloader.dataset = config.train_dataloader.dataset
        if split in ("test-unpaired", "train"):
            evaluators = config.test_evaluator
            for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
                evaluator["split"] = split

    def enable_painting(self, config: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
        """Refuses: `--out` writes the images."""
        raise UserError("--show and --show-dir paint detections: pass --out DIR for try-on images and panels")

    def set_output(self, config: Config, out: str, overwrite: bool) -> list[BaseMetric]:
        """Writes try-on images, intermediates and panels to a folder; its hook refuses existing ones."""
        hook = config.default_hooks.get("visualization") or {"type": "TryOnVisualizationHook"}
        config.default_hooks.visualization = {**hook, "out_dir": out, "overwrite": overwrite}
        return []

    def more_facts(self, config: Config) -> dict[str, Any]:
        """Which GMM warped the garments of a TOM: a result is one of both checkpoints."""
        warper = _warper(config)
        if warper is None:
            return {}
        checkpoint = warper_checkpoint(**warper)
        facts = {"checkpoint": checkpoint.name, "checkpoint_sha256": sha256(checkpoint)}
        return {"warper": {"config": Path(warper.config).stem, **facts}}


def _decoder(model: dict[str, Any]) -> bool | str:
    """Whether a stage has the paper's auxiliary decoder; the type of another one."""
    kind = (model.get("aux_head") or {}).get("type", False)
    return kind == "AuxSegHead" or kind


def _warper(config: Config) -> dict[str, Any] | None:
    """What warps in a test of the config; None where nothing does, or garments come warped."""
    exported = "warped_cloth" in (next(data_sets(config.test_dataloader)).get("folders") or {})
    return None if exported else config.model.get("warper")


def _recipe(training: Config) -> str:
    """A hash of what a training is, but for its seed and the files that follow from the seed."""
    content = deepcopy(training.to_dict())
    (content["model"].get("warper") or {}).pop("checkpoint", None)
    recipe = {key: content.get(key) for key in ("model", "optim_wrapper", "param_scheduler")}
    recipe["data"] = content["train_dataloader"]["dataset"]
    recipe["batches"] = content["train_dataloader"]["batch_size"], content["train_cfg"].get("max_iters")
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, default=repr).encode()).hexdigest()[:12]


register_half(TryOnHalf())
