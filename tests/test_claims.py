"""Sizes that config headers state in words, against the models that the configs build."""

import re
from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

import seg_vton  # noqa: F401  operators before mmdet's models

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs" / "segmentation"
CLAIM = re.compile(r"# Costs: ([\d.]+) M parameters more than FPN")
CLAIMANTS = [path for path in sorted(CONFIGS.glob("*.py")) if CLAIM.search(path.read_text(encoding="utf-8"))]


def millions(config, part):
    """Parameters of a config's neck or mask head."""
    model = config.model
    module = MODELS.build({"neck": model.neck, "mask_head": model.roi_head.mask_head}[part])
    return sum(p.numel() for p in module.parameters()) / 1e6


@pytest.fixture(scope="module")
def sizes():
    register_all_modules(init_default_scope=True)
    names = {"fpn": "fpn_sgd", "nearest": "fpn-carafe-nearest_sgd", "carafe": "carafe-fpn_sgd"}
    paths = {key: CONFIGS / f"mask-rcnn_r50_{name}-lr0.009_2e_deepfashion.py" for key, name in names.items()}
    configs = {key: Config.fromfile(path) for key, path in paths.items()}
    return {key: {part: millions(config, part) for part in ("neck", "mask_head")} for key, config in configs.items()}


@pytest.mark.parametrize("path", CLAIMANTS, ids=lambda path: path.stem)
def test_a_config_adds_the_parameters_that_its_header_says(path, sizes):
    claim = CLAIM.search(path.read_text(encoding="utf-8"))[1]
    config = Config.fromfile(path)
    added = sum(millions(config, part) - sizes["fpn"][part] for part in ("neck", "mask_head"))
    assert added == pytest.approx(float(claim), abs=0.5 * 10 ** -len(claim.partition(".")[2]))


def test_some_configs_state_their_size():
    assert len(CLAIMANTS) >= 5
