from pathlib import Path

import pytest
import torch
from mmengine.config import Config

import seg_vton  # noqa: F401  safe loaders
from seg_vton.engine.results import parse_config_text, trained_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "segmentation").glob("*.py"))


@pytest.mark.parametrize("path", CONFIGS[::5], ids=lambda path: path.stem)
def test_a_config_comes_back_from_its_text(path):
    config = Config.fromfile(path, import_custom_modules=False)
    config.merge_from_dict({"extra": {"a b": None, "c": (1, 2.5, {"d.e": [{"f": 1}]})}, "flag": True})
    assert parse_config_text(config.pretty_text).to_dict() == config.to_dict()


@pytest.mark.parametrize(
    "text",
    [
        "a = __import__('pathlib').Path('{}').touch()",
        "a = dict(b=open('{}', 'w'))",
        "a = dict([open('{}', 'w')])",
        "__import__('pathlib').Path('{}').touch()",
        "a = [b for b in (1, 2)]",
        "a = dict(",
        "a = {{[1]: 2}}",
        "filename = 'reserved'",
        "a = " + "-" * 5000 + "1",
    ],
)
def test_text_is_never_run(tmp_path, text):
    assert parse_config_text(text.format(tmp_path / "made")) is None
    assert not list(tmp_path.iterdir())


def test_only_a_whole_training_config_counts(tmp_path):
    config = Config.fromfile(CONFIGS[0], import_custom_modules=False)
    for name, content, expected in (
        ("run.pth", {"state_dict": {}, "meta": {"cfg": config.pretty_text}}, config.to_dict()),
        ("part.pth", {"state_dict": {}, "meta": {"cfg": "model = dict(type='MaskRCNN')"}}, None),
        ("bare.pth", {"weight": torch.zeros(2)}, None),
    ):
        torch.save(content, tmp_path / name)
        found = trained_config(tmp_path / name)
        assert (found and found.to_dict()) == expected
