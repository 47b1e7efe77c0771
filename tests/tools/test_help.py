"""The tools say what they do at once, and a run's first lines are its own."""

import subprocess
import sys

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
BUILD = """
import seg_vton
from mmdet.registry import DATASETS, METRICS, MODELS
from mmengine.registry import HOOKS
names = {DATASETS: "ClothingDataset", METRICS: "LabelMapIoU", HOOKS: "EpochSeedHook"}
assert all(registry.get(name) for registry, name in names.items())
assert MODELS.build(dict(type="seg_vton.GMM", image_size=(64, 64), base_channels=2))
assert MODELS.get("MaskRCNN") and MODELS.get("carafe").__module__ == "seg_vton.ops.carafe_pack"
"""


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)


def test_help_loads_no_library_that_takes_seconds(repo):
    tools = sorted(str(path) for path in [*repo.glob("tools/*.py"), *repo.glob("tools/*/*.py")])
    result = run(PRINT_HELP, *tools)
    assert result.stdout.count("usage: ") == len(tools)
    assert not HEAVY & set(result.stdout.splitlines()[-1].split())


def test_a_plain_import_is_enough_for_all_that_configs_name():
    lines = run(BUILD).stdout.splitlines()
    assert all("mmcv has no compiled operators" in line for line in lines)
