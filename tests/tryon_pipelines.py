"""The steps of the configs' try-on data sets, and try-on data sets with them."""

from pathlib import Path

from mmengine.config import Config

from seg_vton.tryon.datasets import TryOnDataset

_DATASETS = Path(__file__).resolve().parents[1] / "configs" / "_base_" / "datasets"
_CONFIG = Config.fromfile(_DATASETS / "tryon.py")
STEPS = _CONFIG.pipeline
PREDICTED_TRAIN, PREDICTED_TEST = _CONFIG.predicted_train_pipeline, _CONFIG.predicted_test_pipeline


def changed(kind, **arguments):
    """The steps, those of a kind with other arguments."""
    return [{**step, **arguments} if step["type"] == kind else step for step in STEPS]


def build(*arguments, **options):
    """`TryOnDataset` with the configs' steps, unless `pipeline` says others."""
    return TryOnDataset(*arguments, **{"pipeline": STEPS, **options})
