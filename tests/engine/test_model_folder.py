"""Model folders: what is in them, and that a damaged or malicious one is refused in one message."""

import json
import shutil

import pytest
import torch
import yaml

from seg_vton.engine import model_folder
from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.engine.launch import load_config
from seg_vton.engine.model_folder import FORMAT, chosen_parts, packaged_folder, read_part, write_folder
from seg_vton.errors import UserError
from seg_vton.files import sha256
from seg_vton.labels import CLOTHING_CLASSES

FACTS = {"classes": list(CLOTHING_CLASSES), "score_thr": 0.3}


@pytest.fixture(scope="module")
def source(tiny_config_file, tiny_weights):
    return {"segmenter": (load_config(tiny_config_file), tiny_weights[0], FACTS)}


@pytest.fixture(scope="module")
def result(tiny_weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("result") / "0.tiny-val.json"
    numbers = {"bbox": {"AP": 0.125, "AP75": None}, "pixels": 0.5}
    content = {"checkpoint_sha256": sha256(tiny_weights[0]), "dataset": "tiny", "split": "val", "images": 8}
    path.write_text(json.dumps({**content, "metrics": numbers, "command": "not to be passed on"}))
    return path


@pytest.fixture(scope="module")
def whole(source, result, tmp_path_factory):
    """A model folder of the tiny segmenter, not to be changed."""
    out = tmp_path_factory.mktemp("exported") / "models"
    write_folder(out, source, results=[result], licenses=["Apache-2.0"])
    return out


@pytest.fixture
def folder(whole, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(whole, tmp_path / "models")


def test_a_folder_holds_plain_data_and_says_what_it_is(whole, source, tiny_config_file, tiny_weights):
    assert {path.name for path in whole.iterdir()} == {"model.json", "segmenter.safetensors", "README.md"}
    assert {path.name for path in whole.parent.iterdir()} == {"models"}
    content = json.loads((whole / "model.json").read_text())
    said = content["parts"]["segmenter"]
    assert (content["format"], said["classes"], said["score_thr"]) == (FORMAT, list(CLOTHING_CLASSES), 0.3)
    assert said["data"] == {"name": "tiny", "license": "Apache-2.0"}
    assert said["training"] == {"config": "mask-rcnn_tiny", "checkpoint_sha256": sha256(tiny_weights[0])}
    assert said["results"][0]["metrics"]["bbox"]["AP"] == 0.125
    text = (whole / "model.json").read_text()
    assert "not to be passed on" not in text
    assert str(tiny_config_file.parent) not in text  # nor where anything was
    part, config = read_part(whole, "segmenter"), source["segmenter"][0]
    assert part.config.model.to_dict() == config.model.to_dict()  # tuples too
    assert part.config.test_dataloader.dataset.pipeline == config.test_dataloader.dataset.pipeline
    weights, expected = (load_checkpoint_file(path)["state_dict"] for path in (part.weights, tiny_weights[0]))
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], value) for key, value in expected.items())


def test_the_card_has_what_hubs_read_and_the_numbers(whole):
    card = (whole / "README.md").read_text()
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["license"] == "apache-2.0"
    assert (metadata["pipeline_tag"], metadata["datasets"]) == ("image-segmentation", ["tiny"])
    assert "segmenter, tiny val, 8 images: bbox AP 0.125, pixels 0.500" in card
    assert "| segmenter | mask-rcnn_tiny | tiny | Apache-2.0 |" in card


def test_half_keeps_vectors_and_counters_and_refuses_what_it_cannot_hold(source, tmp_path):
    write_folder(tmp_path / "half", source, half=True)
    config, checkpoint, facts = source["segmenter"]
    trained = load_checkpoint_file(checkpoint)["state_dict"]
    state = load_checkpoint_file(tmp_path / "half" / "segmenter.safetensors")["state_dict"]
    for key, value in state.items():
        assert value.dtype == (torch.float16 if value.dim() > 1 else trained[key].dtype)
    assert "license: unknown" in (tmp_path / "half" / "README.md").read_text()
    trained["rpn_head.rpn_cls.weight"][:] = 1e6
    torch.save(trained, tmp_path / "large.pth")
    with pytest.raises(UserError, match=r"large\.pth: rpn_head\.rpn_cls\.weight is beyond float16"):
        write_folder(tmp_path / "other", {"segmenter": (config, tmp_path / "large.pth", facts)}, half=True)
    assert not (tmp_path / "other").exists()


def test_only_a_model_folder_is_replaced(source, folder, tmp_path):
    with pytest.raises(UserError, match="exists already: pass --overwrite"):
        write_folder(folder, source)
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=r"photos is no model folder .* and is not replaced"):
        write_folder(tmp_path / "photos", source, overwrite=True)
    (folder / "old").write_text("")
    write_folder(folder, source, overwrite=True)
    assert not (folder / "old").exists()
    read_part(folder, "segmenter")


def test_results_and_licenses_must_fit(source, result, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(result.read_text().replace('"checkpoint_sha256": "', '"checkpoint_sha256": "f'))
    with pytest.raises(UserError, match=r"other\.json is of none of these checkpoints"):
        write_folder(tmp_path / "a", source, results=[other])
    with pytest.raises(UserError, match="--license names 2"):
        write_folder(tmp_path / "a", source, licenses=["MIT", "MIT"])
    config = load_config(source["segmenter"][0].filename)
    config.model.backbone.own = lambda: None
    with pytest.raises(UserError, match=r"model\.backbone\.own is <function .* plain data only"):
        write_folder(tmp_path / "a", {"segmenter": (config, *source["segmenter"][1:])})


def cut(folder):
    path = folder / "segmenter.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def flip(folder):
    path = folder / "segmenter.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit(*keys, to):
    """Changes a value of model.json; None takes its key out."""

    def spoil(folder):
        content = node = json.loads((folder / "model.json").read_text())
        for key in keys[:-1]:
            node = node[key]
        if to is None:
            del node[keys[-1]]
        else:
            node[keys[-1]] = to
        (folder / "model.json").write_text(json.dumps(content))

    return spoil


SEGMENTER = ("parts", "segmenter")
MODEL = (*SEGMENTER, "config", "model")
DAMAGE = {
    "cut weights": (
        cut,
        r"segmenter\.safetensors: the file was cut off or changed \(expected SHA-256 \w{12}\.\.\., found",
    ),
    "a flipped bit": (flip, r"segmenter\.safetensors: the file was cut off or changed"),
    "no weights": (
        lambda f: (f / "segmenter.safetensors").unlink(),
        r"segmenter\.safetensors does not exist, and .*json",
    ),
    "no model.json": (
        lambda f: (f / "model.json").unlink(),
        r"models is no model folder: there is no model\.json in it",
    ),
    "no JSON": (lambda f: (f / "model.json").write_text('{"format": 1,'), r"model\.json is not whole JSON"),
    "a list": (lambda f: (f / "model.json").write_text("[1]"), r"model\.json: expected format 1, .* found None"),
    "another format": (edit("format", to=2), r"model\.json: expected format 1, .* found 2 of version"),
    "no parts": (edit("parts", to=[]), r"model\.json: expected an object `parts`, found \[\]"),
    "no segmenter": (
        edit(*SEGMENTER, to=None),
        r"model\.json has no segmenter, only these parts: none. Give --segmenter",
    ),
    "a part of text": (edit(*SEGMENTER, to="x"), r"model\.json: segmenter\.weights is missing, expected a text"),
    "no hash": (edit(*SEGMENTER, "sha256", to=None), r"segmenter\.sha256 is missing, expected a text"),
    "no config": (edit(*SEGMENTER, "config", to=3), r"segmenter\.config is 3, expected an object"),
    "a path": (edit(*SEGMENTER, "weights", to="../../a.safetensors"), r"models/a\.safetensors does not exist"),
    "a pickle": (edit(*SEGMENTER, "weights", to="a.pth"), r"segmenter\.weights is 'a\.pth', expected a \.safetensors"),
    "changed config": (
        edit(*MODEL, "rpn_head", "feat_channels", to=8),
        r"the config of segmenter was cut off or changed",
    ),
    "unknown type": (
        edit(*MODEL, "type", to="MaskRCNN9"),
        r"config\.model\.type is 'MaskRCNN9', which seg-vton .* does not",
    ),
    "a function": (edit(*MODEL, "neck", "type", to="os.system"), r"model\.neck\.type is 'os\.system', which"),
    "a scope": (
        edit(*SEGMENTER, "config", "default_scope", to="antigravity"),
        r"default_scope is 'antigravity', which",
    ),
    "code": (
        edit(*MODEL, "test_cfg", "rpn", "nms", "type", to="__import__('os').abort()"),
        r"rpn\.nms\.type is \"__import__",
    ),
    "evaluated": (
        edit(*MODEL, "backbone", "style", to="print(1)"),
        r"backbone\.style is 'print\(1\)': texts must be words",
    ),
    "a file": (
        edit(*MODEL, "teacher_config", to="evil.py"),
        r"model\.teacher_config is 'evil\.py': texts must be words",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_refused_and_says_which_file(folder, name):
    spoil, expected = DAMAGE[name]
    spoil(folder)
    with pytest.raises(UserError, match=expected):
        read_part(folder, "segmenter")


def test_modules_that_a_folder_names_are_not_imported(folder, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('run')")
    monkeypatch.syspath_prepend(tmp_path)
    edit(*SEGMENTER, "config", "custom_imports", to={"imports": ["evil"], "allow_failed_imports": False})(folder)
    assert "custom_imports" not in read_part(folder, "segmenter").config


def test_parts_come_from_the_command_line_or_the_folder(whole, monkeypatch):
    pair = ("a.py", "a.pth")
    assert chosen_parts(None, {"gmm": pair}) == {"gmm": pair}
    assert chosen_parts(whole, {"segmenter": None, "gmm": pair})["segmenter"][1] == whole / "segmenter.safetensors"
    with pytest.raises(UserError, match="models has no gmm and no tom: give --gmm CONFIG CHECKPOINT --tom CONFIG"):
        chosen_parts(whole, {"gmm": None, "tom": None})
    monkeypatch.setattr(model_folder, "PACKAGED", whole)
    assert packaged_folder() == whole
    monkeypatch.setattr(model_folder, "PACKAGED", whole / "none")
    with pytest.raises(UserError, match="this installation has no packaged model: give a model folder by --models DIR"):
        chosen_parts(None, {"gmm": None})
