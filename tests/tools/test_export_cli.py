"""tools/export.py, and the tools on the folder that it writes."""

import json
import runpy
import shutil
import sys

import numpy as np
import pytest

from seg_vton.engine import model_folder
from seg_vton.labels import load_palette_png
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import read_photo


@pytest.fixture(scope="module")
def models(tiny_config_file, tiny_weights, repo, tmp_path_factory):
    """A model folder of the tiny segmenter alone."""
    out = tmp_path_factory.mktemp("exported") / "models"
    command = ["export.py", "--segmenter", tiny_config_file, tiny_weights[0], "--out", out, "--license", "Apache-2.0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", list(map(str, command)))
        runpy.run_path(str(repo / "tools" / "export.py"), run_name="__main__")
    return out


@pytest.mark.parametrize("packaged", [False, True])
def test_parse_takes_a_folder_in_the_place_of_config_and_checkpoint(
    here, models, packaged, tiny_config_file, tiny_weights, tiny_coco, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(model_folder, "PACKAGED", models if packaged else tmp_path / "none")
    photo = tiny_coco / "images" / "1.png"
    named = [] if packaged else ["--models", models]
    assert here("parse.py", *named, photo, "--out", tmp_path, "--score-thr", "0.05", "--device", "cpu") == 0
    assert "parsed 1 photos" in capsys.readouterr().out
    expected = ClothingParser(tiny_config_file, tiny_weights[0], "cpu", score_thr=0.05)(read_photo(photo)).label_map()
    assert np.array_equal(load_palette_png(tmp_path / "label-map" / "1.png", "deepfashion15"), expected)
    assert json.loads((tmp_path / "records" / "1.json").read_text())["stamp"]["checkpoint"] == "segmenter.safetensors"


def test_without_any_model_the_tools_say_what_to_give(here, models, tiny_coco, tmp_path, monkeypatch, capsys):
    photo, out = tiny_coco / "images" / "1.png", ("--out", tmp_path / "out")
    dress = ("try_on.py", "--person", photo, "--garment", photo, *out)
    monkeypatch.setattr(model_folder, "PACKAGED", models)
    assert "has no gmm and no tom: give --gmm CONFIG CHECKPOINT --tom CONFIG CHECKPOINT too, or --models" in here(
        *dress
    )
    monkeypatch.setattr(model_folder, "PACKAGED", tmp_path)
    for command in (("parse.py", photo, *out), ("data/cut_garments.py", photo, *out), dress):
        assert "this installation has no packaged model: give a model folder by --models DIR" in here(*command)
    assert not (tmp_path / "out").exists()
    for arguments, reason in {
        ("a.py", "a.pth"): "after CONFIG and CHECKPOINT photos are needed",
        ("a.py", "a.pth", photo, "--models", models): "both name a segmenter: give one",
        (photo, "--cfg-options", "a=1"): "--cfg-options changes a config: give CONFIG CHECKPOINT",
    }.items():
        assert here("parse.py", *arguments, *out) == 2
        assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--models", "a", "--onnx", "a.onnx", "--half"], "are for a model folder: give --out DIR too"),
        (["--models", "a", "--segmenter", "a.py", "a.pth", "--onnx", "a.onnx"], "and no --segmenter beside it"),
        (["--segmenter", "a.py", "a.pth", "--out", "a", "--photos", "a.jpg"], "give --onnx FILE too"),
        (["--models", "a", "--onnx", "a.onnx", "--license", "MIT"], "--license is of a segmenter that is given here"),
    ],
)
def test_export_refuses_what_it_would_ignore(here, arguments, reason, capsys):
    assert here("export.py", *arguments) == 2
    assert reason in capsys.readouterr().err


def test_a_folder_of_cut_weights_ends_each_tool_in_a_message(here, models, tiny_coco, tmp_path):
    folder, photo = shutil.copytree(models, tmp_path / "models"), tiny_coco / "images" / "1.png"
    weights = folder / "segmenter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    photos = ("--person", photo, "--garment", photo, "--pose", "none")
    for command in (("parse.py", photo), ("data/cut_garments.py", photo), ("data/prepare_viton_hd.py", *photos)):
        said = here(*command, "--models", folder, "--out", tmp_path / "out")
        assert f"{weights}: the file was cut off or changed" in said
    assert not (tmp_path / "out").exists()
