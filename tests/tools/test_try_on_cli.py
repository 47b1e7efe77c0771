"""tools/try_on.py as a user runs it, with a segmenter and models of random weights."""

import json

import pytest
import torch
from PIL import Image

from seg_vton.engine.launch import load_config
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import read_photo
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
        return cli("try_on.py", *full(*arguments, **changes))

    def full(*arguments, **changes):
        models = [part for name, pair in {**found, **changes}.items() for part in (f"--{name}", *pair)]
        return [*models, "--score-thr", "0.01", "--pose", "none", "--device", "cpu", *arguments]

    run.models, run.arguments = found, full
    return run


@pytest.fixture(scope="module")
def photos(tiny_coco, png_bomb, command, tmp_path_factory):
    """A folder of a photo in which the random segmenter finds an upper garment, enlarged, and of files at fault."""
    folder = tmp_path_factory.mktemp("photos")
    parser = ClothingParser(*command.models["segmenter"], "cpu", score_thr=0.01)
    for path in sorted((tiny_coco / "images").iterdir()):
        photo = Image.open(path)
        photo.resize((3 * photo.width, 3 * photo.height)).save(folder / "good.png")
        if parser(read_photo(folder / "good.png")).regions().upper.mean() > 0.1:
            break
    (folder / "text.jpg").write_text("not a photo")
    Image.open(folder / "good.png").save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:2000])
    Image.new("RGB", (20, 20)).save(folder / "tiny.png")
    (folder / "bomb.png").write_bytes(png_bomb)
    return folder


FAULTS = {
    "text.jpg": "is not an image that Pillow reads here",
    "cut.jpg": "is not a whole image",
    "tiny.png": "is too small: 20x20",
    "bomb.png": "is too large to decode",
}


def test_a_folder_is_dressed_and_the_exit_code_says_what_was_not(command, photos, tmp_path):
    out = tmp_path / "out"
    arguments = ("--person", photos, "--garment", photos / "good.png", "--out", out)
    ended = command(*arguments)
    assert ended.returncode == 1
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == len(FAULTS)
    for name, reason in FAULTS.items():
        assert any(line.startswith(f"error: {photos / name} {reason}") for line in errors), (name, errors)
    assert "made 1 try-ons, 0 were done before, 4 faults" in ended.stdout, ended.stderr
    assert "good_good: no pose" in ended.stdout
    assert "Traceback" not in ended.stderr
    facts = json.loads((out / "records" / "good_good.json").read_text())
    assert Image.open(out / "try-on" / "good_good.png").size == tuple(facts["size"])
    assert facts["stamp"]["segmenter"]["score_thr"] == 0.01
    again = command("--person", photos / "good.png", *arguments[2:])
    assert again.returncode == 0, again.stderr
    assert "made 0 try-ons, 1 were done before, 0 faults" in again.stdout


OTHER = {"segmenter": "gmm", "gmm": "tom", "tom": "segmenter"}


@pytest.mark.parametrize("model", OTHER)
def test_another_models_checkpoint_ends_the_run_before_any_work(command, here, photos, tmp_path, model):
    other = command.models[OTHER[model]][1]
    changes = {model: (command.models[model][0], other)}
    said = here(
        "try_on.py", *command.arguments("--person", photos, "--garment", photos, "--out", tmp_path / "out", **changes)
    )
    assert f"checkpoint {other} does not fit the model of the config" in said
    assert "Use the config it was trained with" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model", OTHER)
def test_a_payload_is_not_run_and_ends_the_run_before_any_work(command, here, payload, photos, tmp_path, model):
    config, checkpoint = command.models[model]
    changes = {model: (config, payload(checkpoint))}
    said = here(
        "try_on.py", *command.arguments("--person", photos, "--garment", photos, "--out", tmp_path / "out", **changes)
    )
    assert f"checkpoint {tmp_path / 'payload.pth'} was refused: it asks for posix.mkdir" in said
    assert not (tmp_path / "owned").exists()
    assert not (tmp_path / "out").exists()


def test_options_that_do_not_go_together_are_refused(here, capsys):
    command = ("try_on.py", "--person", "a.jpg", "--garment", "b.jpg", "--out", "out", "--label-space", "atr18")
    assert here(*command) == 2
    assert "--label-space is of the maps of --parsing" in capsys.readouterr().err
    assert here(*command, "--parsing", "maps", "--score-thr", "0.5") == 2
    assert "--score-thr is of a segmenter's instances" in capsys.readouterr().err
