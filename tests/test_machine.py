import json
import os
import platform
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import torch

from seg_vton import machine
from seg_vton.errors import UserError


def test_description_has_the_class_of_the_machine_and_not_its_name():
    described = machine.describe()
    assert set(described) == {"cpu", "cores", "instructions", "gpu", "python", "torch"}
    assert described["cpu"]
    assert 1 <= described["cores"] <= os.cpu_count()
    assert described["torch"] == torch.__version__
    assert described["python"] == platform.python_version()
    assert (described["gpu"] is None) == (not torch.cuda.is_available())
    assert socket.gethostname() not in json.dumps(described)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux lets a process give up cores")
def test_cores_are_those_this_process_may_use():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert machine.describe()["cores"] == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_gpu_that_is_seen_and_cannot_compute_is_no_usable_device(monkeypatch):
    def ones(*_, **__):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with")

    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setattr("mmengine.device.get_device", lambda: "cuda")
    with pytest.raises(UserError, match=r"^device cuda cannot be used: CUDA error: no kernel .* on the device$"):
        machine.usable_device(None)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512_bf16 fma", True), ("fpu amx_bf16", True), ("fpu avx512f", False), ("", False)],
)
def test_bfloat16_is_read_from_the_flags(monkeypatch, flags, expected):
    text = f"processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: {flags}\n"
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    monkeypatch.setattr(Path, "exists", lambda self: True)
    assert machine.has_bfloat16() is expected
    assert machine.describe()["cpu"] == "A CPU @ 2 GHz"
    assert ("bfloat16" in machine.describe()["instructions"]) is expected


def test_without_a_list_of_processors_the_platform_is_asked(monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert machine.has_bfloat16() is False
    assert machine.describe()["cpu"] == (platform.processor() or platform.machine())


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit, in which the module lies; returns a function that calls git there."""
    package = tmp_path / "seg_vton"
    package.mkdir()
    monkeypatch.setattr(machine, "__file__", shutil.copy(machine.__file__, package))

    def git(*arguments):
        names = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", "-C", str(tmp_path), *names, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    (tmp_path / "result.json").write_text("one")
    git("init")
    git("add", ".")
    git("commit", "-m", "all")
    return git


def test_the_code_is_named_by_its_commit_and_whether_it_differs(repository):
    commit = repository("rev-parse", "HEAD")
    assert machine.code_version() == commit[:12]
    Path(machine.__file__).with_name("new.py").touch()
    Path(machine.__file__).parents[1].joinpath("result.json").write_text("another")
    assert machine.code_version() == commit[:12]  # results are no code
    Path(machine.__file__).write_text("changed")
    assert machine.code_version() == f"{commit[:12]}-dirty"


def test_code_that_lies_in_a_folder_of_another_repository_is_unknown(repository):
    installed = Path(machine.__file__).parent / ".venv" / "machine.py"
    installed.parent.mkdir()
    shutil.copy(machine.__file__, installed)
    machine.__file__ = str(installed)  # undone by the fixture's monkeypatch
    assert machine.code_version() == "unknown"


def test_without_git_the_code_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert machine.code_version() == "unknown"
