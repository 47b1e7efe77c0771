"""The fault suite: what is tried on the tools, and what was lost.

`FAULTS=full` runs the long form; without it each fault is tried a few times. Where `FAULTS_RESULTS` names a folder,
each part writes its figures there as JSON, for the tables of docs/reliability.md.
"""

import datetime
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from PIL import Image
from tool_process import QUICK, Started

from seg_vton import machine
from seg_vton.data.paper_doll import Plan, write_paper_dolls
from seg_vton.engine.launch import load_config
from seg_vton.files import write_json
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.registry import build_model

PARTS = ("Killed", "Poisoned", "Malformed", "Starved", "Alone", "Same numbers", "Long")
FULL = os.environ.get("FAULTS") == "full"
TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="session")
def full():
    """Whether the long form was asked for."""
    return FULL


@pytest.fixture
def record(record_property):
    """Writes down what was tried of a part of the page; `lost` is what broke the promise, and fails the test."""

    def write(part, name, promise, how, tried, lost, **figures):
        assert part in PARTS
        form = "full" if FULL else "short"
        entry = {"schema": 2, "part": part, "name": name, "promise": promise, "how": how, "form": form}
        entry |= {"tried": tried, "lost": len(lost), "figures": figures}
        entry |= {"date": datetime.date.today().isoformat(), "machine": machine.describe()}
        record_property("faults", f"{name}: {tried} tried, {len(lost)} lost; {how}")
        if os.environ.get("FAULTS_RESULTS"):
            write_json(Path(os.environ["FAULTS_RESULTS"]) / f"{name}.json", entry, overwrite=True, indent=1)
        assert not lost, "\n".join(map(str, lost[:10]))

    return write


def pytest_terminal_summary(terminalreporter):
    """Prints what was tried and what was lost, also by other processes of pytest-xdist."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "faults":
                terminalreporter.write_line(value)


@pytest.fixture
def tool(monkeypatch, capfd):
    """Runs a tool in this process, as a user calls it; an exception that it lets out fails the test."""

    def run(name, *arguments):
        for kind in (MMLogger, MessageHub, Visualizer, DefaultScope):
            kind._instance_dict.clear()  # two runs in one second have one name
        capfd.readouterr()
        for attribute, stand_in in QUICK.items():
            monkeypatch.setattr(attribute, stand_in, raising=False)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        code, said = 0, ""
        try:
            runpy.run_path(str(TOOLS / name), run_name="__main__")
        except SystemExit as end:
            code, said = (1, f"{end.code}\n") if isinstance(end.code, str) else (int(end.code or 0), "")
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=out, err=err + said)

    return run


@pytest.fixture
def start(tmp_path):
    """Starts a tool in a process of its own, made by a fork of one that has the imports done."""
    running = []

    def begin(name, *arguments, prepare=(), cwd=None):
        log = tmp_path / f"{len(running)}.log"
        running.append(Started(str(TOOLS / name), [str(a) for a in arguments], log, prepare, str(cwd or tmp_path)))
        return running[-1]

    yield begin
    for process in running:
        process.kill()


@pytest.fixture(scope="session")
def doll_coco(tmp_path_factory):
    """Six paper dolls to train on and four to validate on in COCO's layout, 48 x 64 pixels."""
    folder = tmp_path_factory.mktemp("doll_coco") / "set"
    write_paper_dolls(folder, Plan(train=6, val=4, size=(48, 64), layout="coco"), workers=1)
    return folder


@pytest.fixture(scope="session")
def photos(tiny_coco, tmp_path_factory):
    """Six photos."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted((tiny_coco / "images").iterdir())[:6]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="session")
def segmenter_config(tiny_config_file, doll_coco, tmp_path_factory):
    """The tiny detector on paper dolls: 2 epochs of 3 iterations, saved after each, one loader worker."""
    path = tmp_path_factory.mktemp("segmenter") / "segmenter.py"
    path.write_text(
        f"""
_base_ = "{tiny_config_file}"
root = "{doll_coco}/"
train = dict(data_root=root, ann_file="annotations/instances_train.json", data_prefix=dict(img="images/train/"))
val = dict(data_root=root, ann_file="annotations/instances_val.json", data_prefix=dict(img="images/val/"))
train_dataloader = dict(batch_size=2, num_workers=1, dataset=train)
val_dataloader = dict(num_workers=0, dataset=val)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file="{doll_coco}/annotations/instances_val.json")
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=2)
"""
    )
    return path


@pytest.fixture(scope="session")
def stages(tiny_tryon, tmp_path_factory):
    """Configs and good checkpoints of random weights of GMM and TOM; the GMM's also where the TOM looks for it."""
    folder = tmp_path_factory.mktemp("stages")
    found = {}
    for stage in ("gmm", "tom"):
        settings = load_config(tiny_tryon[stage]).model
        if stage == "tom":
            settings.warper = None
        torch.save(build_model(settings).state_dict(), folder / f"{stage}.pth")
        found[stage] = (tiny_tryon[stage], folder / f"{stage}.pth")
    return found


@pytest.fixture(scope="session")
def dressed(tiny_config_file, tiny_weights, stages, tiny_coco, tmp_path_factory):
    """The command of four try-ons by models of random weights; the photos are such as they find a garment in."""
    folder = tmp_path_factory.mktemp("dressed")
    parser = ClothingParser(tiny_config_file, tiny_weights[0], "cpu", score_thr=0.01)
    for path in sorted((tiny_coco / "images").iterdir()):
        photo = Image.open(path)
        photo = photo.resize((3 * photo.width, 3 * photo.height))
        if parser(np.asarray(photo)).regions().upper.mean() > 0.1:
            break
    for name in ("a", "b"):
        photo.save(folder / f"{name}.png")
    models = {"segmenter": (tiny_config_file, tiny_weights[0]), **stages}
    named = [part for name, pair in models.items() for part in (f"--{name}", *pair)]
    settings = ("--score-thr", "0.01", "--pose", "none", "--device", "cpu")
    return "try_on.py", *named, *settings, "--person", folder, "--garment", folder
