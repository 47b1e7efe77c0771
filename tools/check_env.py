"""Prints versions, devices and operators of this environment, and the fix for whatever is wrong; exits with 1 then.

It imports the standard library only and tries everything else in processes of their own, so it works even if nothing
else does.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

# Import name -> distributions that bring it: the maintained fork and the originals. Two of them overwrite each other.
FAMILIES = {
    "mmengine": ("onedl-mmengine", "mmengine", "mmengine-lite"),
    "mmcv": ("onedl-mmcv", "mmcv", "mmcv-lite", "mmcv-full"),
    "mmdet": ("onedl-mmdetection", "mmdet"),
    "cv2": ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
}
# What must run, each in a process of its own, and what may be behind a failure.
IMPORTS = {
    "import torchvision.ops": "torch and torchvision must be of one release (2.11.0 and 0.26.0, say)",
    "import cv2": "a missing libGL.so.1 means opencv-python where opencv-python-headless belongs",
    "import pycocotools.mask": "after a change of numpy's version, with --force-reinstall --no-cache-dir",
    "import faster_coco_eval": "after a change of numpy's version, with --force-reinstall --no-cache-dir",
}
PACKAGE = """import json, torch, seg_vton, mmdet.models
from seg_vton import machine
from seg_vton.ops import mmcv_ext
facts = machine.describe()
facts |= {"compiled": mmcv_ext.has_compiled_ops(), "bfloat16": machine.has_bfloat16(), "cuda": torch.version.cuda}
print(json.dumps(facts))"""
PACKAGE_HINT = "compiled operators of mmcv must have been built for the torch that is installed"
REINSTALL = "pip install --no-deps --require-hashes -r requirements.lock"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `fault` is empty where nothing is wrong, and `fix` is what to do about it."""

    name: str
    value: str
    fault: str = ""
    fix: str = ""


def check() -> list[Finding]:
    """Looks at the interpreter, the packages, what can be imported, the operators and the devices."""
    installed: dict[str, str] = {}
    for distribution in metadata.distributions():
        if name := distribution.metadata.get("Name"):  # what pip has left of an interrupted removal has none
            installed.setdefault(_normalize(name), distribution.version)  # the path's first one
    findings = [check_python(sys.version_info[:2]), *check_families(installed), *check_requirements(installed)]
    runs = {code: _start(code) for code in (*IMPORTS, PACKAGE)}
    findings += [check_run(code, runs[code], hint)[0] for code, hint in IMPORTS.items()]
    package, output = check_run("import seg_vton", runs[PACKAGE], PACKAGE_HINT)
    return [*findings, package, *(describe(json.loads(output.splitlines()[-1])) if output else [])]


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def check_python(version: tuple[int, int]) -> Finding:
    """The interpreter."""
    if (3, 10) <= version <= (3, 14):
        return Finding("python", platform.python_version())
    fault = f"Python {'.'.join(map(str, version))} is not one of 3.10 to 3.14"
    return Finding("python", platform.python_version(), fault, "remove .venv, then: make setup PYTHON=python3.12")


def check_families(installed: Mapping[str, str]) -> list[Finding]:
    """Packages that come from a fork or from the original: exactly one of `installed` (name -> version) may do so."""
    findings = []
    for module, names in FAMILIES.items():
        found, fault, fix = [name for name in names if name in installed], "", ""
        if not found:
            fault, fix = f"nothing that brings {module} is installed", REINSTALL
        elif len(found) > 1:
            fault = f"{' and '.join(found)} are installed beside each other and overwrite each other's {module}"
            fix = f"pip uninstall -y {' '.join(found)}; pip install --no-deps {names[0]}=={installed[found[0]]}"
        value = ", ".join(f"{name} {installed[name]}" for name in found) or "missing"
        findings.append(Finding(module, value, fault, fix))
    return findings


def check_requirements(installed: Mapping[str, str]) -> list[Finding]:
    """The other packages of `installed` (name -> version), against the versions that `pyproject.toml` asks for."""
    for name, fix in (("seg-vton", "pip install --no-deps --no-build-isolation -e ."), ("packaging", REINSTALL)):
        if name not in installed:
            return [Finding(name, "missing", f"{name} is not installed", fix)]
    return check_versions(installed, metadata.requires("seg-vton") or [])


def check_versions(installed: Mapping[str, str], requirements: Iterable[str]) -> list[Finding]:
    """Compares versions by name with requirements of a package's metadata, those of extras left out."""
    from packaging.requirements import Requirement

    findings = []
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = _normalize(requirement.name)
        version = installed.get(name)
        fits = version is not None and requirement.specifier.contains(version, prereleases=True)
        # Where one of a family is missing the original takes its place, or check_families has complained.
        if any(name in names for names in FAMILIES.values()) and (version is None or fits):
            continue
        fault = "" if fits else f"{requirement} is needed, but {version or 'nothing'} is installed"
        findings.append(Finding(name, version or "missing", fault, "" if fits else f"pip install '{requirement}'"))
    return findings


def _start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_run(name: str, process: subprocess.Popen[str], hint: str) -> tuple[Finding, str]:
    """Waits for an interpreter that imports something: the finding, and what it printed, empty if it failed."""
    output, errors = process.communicate()
    if not process.returncode:
        return Finding(name, "works"), output
    lines = errors.strip().splitlines()
    reason = lines[-1] if lines else f"the interpreter ended with code {process.returncode}"
    return Finding(name, "fails", reason, f"{REINSTALL} ({hint})"), ""


def describe(facts: Mapping[str, Any]) -> list[Finding]:
    """Whose nms, roi_align and CARAFE run, and what there is to compute on, by what `PACKAGE` prints."""
    operators = "mmcv has none compiled: torchvision's nms and roi_align and seg_vton.ops.carafe stand in"
    if facts["compiled"]:
        operators = "mmcv's compiled ones; seg_vton.ops.carafe on a CPU and in bfloat16"
    bfloat16 = "bfloat16 in hardware" if facts["bfloat16"] else "no bfloat16 in hardware: --amp is slower on this CPU"
    cuda = f"PyTorch is built for CUDA {facts['cuda']}" if facts["cuda"] else "PyTorch is built without CUDA"
    cores = f"{facts['cores']} core{'' if facts['cores'] == 1 else 's'}"
    return [
        Finding("operators", operators),
        Finding("CPU", f"{facts['cpu']}, {cores}, {facts['instructions'].split()[0]}, {bfloat16}"),
        Finding("GPU", f"{facts['gpu'] or 'none usable'}; {cuda}"),
    ]


def report(findings: Sequence[Finding]) -> str:
    """The findings as a table, then what is wrong with the fix for each."""
    width = max(len(finding.name) for finding in findings) + 2
    lines = [f"{'!' if f.fault else ' '} {f.name:<{width}}{f.value}" for f in findings]
    wrong = [f for f in findings if f.fault]
    lines += ["", f"{len(wrong)} wrong:" if wrong else "Nothing is wrong."]
    for finding in wrong:
        lines += [f"- {finding.name}: {finding.fault}", f"  fix: {finding.fix}"]
    return "\n".join(lines)


def main() -> None:
    """Checks and reports."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    findings = check()
    print(report(findings))
    sys.exit(int(any(finding.fault for finding in findings)))


if __name__ == "__main__":
    main()
