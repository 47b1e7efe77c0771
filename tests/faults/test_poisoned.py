"""Checkpoints whose pickle runs code, at every way into the tools."""

import os

import pytest
import torch
from mmengine.runner import checkpoint as mmengine_checkpoint

from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES


class Payload:
    """Pickles as a call."""

    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        """What the unpickler is asked to run."""
        return self.call


def payloads(marker):
    return {
        "posix.system": Payload(os.system, f"touch {marker}"),
        "eval": Payload(eval, f"open({str(marker)!r}, 'w').close()"),
    }


PLACES = ("state_dict", "meta", "optimizer")


def poison(path, good, place, payload):
    content = {"state_dict": dict(good), "meta": {"epoch": 1, "iter": 3}, "optimizer": {"state": {}}}
    content[place] = {**content[place], "payload": payload}
    torch.save(content, path)


@pytest.fixture(scope="module")
def entries(segmenter_config, tiny_weights, stages, doll_coco, tmp_path_factory):
    """By name of each way in: the tool and its arguments for a checkpoint."""
    folder = tmp_path_factory.mktemp("entries")
    initialized = folder / "initialized.py"
    photos = doll_coco / "images"

    def init_cfg(bad):
        weights = f'dict(_delete_=True, type="Pretrained", checkpoint="{bad}")'
        initialized.write_text(f'_base_ = "{segmenter_config}"\nmodel = dict(backbone=dict(init_cfg={weights}))\n')
        return "train.py", initialized, "--work-dir", folder / "work"

    def resume_last(bad):
        work = folder / "resumed"
        work.mkdir(exist_ok=True)
        (work / "epoch_1.pth").write_bytes(bad.read_bytes())
        return "train.py", segmenter_config, "--work-dir", work, "--resume"

    def try_on(role):
        def arguments(bad):
            found = {"segmenter": (segmenter_config, tiny_weights[0]), **stages}
            found[role] = (found[role][0], bad)
            models = [part for name, pair in found.items() for part in (f"--{name}", *pair)]
            return (
                "try_on.py",
                *models,
                "--person",
                photos,
                "--garment",
                photos,
                "--pose",
                "none",
                "--out",
                folder / "o",
            )

        return arguments

    def train(config, *options):
        return lambda bad: ("train.py", config, "--work-dir", folder / "work", *(str(o).format(bad) for o in options))

    def test_tom(option):
        return lambda bad: ("test.py", tom, stages["tom"][1], *work, "--cfg-options", *warped, f"{option}={bad}")

    gmm, tom = stages["gmm"][0], stages["tom"][0]
    warped = (f"model.warper.checkpoint={stages['gmm'][1]}",)
    warper = ("--cfg-options", "model.warper.checkpoint={}")
    vgg = ("model.loss_perceptual._delete_=True", "model.loss_perceptual.type=PerceptualLoss")
    work = ("--work-dir", folder / "work")
    return {
        "train, load_from": train(segmenter_config, "--cfg-options", "load_from={}"),
        "train, --resume": train(segmenter_config, "--resume", "{}"),
        "train, --resume from the work dir": resume_last,
        "train, init_cfg": init_cfg,
        "train GMM, load_from": train(gmm, "--cfg-options", "load_from={}"),
        "train GMM, --resume": train(gmm, "--resume", "{}"),
        "train TOM, warper": train(tom, *warper),
        "test": lambda bad: ("test.py", segmenter_config, bad, *work),
        "test TOM": lambda bad: ("test.py", tom, bad, *work),
        "train TOM, VGG19": train(tom, "--cfg-options", *warped, *vgg, "model.loss_perceptual.weights={}"),
        "test TOM, AlexNet": test_tom("test_evaluator.alexnet_weights"),
        "test TOM, Inception": test_tom("test_evaluator.inception_weights"),
        "panels": lambda bad: (
            "analysis/panels.py",
            *(segmenter_config, "--models", f"A={segmenter_config},{bad}", "--random", 1, "--out", folder / "panels"),
        ),
        "test TOM, warper": lambda bad: ("test.py", tom, stages["tom"][1], *work, warper[0], warper[1].format(bad)),
        "parse": lambda bad: ("parse.py", segmenter_config, bad, photos, "--out", folder / "parsed"),
        "try_on, segmenter": try_on("segmenter"),
        "try_on, GMM": try_on("gmm"),
        "try_on, TOM": try_on("tom"),
        "convert_checkpoint": lambda bad: ("convert_checkpoint.py", bad, folder / "converted.pth"),
    }


@pytest.mark.filterwarnings("ignore")
def test_no_way_in_runs_what_a_checkpoint_holds(entries, tool, record, full, tmp_path):
    marker, lost, tried = tmp_path / "ran", [], 0
    for number, (entry, arguments) in enumerate(entries.items()):
        for place in PLACES if full else [PLACES[number % len(PLACES)]]:
            names = list(payloads(marker))
            for name in names if full else [names[number % 2]]:
                bad = tmp_path / f"{place}.pth"
                poison(bad, {}, place, payloads(marker)[name])
                ended = tool(*arguments(bad))
                tried += 1
                lines = [line for line in ended.err.splitlines() if line.startswith("error: ")]
                refused = ended.code == 1 and len(lines) == 1 and f"was refused: it asks for {name}" in lines[0]
                if marker.exists() or not refused or "Traceback" in ended.err:
                    lost.append((entry, place, name, ended.code, ended.err[-2000:]))
                marker.unlink(missing_ok=True)
    record(
        "Poisoned",
        "poisoned",
        "A checkpoint runs no code: it is refused, and the message names what it asks for.",
        f"os.system and eval through __reduce__ in {', '.join(PLACES)}, in {len(entries)} commands",
        tried,
        lost,
        entries=len(entries),
    )


def test_the_forks_way_back_to_full_unpickling_is_closed(tmp_path):
    for name, payload in payloads(tmp_path / "ran").items():
        poison(tmp_path / "bad.pth", {}, "state_dict", payload)
        with pytest.raises(UserError, match=f"asks for {name}"):
            mmengine_checkpoint._safe_torch_load(tmp_path / "bad.pth", weights_only=False)
        with (tmp_path / "bad.pth").open("rb") as stream, pytest.raises(Exception, match="Weights only load failed"):
            mmengine_checkpoint._safe_torch_load(stream)
        assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore")
def test_what_others_publish_still_loads(stages, segmenter_config, tiny_weights, tool, tmp_path):
    """CP-VTON's plain state dict of torch 0.4, whose batch norms count nothing, and a file of mmdet's zoo."""
    state = torch.load(stages["gmm"][1], weights_only=True)
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "gmm_final.pth", _use_new_zipfile_serialization=False)
    ended = tool("test.py", stages["gmm"][0], tmp_path / "gmm_final.pth", "--work-dir", tmp_path / "work")
    assert ended.code == 0, ended.err
    weights = load_checkpoint_file(tiny_weights[0])["state_dict"]
    meta = {"epoch": 12, "iter": 87966, "mmdet_version": "2.0.0", "config": "import os\n", "CLASSES": CLOTHING_CLASSES}
    torch.save({"meta": meta, "state_dict": weights, "optimizer": {"state": {}}}, tmp_path / "zoo.pth")
    ended = tool("test.py", segmenter_config, tmp_path / "zoo.pth", "--work-dir", tmp_path / "work")
    assert ended.code == 0, ended.err


def test_safetensors_are_written_and_read(segmenter_config, tiny_weights, doll_coco, tool, tmp_path):
    converted, back = tmp_path / "0.safetensors", tmp_path / "back.pth"
    assert tool("convert_checkpoint.py", tiny_weights[0], converted).code == 0
    assert tool("convert_checkpoint.py", converted, back).code == 0
    first, last = (load_checkpoint_file(path) for path in (tiny_weights[0], back))
    assert first["state_dict"].keys() == last["state_dict"].keys()
    assert all(torch.equal(value, last["state_dict"][key]) for key, value in first["state_dict"].items())
    assert tuple(last["meta"]["dataset_meta"]["classes"]) == CLOTHING_CLASSES
    photo = next((doll_coco / "images").iterdir())
    ended = tool("parse.py", segmenter_config, converted, photo, "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    converted.write_bytes(converted.read_bytes()[:-100])
    ended = tool("parse.py", segmenter_config, converted, photo, "--out", tmp_path / "other")
    assert ended.code == 1
    assert "0.safetensors cannot be read as safetensors" in ended.err
