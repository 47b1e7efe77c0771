"""One test run: a config, a checkpoint, and the result file beside it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Any

from mmdet.evaluation import DumpDetResults
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.runner import Runner

from seg_vton.engine import launch, results
from seg_vton.engine.hooks import CheckpointFitHook
from seg_vton.engine.loading import explain_faults
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing, sha256
from seg_vton.segmentation import rows as segmentation_rows
from seg_vton.tryon import rows as tryon_rows
from seg_vton.tryon.models.warper import warper_checkpoint

# Flip test-time augmentation; a config may bring its own `tta_model` and `tta_pipeline`.
_TTA_MODEL = dict(type="InstanceTTAModel", tta_cfg=dict(nms=dict(type="nms", iou_threshold=0.5), max_per_img=100))
_TTA_META = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")


SPLITS = ("val", "test", "test-unpaired", "train")


def is_tryon(config: Config) -> bool:
    """Whether a config is of the try-on half."""
    return config.get("default_scope") == "seg_vton"


def select_split(config: Config, split: str) -> None:
    """Points the test loop at other data of the config; 'test' leaves it as it is.

    Args:
        config: its `test_dataloader` and `test_evaluator` are changed.
        split: 'val', 'test', or for try-on also 'test-unpaired' (the persons of the test set, each with another's
            garment, as the config's `unpaired` says) and 'train' (to export warped garments, say).

    Raises:
        UserError: the config has no such data.
    """
    if split == "val":
        config.test_dataloader, config.test_evaluator = config.val_dataloader, config.val_evaluator
    elif split == "test":
        return
    elif not is_tryon(config) or (split == "test-unpaired" and "unpaired" not in config):
        raise UserError(
            f"{config.filename} has no {split} split to test on: it has val and test (train and, with a dict "
            "`unpaired` of what changes in the data set, test-unpaired are for try-on)"
        )
    else:
        unpaired = {**config.test_dataloader.dataset, **config.get("unpaired", {})}
        config.test_dataloader.dataset = unpaired if split == "test-unpaired" else config.train_dataloader.dataset
        config.test_evaluator.split = split


def enable_tta(config: Config) -> None:
    """Wraps the model and the pipeline in horizontal-flip test-time augmentation, unless the config says another.

    Raises:
        UserError: the config is of the try-on half.
    """
    if is_tryon(config):
        raise UserError("--tta is for segmentation: of try-on images no average over flips is defined")
    config.tta_model = config.get("tta_model", deepcopy(_TTA_MODEL))
    if "tta_pipeline" not in config:
        flips = [dict(type="RandomFlip", prob=1.0), dict(type="RandomFlip", prob=0.0)]
        pack = [dict(type="PackDetInputs", meta_keys=_TTA_META)]
        pipeline = deepcopy(config.test_dataloader.dataset.pipeline)
        config.tta_pipeline = [*pipeline[:-1], dict(type="TestTimeAug", transforms=[flips, pack])]
    config.model = ConfigDict(**config.tta_model, module=config.model)
    config.test_dataloader.dataset.pipeline = config.tta_pipeline


def enable_painting(config: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
    """Paints the predictions over the images.

    Args:
        config: its `default_hooks.visualization` is changed.
        show: open a window for each image.
        show_dir: folder inside the run's own folder that the painted images are written to.
        wait_time: seconds that a window stays.

    Raises:
        UserError: the config has no visualization hook, or is of the try-on half, which paints through `run`'s `out`.
    """
    if is_tryon(config):
        raise UserError("--show and --show-dir paint detections: pass --out DIR for try-on images and panels")
    hook = config.get("default_hooks", {}).get("visualization")
    if hook is None:
        raise UserError(f"{config.filename} has no default_hooks.visualization, so --show and --show-dir cannot paint")
    hook.update(draw=True, show=show, wait_time=wait_time, test_out_dir=show_dir)


def run(config: Config, checkpoint: str | Path, out: str | None = None, overwrite: bool = False) -> Path:
    """Tests a checkpoint, logs the metrics and writes them as JSON beside it.

    Args:
        config: the resolved config; its test loader and evaluator decide what is tested.
        checkpoint: a file that `tools/train.py` wrote, or any state dict of the model.
        out: for segmentation the file for the predictions, `.json` for COCO results, `.pkl` for mmdet's dump; for
            try-on the folder for try-on images, intermediates and panels. None writes none.
        overwrite: whether existing files may be replaced.

    Returns:
        The result file's path.

    Raises:
        UserError: the checkpoint is missing, refused or another model's, a file to write exists, or `out` has another
            suffix.
    """
    checkpoint = Path(checkpoint)
    if not checkpoint.is_file():
        raise UserError(f"checkpoint {checkpoint} does not exist or is not a file")
    evaluator = config.test_evaluator
    split = f"{evaluator.split}-tta" if "module" in config.model else evaluator.split
    path = results.result_path(checkpoint, evaluator.dataset, split)
    refuse_existing(path, overwrite)
    describe_row = tryon_rows.describe_row if is_tryon(config) else segmentation_rows.describe_row
    facts = {
        "config": Path(config.filename).stem,
        "config_sha256": results.config_hash(config),
        "row": describe_row(config, results.trained_config(checkpoint)),
    }
    dumps = _set_output(config, out, overwrite)
    config.load_from = str(checkpoint)
    runner = launch.build_runner(config)
    runner.register_hook(CheckpointFitHook(str(checkpoint)))
    runner.test_evaluator.metrics.extend(dumps)
    facts |= _warper_facts(config)
    with explain_faults():
        runner.test()
    facts["images_per_second"] = _images_per_second(runner)
    if is_main_process():
        results.write_result(path, runner.test_evaluator.metrics[0].report, facts, checkpoint, overwrite)
        print_log(f"result written to {path}", logger="current")
    return path


def _images_per_second(runner: Runner) -> float | None:
    """Throughput of the test loop, loading included, by its median iteration; None without mmengine's timer.

    What metrics compute after the last image is not in it.
    """
    seconds = runner.message_hub.log_scalars.get("test/time")
    loader = runner.test_loop.dataloader
    return None if seconds is None else len(loader.dataset) / len(loader) / float(median(seconds.data[0]))


def _set_output(config: Config, out: str | None, overwrite: bool) -> list[BaseMetric]:
    """Makes a run write its predictions to `out`, after checking that it may; returns metrics that do it."""
    if out is None:
        return []
    if is_tryon(config):
        config.default_hooks.visualization.update(out_dir=out, overwrite=overwrite)
        return []
    refuse_existing(Path(out), overwrite)
    suffix = Path(out).suffix
    if suffix == ".json":
        config.test_evaluator.predictions_file = out
        return []
    if suffix not in (".pkl", ".pickle"):
        raise UserError(f"--out {out}: the name must end in .json (COCO results) or .pkl (mmdet dump)")
    return [DumpDetResults(out_file_path=out)]


def _warper_facts(config: Config) -> dict[str, Any]:
    """Which GMM warped the garments of a TOM: a result is one of both checkpoints."""
    warper = config.model.get("warper")
    if not warper or "warped_cloth" in (config.test_dataloader.dataset.get("folders") or {}):
        return {}
    checkpoint = warper_checkpoint(**warper)
    return {
        "warper": {
            "config": Path(warper.config).stem,
            "checkpoint": checkpoint.name,
            "checkpoint_sha256": sha256(checkpoint),
        }
    }
