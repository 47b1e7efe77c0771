import json
import signal

import pytest
import torch

from seg_vton.engine.checkpoint import load_checkpoint_file

KILL_HOOK = """
import os
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    def __init__(self, iterations):
        self.iterations = iterations

    def after_train_iter(self, runner, **_):
        if runner.iter + 1 == self.iterations:
            os.kill(os.getpid(), signal.SIGKILL)
"""

KILLED_CONFIG = """
_base_ = "{base}"
custom_imports = dict(imports=["seg_vton", "kill_hook"])
custom_hooks = [*_base_.custom_hooks, dict(type="KillHook", iterations={iterations})]
"""


def log(work_dir):
    """The logged training iterations of all starts in a work dir, by iteration, without times."""
    entries = {}
    for path in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if "loss" in entry:
                timeless = {key: value for key, value in entry.items() if "time" not in key}
                entries.setdefault(entry["iter"], []).append(timeless)
    return entries


def tensors(value, prefix=""):
    """Every tensor in a nested value."""
    if isinstance(value, torch.Tensor):
        return {prefix: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {key: leaf for name, part in items for key, leaf in tensors(part, f"{prefix}.{name}").items()}


def test_training_writes_checkpoints_log_and_config(trained, tiny_config_file):
    names = {path.name for path in trained.iterdir()}
    assert {"epoch_1.pth", "epoch_2.pth", "epoch_3.pth", "last_checkpoint", "mask-rcnn_tiny.py"} <= names
    assert (trained / "last_checkpoint").read_text().strip() == str(trained / "epoch_3.pth")
    entries = log(trained)
    assert list(entries) == list(range(1, 13))
    assert all(
        {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox", "loss_mask"} <= set(e[0]) for e in entries.values()
    )
    last = load_checkpoint_file(trained / "epoch_3.pth")
    assert (last["meta"]["epoch"], last["meta"]["iter"], last["meta"]["seed"]) == (3, 12, 0)
    first = load_checkpoint_file(trained / "epoch_1.pth")["state_dict"]
    assert any(not torch.equal(value, first[key]) for key, value in last["state_dict"].items())
    weights = last["state_dict"]["neck.fpn_convs.0.conv.weight"]
    assert weights.is_contiguous(memory_format=torch.channels_last)  # the base config's ChannelsLastHook


@pytest.fixture(scope="module")
def interrupted(cli, tiny_config_file, tmp_path_factory):
    """Work dir of the training of `trained`, killed in the second of 3 epochs and resumed."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "kill_hook.py").write_text(KILL_HOOK)
    killed = folder / "killed.py"
    killed.write_text(KILLED_CONFIG.format(base=tiny_config_file, iterations=6))
    ended = cli("train.py", killed, "--work-dir", folder / "run", env={"PYTHONPATH": str(folder)})
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (folder / "run" / "epoch_2.pth").exists()
    ended = cli("train.py", tiny_config_file, "--work-dir", folder / "run", "--resume")
    assert ended.returncode == 0, ended.stderr
    return folder / "run"


def test_a_killed_and_resumed_training_logs_the_losses_of_an_uninterrupted_one(trained, interrupted):
    whole, parts = log(trained), log(interrupted)
    assert {iteration: len(entries) for iteration, entries in parts.items()} == {
        **dict.fromkeys(range(1, 13), 1),
        5: 2,  # killed after the sixth iteration, resumed from the end of the fourth; the log may lack the last line
        **({6: 2} if len(parts[6]) == 2 else {}),
    }
    for iteration, entries in parts.items():
        assert all(entry == whole[iteration][0] for entry in entries), iteration


@pytest.mark.parametrize("name", ["epoch_1.pth", "epoch_2.pth", "epoch_3.pth"])
def test_a_killed_and_resumed_training_has_the_weights_of_an_uninterrupted_one_bit_for_bit(trained, interrupted, name):
    whole, parts = (load_checkpoint_file(folder / name) for folder in (trained, interrupted))
    for part in ("state_dict", "optimizer"):
        ours, theirs = tensors(parts[part]), tensors(whole[part])
        assert len(ours) > 50
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def test_two_processes_train_on_the_cpu(cli, tiny_config_file, tmp_path):
    ended = cli(
        *("train.py", tiny_config_file, "--work-dir", tmp_path, "--auto-scale-lr", "--amp"),
        *("--cfg-options", "train_cfg.max_epochs=1", "train_dataloader.num_workers=0", "val_dataloader.num_workers=0"),
        processes=2,
    )
    assert ended.returncode == 0, ended.stderr
    entries = log(tmp_path)
    assert list(entries) == [1, 2]  # 7 images in 2 processes of 2
    rates = [entry["lr"] for (entry,) in entries.values()]
    assert rates[0] == pytest.approx(2 * 0.1 * 0.009)  # twice the batch, at the start of the warm-up
    state = load_checkpoint_file(tmp_path / "epoch_1.pth")
    assert not any(key.startswith("module.") for key in state["state_dict"])
    assert all(value.dtype != torch.bfloat16 for value in state["state_dict"].values())
    assert "BFloat16OptimWrapper" in state["meta"]["cfg"]


@pytest.fixture(scope="module")
def refused(cli, tiny_config_file, trained, tmp_path_factory):
    """Ends of trainings that cannot start, by name; tests/engine has the other reasons."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "cut.pth").write_bytes((trained / "epoch_1.pth").read_bytes()[:5000])
    torch.save(load_checkpoint_file(trained / "epoch_1.pth")["state_dict"], folder / "weights.pth")

    def train(*arguments, config=tiny_config_file):
        return "train.py", config, "--work-dir", folder / "work", *arguments

    option = "--cfg-options"
    return cli.together(
        {
            "missing config": train(config=folder / "none.py"),
            "missing data root": train(option, f"train_dataloader.dataset.data_root={folder}/nowhere"),
            "truncated weights": train(option, f"load_from={folder}/cut.pth"),
            "resume from bare weights": train("--resume", folder / "weights.pth"),
            "resume another model": train("--resume", trained / "epoch_1.pth", option, "model.neck.out_channels=8"),
        }
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing config", "none.py does not exist"),
        ("missing data root", "nowhere does not exist: data/README.md says how to get"),
        ("truncated weights", "cut.pth cannot be read as a checkpoint"),
        ("resume from bare weights", "weights.pth has no meta and no optimizer"),
        ("resume another model", "epoch_1.pth does not fit the model of the config"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(refused, name, expected):
    ended = refused[name]
    assert ended.returncode == 1
    (message,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert expected in message
    assert ended.stderr.splitlines()[-1] == message
    assert "Traceback" not in ended.stderr + ended.stdout
