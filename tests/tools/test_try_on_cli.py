"""tools/try_on.py as a user runs it, with a segmenter and models of random weights."""

import json

import pytest
import torch
from mmengine.config import Config
from PIL import Image

from seg_vton.apis import ClothingParser
from seg_vton.engine.launch import load_config
from seg_vton.parsing.photos import read_photo
from seg_vton.registry import build_model


@pytest.fixture(scope="module")
def command(cli, tiny_config_file, tiny_weights, tiny_tryon, tmp_path_factory):
    """Runs the tool; `changes` replace checkpoints by name."""
    folder = tmp_path_factory.mktemp("stages")
    found = {"segmenter": (tiny_config_file, tiny_weights[0])}
    for stage in ("gmm", "tom"):
        model = load_config(tiny_tryon[stage]).model
        if stage == "tom":
            model.warper = None
        torch.manual_seed(0)
        torch.save(build_model(model).state_dict(), folder / f"{stage}.pth")
        found[stage] = (tiny_tryon[stage], folder / f"{stage}.pth")

    def run(*arguments, **changes):
        models = [part for name, pair in {**found, **changes}.items() for part in (f"--{name}", *pair)]
        return cli("try_on.py", *models, "--score-thr", "0.01", "--pose", "none", "--device", "cpu", *arguments)

    run.models = found
    return run


@pytest.fixture(scope="module")
def photos(tiny_coco, command, tmp_path_factory):
    """A folder of a photo in which the random segmenter finds an upper garment, enlarged, and a text file."""
    folder = tmp_path_factory.mktemp("photos")
    parser = ClothingParser(*command.models["segmenter"], "cpu", score_thr=0.01)
    for path in sorted((tiny_coco / "images").iterdir()):
        photo = Image.open(path)
        photo.resize((3 * photo.width, 3 * photo.height)).save(folder / "good.png")
        if parser(read_photo(folder / "good.png")).regions().upper.mean() > 0.1:
            break
    (folder / "text.jpg").write_text("not a photo")
    return folder


def test_a_folder_is_dressed_and_the_exit_code_says_what_was_not(command, photos, tmp_path):
    out = tmp_path / "out"
    arguments = ("--person", photos, "--garment", photos / "good.png", "--out", out)
    ended = command(*arguments)
    assert ended.returncode == 1
    assert f"error: {photos / 'text.jpg'} is not a JPEG" in ended.stderr
    assert "made 1 try-ons, 0 were done before, 1 faults" in ended.stdout, ended.stderr
    assert "good_good: no pose" in ended.stdout
    assert "Traceback" not in ended.stderr
    facts = json.loads((out / "records" / "good_good.json").read_text())
    assert Image.open(out / "try-on" / "good_good.png").size == tuple(facts["size"])
    assert facts["stamp"]["segmenter"]["score_thr"] == 0.01
    again = command("--person", photos / "good.png", *arguments[2:])
    assert again.returncode == 0, again.stderr
    assert "made 0 try-ons, 1 were done before, 0 faults" in again.stdout


def test_wrong_checkpoints_end_in_a_line(command, photos, tmp_path):
    models = command.models
    payload = tmp_path / "payload.pth"
    torch.save({"state_dict": torch.load(models["gmm"][1], weights_only=True), "extra": Config({"a": 1})}, payload)
    faults = {
        "payload.pth was refused: it asks for mmengine": {"gmm": (models["gmm"][0], payload)},
        "does not fit the model of the config": {"tom": (models["tom"][0], models["gmm"][1])},
    }
    for expected, changes in faults.items():
        ended = command("--person", photos, "--garment", photos, "--out", tmp_path / "out", **changes)
        assert ended.returncode == 1
        assert expected in ended.stderr
        assert "Traceback" not in ended.stderr
        assert not (tmp_path / "out").exists()
