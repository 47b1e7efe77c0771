import runpy
from pathlib import Path

import seg_vton  # noqa: F401  before mmdet
from seg_vton.engine.launch import load_config

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "segmentation"
config_difference = runpy.run_path(str(ROOT / "tools" / "print_config.py"))["config_difference"]


def difference(ours, theirs):
    return config_difference(*(load_config(CONFIGS / f"mask-rcnn_r50_{name}.py") for name in (ours, theirs)))


def test_an_ablation_row_reads_as_its_header_says():
    assert difference("fpn_sgd-lr0.009_2e_deepfashion", "fpn_sgd-lr0.02_2e_deepfashion") == (
        "optim_wrapper.optimizer.lr: 0.009 -> 0.02"
    )
    assert difference("carafe-fpn_sgd-lr0.009_5e_deepfashion", "carafe-fpn_sgd-lr0.009_2e_deepfashion") == (
        "train_cfg.max_epochs: 5 -> 2"
    )
    assert difference("fpn_sgd-lr0.009_2e_deepfashion", "fpn-carafe-nearest_sgd-lr0.009_2e_deepfashion").split(
        "\n"
    ) == [
        "model.neck.type: 'FPN' -> 'FPN_CARAFE'",
        "model.neck.upsample_cfg.type: (absent) -> 'nearest'",
    ]


def test_steps_of_a_pipeline_are_counted():
    lines = difference("fpn_sgd-lr0.009_12e_ccp", "fpn_sgd-lr0.005_half-res_2e_ccp").split("\n")
    assert "train_dataloader.dataset.pipeline[2].scale: (750, 1101) -> (550, 550)" in lines
    assert not any(line.startswith("train_pipeline") for line in lines)  # a name for _base_, read by nobody


def test_a_config_does_not_differ_from_itself():
    assert difference("fpn_sgd-lr0.009_12e_ccp", "fpn_sgd-lr0.009_12e_ccp") == ""
