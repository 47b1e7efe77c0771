"""A bug in a researcher's own code shows its file and line on the console, never a message about a user's file."""

import re

import pytest

CODE = """
from mmdet.models import FCNMaskHead
from mmdet.registry import MODELS, TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class OwnStep(BaseTransform):
    def transform(self, results):
        raise ValueError("mine")


@MODELS.register_module()
class OwnHead(FCNMaskHead):
    def forward(self, x):
        raise OSError("mine")
"""

BUGS = {
    "transform": (CODE, "train_pipeline = [*_base_.train_pipeline[:-1], dict(type='OwnStep')]\n"
                  "train_dataloader = dict(dataset=dict(pipeline=train_pipeline))", "ValueError", "transform"),
    "head": (CODE, "model = dict(roi_head=dict(mask_head=dict(type='OwnHead')))", "OSError", "forward"),
    "module": ("raise KeyError('mine')", "", "KeyError", "<module>"),
    "config": ("", "model = dict(neck=1 / 0)", "ZeroDivisionError", "<module>"),
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_of_ones_own_shows_its_file_and_line(name, segmenter_config, start, tmp_path):
    code, row, kind, function = BUGS[name]
    (tmp_path / "own_code.py").write_text(code)
    config = tmp_path / "row.py"
    imports = "custom_imports = dict(imports=['seg_vton', 'own_code'], allow_failed_imports=False)"
    config.write_text(f'_base_ = "{segmenter_config}"\n{imports}\n{row}\n')
    ended = start("train.py", config, "--work-dir", tmp_path / "work", prepare=[(import_from, str(tmp_path))])
    assert ended.wait() == 1
    said = ended.text()
    file = "row" if name == "config" else "own_code"
    assert re.search(rf'File ".*{file}\.py", line \d+, in {function}\n', said), said[-3000:]
    assert re.search(rf"^{kind}: ", said.splitlines()[-1]) or name == "transform", said[-3000:]
    assert "error: " not in said
    if name in ("transform", "head"):
        (log,) = tmp_path.glob("work/*/*.log")
        assert f"in {function}\n" in log.read_text()


def import_from(folder):
    """Run in the tool's process: its PYTHONPATH."""
    import sys

    sys.path.insert(0, folder)
