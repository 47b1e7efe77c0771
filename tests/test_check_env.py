"""The environment check, on this environment and on faked wrong ones."""

import importlib.util
import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def tool(repo):
    spec = importlib.util.spec_from_file_location("check_env", repo / "tools" / "check_env.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


FORKS = {
    "onedl-mmengine": "0.10.12",
    "onedl-mmcv": "2.3.6",
    "onedl-mmdetection": "3.5.1",
    "opencv-python-headless": "4.11",
}
ORIGINALS = {"mmengine": "0.10.7", "mmcv-lite": "2.1.0", "mmdet": "3.3.0", "opencv-python-headless": "4.11"}


@pytest.mark.parametrize(("version", "wrong"), [((3, 9), True), ((3, 10), False), ((3, 14), False), ((3, 15), True)])
def test_python(tool, version, wrong):
    finding = tool.check_python(version)
    assert bool(finding.fault) == bool(finding.fix) == wrong


@pytest.mark.parametrize("installed", [FORKS, ORIGINALS])
def test_forks_or_originals_alone_are_right(tool, installed):
    assert [finding.fault for finding in tool.check_families(installed)] == ["", "", "", ""]


def test_fork_and_original_beside_each_other(tool):
    findings = {finding.name: finding for finding in tool.check_families(FORKS | {"mmcv-full": "1.7.2"})}
    assert [name for name, finding in findings.items() if finding.fault] == ["mmcv"]
    assert "onedl-mmcv and mmcv-full are installed beside each other" in findings["mmcv"].fault
    assert findings["mmcv"].value == "onedl-mmcv 2.3.6, mmcv-full 1.7.2"
    assert findings["mmcv"].fix == ("pip uninstall -y onedl-mmcv mmcv-full; pip install --no-deps onedl-mmcv==2.3.6")


def test_nothing_that_brings_a_module(tool):
    faults = [finding.fault for finding in tool.check_families({})]
    assert all("is installed" in fault for fault in faults)


def test_versions(tool):
    requirements = [
        "onedl-mmcv==2.3.6",
        "torch>=2.4",
        "NumPy<3,>=1.24",
        "faster_coco_eval>=1.6",
        "scipy>=1.10",
        'ruff>=0.12; extra == "dev"',
    ]
    installed = {"torch": "2.3.1+cpu", "numpy": "2.2.6", "faster-coco-eval": "1.7.0", "mmcv-lite": "2.1.0"}
    findings = {finding.name: finding for finding in tool.check_versions(installed, requirements)}
    assert list(findings) == ["torch", "numpy", "faster-coco-eval", "scipy"]
    assert findings["torch"].fault == "torch>=2.4 is needed, but 2.3.1+cpu is installed"
    assert findings["torch"].fix == "pip install 'torch>=2.4'"
    assert findings["scipy"].fault == "scipy>=1.10 is needed, but nothing is installed"
    assert not findings["numpy"].fault
    assert not findings["faster-coco-eval"].fault


def test_a_fork_of_the_wrong_version(tool):
    (finding,) = tool.check_versions({"onedl-mmcv": "2.3.5"}, ["onedl-mmcv==2.3.6"])
    assert finding.fix == "pip install 'onedl-mmcv==2.3.6'"


def test_the_package_itself_is_not_installed(tool):
    (finding,) = tool.check_requirements({})
    assert (finding.name, finding.value) == ("seg-vton", "missing")


@pytest.mark.parametrize(
    ("code", "reason"),
    [("import nothing_of_that_name", "No module named 'nothing_of_that_name'"), ("import os; os.abort()", "-6")],
)
def test_a_run_that_fails_or_crashes(tool, code, reason):
    finding, output = tool.check_run("import it", tool._start(code), "a hint")
    assert reason in finding.fault
    assert "a hint" in finding.fix
    assert output == ""


def test_describe(tool):
    facts = {"compiled": True, "bfloat16": False, "cuda": None, "cpu": "Z80", "cores": 1, "instructions": "DEFAULT"}
    operators, cpu, gpu = tool.describe(facts | {"gpu": None})
    assert "mmcv's compiled ones" in operators.value
    assert cpu.value == "Z80, 1 core, DEFAULT, no bfloat16 in hardware: --amp is slower on this CPU"
    assert gpu.value == "none usable; PyTorch is built without CUDA"
    assert tool.describe(facts | {"gpu": None, "cores": 2})[1].value.startswith("Z80, 2 cores, ")


def run_tool(repo, **environment):
    command = [sys.executable, "tools/check_env.py"]
    return subprocess.run(command, cwd=repo, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_this_environment(repo):
    result = run_tool(repo)
    assert (result.returncode == 0) == ("Nothing is wrong." in result.stdout)
    lines = dict(line[2:].split(maxsplit=1) for line in result.stdout.splitlines() if line[2:].strip())
    assert lines["torch"] == importlib.metadata.version("torch")
    assert {"python", "mmengine", "mmcv", "mmdet", "operators", "CPU", "GPU"} <= lines.keys()


def test_a_wrong_environment(repo, tmp_path):
    """Two distributions of mmcv, and libraries that do not load: all named, each with its fix."""
    for name, version in (("mmcv", "2.1.0"), ("onedl_mmcv", "2.3.6")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (tmp_path / "half_removed-1.0.dist-info").mkdir()
    (tmp_path / "cv2.py").write_text('raise ImportError("libGL.so.1: cannot open shared object file")\n')
    (tmp_path / "torch.py").write_text('raise ImportError("libcudart.so: cannot open shared object file")\n')
    result = run_tool(repo, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert "pip uninstall -y onedl-mmcv mmcv" in result.stdout
    assert "import cv2: ImportError: libGL.so.1" in result.stdout
    assert "opencv-python-headless belongs" in result.stdout
    assert "import seg_vton: ImportError: libcudart.so" in result.stdout
    assert "operators" not in result.stdout.split("wrong:")[0].split()
