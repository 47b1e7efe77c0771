import json

import pytest
import torch

from seg_vton.engine.checkpoint import load_checkpoint_file


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
