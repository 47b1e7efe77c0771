import datetime
import hashlib
import json
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

import seg_vton  # noqa: F401  safe loaders
from seg_vton import machine
from seg_vton.engine.checkpoint import convert
from seg_vton.engine.results import SCHEMA, config_hash, result_path, trained_config, training_facts, write_result
from seg_vton.errors import UserError


def config(**changes):
    values = {
        "model": {"type": "MaskRCNN", "scales": (1, 2)},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.009}},
        "work_dir": "work_dirs/a",
        "launcher": "none",
        "resume": False,
    }
    return Config(values | changes)


def test_the_hash_is_that_of_what_changes_a_result():
    assert len(config_hash(config())) == 64
    assert config_hash(config()) == config_hash(config(work_dir="b", launcher="pytorch", resume=True))
    assert config_hash(config()) != config_hash(config(optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}}))
    assert config_hash(config()) != config_hash(config(load_from="coco.pth"))
    reordered = Config(dict(reversed(list(config().to_dict().items()))))
    assert config_hash(config()) == config_hash(reordered)


def test_the_hash_is_the_same_in_every_process_and_version():
    assert config_hash(config()) == "11c5ae97b1e9108456a5154c98a6a7313be63490ac1d106ab5f9fa2cf9b26200"


def history(values):
    buffer = HistoryBuffer()
    for value in values:
        buffer.update(value, 1)
    return buffer


ORIGIN = {"code": "0123456789ab", "command": "python tools/train.py a.py", "date": "2026-01-02"}


def save(path, **scalars):
    meta = {"seed": 3, "epoch": 2, "iter": 60, "origin": ORIGIN}
    torch.save({"state_dict": {}, "meta": meta, "message_hub": {"log_scalars": scalars}}, path)
    return path


def test_a_checkpoint_knows_its_training(tmp_path):
    accuracy = [10.0] * 10 + [90.0] * 50
    seconds = [9.0, 1.0, 2.0, 3.0, 2.5]
    path = save(tmp_path / "a.pth", **{"train/acc": history(accuracy), "train/time": history(seconds)})
    assert training_facts(path) == {
        "seed": 3,
        "epoch": 2,
        "iterations": 60,
        **ORIGIN,
        "train_accuracy": 90.0,
        "seconds_per_iteration": 2.5,
    }


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"classes": ("top",), "records": {"parse": {"score_thr": 0.3}}}, {"parse": {"score_thr": 0.3}}),
        ({"classes": ("top",)}, None),
        ("dolls", None),
    ],
)
def test_what_made_the_files_of_a_training_is_known(tmp_path, data, found):
    torch.save({"state_dict": {}, "meta": {"seed": 3, "dataset_meta": data}}, tmp_path / "a.pth")
    assert training_facts(tmp_path / "a.pth").get("records") == found


def test_weights_without_their_log_know_seed_and_length(tmp_path):
    convert(save(tmp_path / "a.pth", **{"train/acc": history([90.0])}), tmp_path / "a.safetensors")
    assert training_facts(tmp_path / "a.safetensors") == {
        "seed": 3,
        "epoch": 2,
        "iterations": 60,
        **ORIGIN,
        "train_accuracy": None,
        "seconds_per_iteration": None,
    }


@pytest.mark.parametrize("meta", [{}, {"origin": None}, {"origin": "by hand"}])
def test_a_checkpoint_of_others_says_nothing_of_its_origin(tmp_path, meta):
    torch.save({"state_dict": {}, "meta": {"seed": 3} | meta}, tmp_path / "a.pth")
    facts = training_facts(tmp_path / "a.pth")
    assert [facts[key] for key in ("seed", *ORIGIN)] == [3, None, None, None]


def test_a_meta_that_is_none_is_no_meta(tmp_path):
    torch.save({"state_dict": {}, "meta": "trained by hand"}, tmp_path / "a.pth")
    assert training_facts(tmp_path / "a.pth") == {}
    assert trained_config(tmp_path / "a.pth") is None


def test_a_model_without_a_box_head_has_no_accuracy(tmp_path):
    facts = training_facts(save(tmp_path / "a.pth"))
    assert facts["train_accuracy"] is None
    assert facts["seconds_per_iteration"] is None


@pytest.mark.parametrize("content", [{"weight": torch.ones(1)}, {"state_dict": {}, "meta": {}}])
def test_bare_weights_know_nothing(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    assert training_facts(tmp_path / "a.pth") == {}


def test_a_result_lies_beside_its_checkpoint():
    assert str(result_path("work_dirs/row/epoch_2.pth", "ccp", "val")) == "work_dirs/row/epoch_2.ccp-val.json"
    assert result_path("best.0.5.pth", "ccp", "val-tta").name == "best.0.5.ccp-val-tta.json"


REPORT = {"dataset": "ccp", "split": "val", "metrics": {"bbox": {"AP": 0.5, "APs": None}}}


def test_a_result_says_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tools/test.py", "a config.py", "epoch_2.pth"])
    checkpoint = save(tmp_path / "epoch_2.pth", **{"train/time": history([1.0])})
    path = result_path(checkpoint, "ccp", "val")
    write_result(path, REPORT, {"config": "row", "config_sha256": "0" * 64}, checkpoint, overwrite=False)
    assert json.loads(path.read_text()) == {
        "schema": SCHEMA,
        "config": "row",
        "config_sha256": "0" * 64,
        "checkpoint": "epoch_2.pth",
        "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "command": "python tools/test.py 'a config.py' epoch_2.pth",
        "code": machine.code_version(),
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "training": training_facts(checkpoint),
        **REPORT,
    }


def test_a_result_is_replaced_only_on_request(tmp_path):
    checkpoint = save(tmp_path / "epoch_2.pth")
    path = result_path(checkpoint, "ccp", "val")
    write_result(path, REPORT, {"config": "first"}, checkpoint, overwrite=False)
    with pytest.raises(UserError, match=r"epoch_2\.ccp-val\.json exists already"):
        write_result(path, REPORT, {"config": "second"}, checkpoint, overwrite=False)
    assert json.loads(path.read_text())["config"] == "first"
    write_result(path, REPORT, {"config": "second"}, checkpoint, overwrite=True)
    assert json.loads(path.read_text())["config"] == "second"
