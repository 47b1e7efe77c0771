"""One test run: a config, a checkpoint, and the result file beside it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from mmdet.evaluation import DumpDetResults
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from seg_vton.engine import launch, results
from seg_vton.engine.hooks import CheckpointFitHook
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing
from seg_vton.segmentation.rows import describe_row

# Flip test-time augmentation; a config may bring its own `tta_model` and `tta_pipeline`.
_TTA_MODEL = dict(type="InstanceTTAModel", tta_cfg=dict(nms=dict(type="nms", iou_threshold=0.5), max_per_img=100))
_TTA_META = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")


def select_split(config: Config, split: str) -> None:
    """Points the test loop at the config's validation or test data; 'test' leaves the config as it is."""
    if split == "val":
        config.test_dataloader = config.val_dataloader
        config.test_evaluator = config.val_evaluator


def enable_tta(config: Config) -> None:
    """Wraps the model and the pipeline in horizontal-flip test-time augmentation, unless the config says another."""
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
        UserError: the config has no visualisation hook.
    """
    hook = config.get("default_hooks", {}).get("visualization")
    if hook is None:
        raise UserError(f"{config.filename} has no default_hooks.visualization, so --show and --show-dir cannot paint")
    hook.update(draw=True, show=show, wait_time=wait_time, test_out_dir=show_dir)


def run(config: Config, checkpoint: str | Path, out: str | None = None, overwrite: bool = False) -> Path:
    """Tests a checkpoint, logs the metrics and writes them as JSON beside it.

    Args:
        config: the resolved config; its test loader and evaluator decide what is tested.
        checkpoint: a file that `tools/train.py` wrote, or any state dict of the model.
        out: file for the predictions: `.json` for COCO results, `.pkl` for mmdet's dump; None writes none.
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
    suffix = _suffix(out, overwrite)
    facts = {
        "config": Path(config.filename).stem,
        "config_sha256": results.config_hash(config),
        "row": describe_row(config, results.trained_config(checkpoint)),
    }
    config.load_from = str(checkpoint)
    if suffix == ".json":
        evaluator.predictions_file = out
    runner = launch.build_runner(config)
    runner.register_hook(CheckpointFitHook(str(checkpoint)))
    if suffix in (".pkl", ".pickle"):
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=out))
    runner.test()
    if is_main_process():
        results.write_result(path, runner.test_evaluator.metrics[0].report, facts, checkpoint, overwrite)
        print_log(f"result written to {path}", logger="current")
    return path


def _suffix(out: str | None, overwrite: bool) -> str | None:
    """The suffix of the file for the predictions, after checking that it may be written."""
    if out is None:
        return None
    refuse_existing(Path(out), overwrite)
    suffix = Path(out).suffix
    if suffix not in (".json", ".pkl", ".pickle"):
        raise UserError(f"--out {out}: the name must end in .json (COCO results) or .pkl (mmdet dump)")
    return suffix
