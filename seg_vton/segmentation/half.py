"""How `tools/test.py` tests segmenters: their facts, test-time augmentation, painting and files of predictions."""

import os
from copy import deepcopy
from pathlib import Path

import matplotlib
from mmdet.datasets import BaseDetDataset
from mmdet.evaluation import DumpDetResults
from mmengine.config import Config, ConfigDict
from mmengine.evaluator import BaseMetric

from seg_vton.engine.halves import Half, register_half
from seg_vton.errors import UserError
from seg_vton.files import refuse_existing
from seg_vton.segmentation.painting import FolderVisualizationHook
from seg_vton.segmentation.rows import describe_row

# Flip test-time augmentation; a config may bring its own `tta_model` and `tta_pipeline`.
_TTA_MODEL = dict(type="InstanceTTAModel", tta_cfg=dict(nms=dict(type="nms", iou_threshold=0.5), max_per_img=100))
_WINDOWLESS = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")  # matplotlib's backends
_TTA_META = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")


class SegmentationHalf(Half):
    """Detectors and segmenters on data sets of mmdet's kind; see `Half`."""

    data_set = BaseDetDataset
    describe_row = staticmethod(describe_row)

    def enable_tta(self, config: Config) -> None:
        """Wraps the model and the pipeline in horizontal-flip augmentation, unless the config says another."""
        config.tta_model = config.get("tta_model", deepcopy(_TTA_MODEL))
        if "tta_pipeline" not in config:
            flips = [dict(type="RandomFlip", prob=1.0), dict(type="RandomFlip", prob=0.0)]
            pack = [dict(type="PackDetInputs", meta_keys=_TTA_META)]
            pipeline = deepcopy(config.test_dataloader.dataset.pipeline)
            config.tta_pipeline = [*pipeline[:-1], dict(type="TestTimeAug", transforms=[flips, pack])]
        config.model = ConfigDict(**config.tta_model, module=config.model)
        config.test_dataloader.dataset.pipeline = config.tta_pipeline

    def enable_painting(self, config: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
        """Paints instances by `default_hooks.visualization`.

        `UserError` where the config has no such hook, or there is no display, or no folder.
        """
        hook = config.get("default_hooks", {}).get("visualization")
        if hook is None:
            raise UserError(
                f"{config.filename} has no default_hooks.visualization, so --show and --show-dir cannot paint"
            )
        backend = matplotlib.get_backend()  # of those that work here
        if show and backend.lower() in _WINDOWLESS:
            raise UserError(
                f"--show needs a display, and there is none (DISPLAY={os.environ.get('DISPLAY', '')}, matplotlib draws "
                f"with {backend}): write the pictures with --show-dir DIR, or set up a display and a GUI for matplotlib"
            )
        if show_dir and Path(show_dir).is_file():
            raise UserError(f"--show-dir {show_dir} is a file: name a folder")
        if hook.type == "DetVisualizationHook":
            hook.type = FolderVisualizationHook.__name__
        hook.update(draw=True, show=show, wait_time=wait_time, test_out_dir=show_dir)

    def set_output(self, config: Config, out: str, overwrite: bool) -> list[BaseMetric]:
        """Writes COCO results to a `.json` or mmdet's dump to a `.pkl`."""
        refuse_existing(Path(out), overwrite)
        suffix = Path(out).suffix
        if suffix == ".json":
            evaluator = config.test_evaluator
            (evaluator[0] if isinstance(evaluator, list) else evaluator)["predictions_file"] = out
            return []
        if suffix not in (".pkl", ".pickle"):
            raise UserError(f"--out {out}: the name must end in .json (COCO results) or .pkl (mmdet dump)")
        return [DumpDetResults(out_file_path=out)]


register_half(SegmentationHalf())
