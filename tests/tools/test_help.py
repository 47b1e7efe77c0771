"""The tools say what they do at once, and a run's first lines are its own."""

import subprocess
import sys
from typing import get_args

from seg_vton.analysis.benchmarks import BENCHMARKS
from seg_vton.data.photo_pairs.person import Background, Choice
from seg_vton.tryon.metrics.folders import RESIZE_RULES
from seg_vton.tryon.metrics.image_quality import SSIM_FORMS

HEAVY = {"matplotlib", "mmcv", "mmdet", "mmengine", "scipy", "torch", "torchmetrics", "torchvision"}
PRINT_HELP = """
import runpy, sys
for tool in sys.argv[1:]:
    sys.argv = [tool, "--help"]
    try:
        runpy.run_path(tool, run_name="__main__")
    except SystemExit as end:
        assert not end.code, tool
print(*sys.modules)
"""
FIND = """
import seg_vton
from mmdet.registry import DATASETS, METRICS
from mmengine.registry import HOOKS, MODELS
import sys
assert "imgaug" not in sys.modules
assert DATASETS.get("ClothingDataset") and METRICS.get("LabelMapIoU") and HOOKS.get("EpochSeedHook")
assert MODELS.get("seg_vton.GMM") and MODELS.get("carafe").__module__ == "seg_vton.ops.carafe_pack"
"""


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)


def test_help_loads_no_library_that_takes_seconds(repo):
    """What a tool offers, without the package that does it, is what the package takes."""
    tools = sorted(str(path) for path in [*repo.glob("tools/*.py"), *repo.glob("tools/*/*.py")])
    printed = run(PRINT_HELP, *tools).stdout
    assert printed.count("usage: ") == len(tools)
    assert not HEAVY & set(printed.splitlines()[-1].split())
    offered = (RESIZE_RULES, SSIM_FORMS, get_args(Background), get_args(Choice), ("cpu", "gpu", *BENCHMARKS))
    assert [choices for choices in offered if f"{{{','.join(choices)}}}" not in printed] == []


def test_after_a_plain_import_all_that_configs_name_is_found_and_nothing_said_but_what_stands_in():
    lines = run(FIND).stdout.splitlines()
    assert len(lines) <= 1
    assert all("mmcv has no compiled operators" in line for line in lines)
