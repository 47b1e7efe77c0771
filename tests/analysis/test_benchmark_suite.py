"""The suite: a process for each benchmark, one file for all, nothing lost when one fails."""

import json
from datetime import datetime, timedelta, timezone

import pytest
import torch

from seg_vton import machine
from seg_vton.analysis.benchmark_suite import SUITES, choose, run_suite
from seg_vton.errors import UserError

TOOL = """
import argparse, json, os
from pathlib import Path
parser = argparse.ArgumentParser()
for name in ("--rounds", "--out"):
    parser.add_argument(name)
parser.add_argument("--quick", action="store_true")
args = parser.parse_args()
assert not {fails}, 'told to fail'
gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
report = dict(pid=os.getpid(), rounds=args.rounds, quick=args.quick, gpus=gpus)
Path(args.out).write_text(json.dumps(report))
"""


@pytest.fixture
def tools(tmp_path):
    """A folder of benchmarks that write who they are; the data's fails."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in SUITES["cpu"]:
        text = TOOL.format(fails=name == "data")
        (folder / f"benchmark_{name}.py").write_text(text)
    return folder


def test_each_benchmark_has_a_process_of_its_own(tools, tmp_path):
    out = tmp_path / "out.json"
    content = run_suite(tools, "cpu", out, ["evaluation", "detector", "ops"], rounds=2, quick=True)
    assert json.loads(out.read_text()) == content
    found = content["benchmarks"]
    assert list(found) == ["ops", "detector", "evaluation"]
    assert len({each["report"].pop("pid") for each in found.values()}) == 3
    for each in found.values():
        assert each["report"] == {"rounds": "2", "quick": True, "gpus": ""}
        assert (each["rounds"], each["quick"]) == (2, True)


def test_what_ran_when_and_how_stands_beside_each_report(tools, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["tools/benchmark.py", "--out", "a file.json"])
    before = datetime.now(timezone.utc).replace(microsecond=0)
    out = tmp_path / "out.json"
    monkeypatch.setattr(machine, "code_version", lambda: "0123456789ab-dirty")
    first = run_suite(tools, "cpu", out, ["ops", "tryon"])["benchmarks"]
    for each in first.values():
        assert each["code"] == "0123456789ab-dirty"
        assert each["command"] == "python tools/benchmark.py --out 'a file.json'"
        started = datetime.fromisoformat(each["started"])
        assert started.utcoffset() == timedelta(0)
        assert before <= started <= datetime.now(timezone.utc)
        assert len(each["load_average"]) == 3
        assert min(each["load_average"]) >= 0
    monkeypatch.setattr(machine, "code_version", lambda: "ba9876543210")
    merged = run_suite(tools, "cpu", out, ["tryon"], overwrite=True)["benchmarks"]
    assert {name: each["code"] for name, each in merged.items()} == {
        "ops": "0123456789ab-dirty",
        "tryon": "ba9876543210",
    }


def test_the_others_run_when_one_fails_and_only_replaces_what_it_names(tools, tmp_path):
    out = tmp_path / "out.json"
    with pytest.raises(UserError, match=r"data ended with 1.*--only"):
        run_suite(tools, "cpu", out)
    before = json.loads(out.read_text())["benchmarks"]
    assert list(before) == ["ops", "detector", "tryon", "evaluation"]
    with pytest.raises(UserError, match="--overwrite"):
        run_suite(tools, "cpu", out, ["ops"])
    run_suite(tools, "cpu", out, ["ops"], overwrite=True)
    after = json.loads(out.read_text())["benchmarks"]
    assert after["tryon"] == before["tryon"]
    assert after["ops"] != before["ops"]


def test_names_are_checked_and_ordered():
    assert choose("cpu") == list(SUITES["cpu"])
    assert choose("cpu", ["tryon", "ops"]) == ["ops", "tryon"]
    with pytest.raises(UserError, match="--only ops,carafe: the suite cpu has ops, detector"):
        choose("cpu", ["ops", "carafe"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA GPU")
def test_without_a_gpu_its_suite_is_refused(tools, tmp_path):
    with pytest.raises(UserError, match="--suite gpu needs a CUDA GPU"):
        run_suite(tools, "gpu", tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_every_benchmark_has_a_tool(repo):
    for names in SUITES.values():
        assert all((repo / f"tools/analysis/benchmark_{name}.py").is_file() for name in names)
