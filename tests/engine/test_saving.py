import os
import signal
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.fileio import get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner.checkpoint import save_checkpoint
from torch import nn
from torch.utils.data import DataLoader

from seg_vton.engine.saving import AtomicLocalBackend, PreemptibleCheckpointHook, find_good_checkpoint
from seg_vton.errors import UserError


def save(path, seconds, share=1.0):
    """A checkpoint of that age, cut off where not whole."""
    torch.save({"state_dict": {"w": torch.arange(500.0)}}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    os.utime(path, (seconds, seconds))


def test_the_marked_checkpoint_is_taken_also_from_a_work_dir_that_was_moved(tmp_path):
    save(tmp_path / "epoch_1.pth", 1)
    save(tmp_path / "epoch_2.pth", 2)
    save(tmp_path / "best_AP_epoch_9.pth", 9)
    for folder in (tmp_path, tmp_path / "before"):
        (tmp_path / "last_checkpoint").write_text(f"{folder}/epoch_1.pth\n")
        assert find_good_checkpoint(tmp_path) == tmp_path / "epoch_1.pth"
    copied = tmp_path / "copied"
    copied.mkdir()
    save(copied / "epoch_1.pth", 1)
    (copied / "last_checkpoint").write_text(str(tmp_path / "epoch_1.pth"))
    assert find_good_checkpoint(copied) == copied / "epoch_1.pth"
    save(copied / "epoch_1.pth", 1, 0.5)
    with pytest.raises(UserError, match="none of the 1 checkpoints"):  # and never what the first work dir has
        find_good_checkpoint(copied)


def test_without_a_mark_the_newest_is_taken(tmp_path):
    assert find_good_checkpoint(tmp_path / "none") is None
    save(tmp_path / "epoch_9.pth", 1)
    save(tmp_path / "epoch_10.pth", 2)
    (tmp_path / "last_checkpoint").touch()  # a run killed while it wrote the name
    assert find_good_checkpoint(tmp_path) == tmp_path / "epoch_10.pth"


def test_damaged_checkpoints_are_passed_over(tmp_path):
    save(tmp_path / "iter_2.pth", 2)
    save(tmp_path / "iter_4.pth", 4, 0.5)
    save(tmp_path / "iter_6.pth", 6, 0)
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "iter_6.pth"))
    assert find_good_checkpoint(tmp_path) == tmp_path / "iter_2.pth"
    (tmp_path / "iter_2.pth").unlink()
    with pytest.raises(UserError, match=r"none of the 2 checkpoints in .* can be read, .*iter_6\.pth"):
        find_good_checkpoint(tmp_path)


def test_the_oldest_checkpoint_goes_when_the_new_one_is_there(tmp_path, monkeypatch):
    hook = PreemptibleCheckpointHook(by_epoch=False, max_keep_ckpts=1)
    hook.out_dir = str(tmp_path)
    there = []

    def write(self, runner, step, meta):
        self.keep_ckpt_ids.append(step)
        there.append(sorted(path.name for path in tmp_path.iterdir()))
        (tmp_path / f"iter_{step}.pth").touch()

    monkeypatch.setattr(CheckpointHook, "_save_checkpoint_with_step", write)
    hook.keep_ckpt_ids = deque(maxlen=1)
    runner = SimpleNamespace(model=nn.Linear(1, 1))
    for step in (2, 4, 6):
        hook._save_checkpoint_with_step(runner, step, {})
    assert there == [[], ["iter_2.pth"], ["iter_4.pth"]]
    assert [path.name for path in tmp_path.iterdir()] == ["iter_6.pth"]
    nn.init.constant_(runner.model.weight, torch.nan)
    hook._save_checkpoint_with_step(runner, 8, {})
    assert [path.name for path in tmp_path.iterdir()] == ["iter_6.pth"]


def test_the_checkpoint_of_an_epoch_removes_those_within_it_and_no_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(CheckpointHook, "_save_checkpoint_with_step", lambda *_: None)
    for name in ("epoch_1.pth", "iter_7.pth", "iter_7_kept.pth"):
        (tmp_path / name).touch()
    hook = PreemptibleCheckpointHook()
    hook.out_dir = str(tmp_path)
    hook._save_checkpoint_with_step(SimpleNamespace(model=nn.Linear(1, 1)), 2, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_1.pth", "iter_7_kept.pth"]


def test_a_second_signal_ends_at_once_unless_it_is_the_launchers_echo_of_the_first():
    hook = PreemptibleCheckpointHook(interval=1)
    hook._process = os.getpid()
    for _ in range(2):
        hook._note(signal.SIGTERM, None)
    assert hook._signal == signal.SIGTERM
    hook._signalled -= 6
    with pytest.raises(SystemExit, match="143"):
        hook._note(signal.SIGTERM, None)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_training_that_began_without_a_fused_optimizer_goes_on_with_one_in_mixed_precision(kind):
    weight, scaler = nn.Parameter(torch.ones(3)), torch.amp.GradScaler("cpu", init_scale=8)

    def step(optimizer):
        scaler.scale((2 * weight).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    before, optimizer = kind([weight], 0.5, weight_decay=0), kind([weight], 0.5, weight_decay=0, fused=True)
    step(before)
    checkpoint = {"optimizer": before.state_dict()}
    wrapper, loop = SimpleNamespace(optimizer=optimizer), SimpleNamespace(dataloader=DataLoader([1]))
    runner = SimpleNamespace(cfg={"resume": True}, train_loop=loop, optim_wrapper=wrapper)
    PreemptibleCheckpointHook().after_load_checkpoint(runner, checkpoint)
    optimizer.load_state_dict(checkpoint["optimizer"])
    now = weight.detach().clone()
    step(optimizer)
    assert (weight < now).all()


@pytest.mark.parametrize(("own", "expected"), [(7, 3), (5, 5)], ids=["the run's", "a sampler's own"])
def test_the_order_of_the_data_follows_the_checkpoints_seed(own, expected):
    sampler = DefaultSampler(range(4), seed=own)
    loop = SimpleNamespace(dataloader=DataLoader(range(4), sampler=sampler))
    runner = SimpleNamespace(cfg={"resume": True}, seed=7, train_loop=loop, optim_wrapper=None)
    PreemptibleCheckpointHook().after_load_checkpoint(runner, {"meta": {"seed": 3}, "optimizer": {}})
    assert sampler.seed == expected


def test_mmengine_saves_through_it(tmp_path):
    path = tmp_path / "folder" / "epoch_1.pth"
    assert isinstance(get_file_backend(str(path)), AtomicLocalBackend)
    save_checkpoint({"state_dict": {"weight": torch.ones(2)}}, str(path))
    assert torch.equal(torch.load(path, weights_only=True)["state_dict"]["weight"], torch.ones(2))
    assert [entry.name for entry in path.parent.iterdir()] == ["epoch_1.pth"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "epoch_1.pth"
    path.write_bytes(b"good")

    def disk_full(self, data):
        with self.open("wb") as stream:
            stream.write(data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(UserError, match=r"epoch_1\.pth cannot be written: No space left on device"):
        AtomicLocalBackend().put(b"newer", path)
    monkeypatch.undo()
    assert path.read_bytes() == b"good"
    assert [entry.name for entry in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_text_keeps_its_encoding(tmp_path):
    AtomicLocalBackend().put_text("Rüsche", tmp_path / "note.txt", encoding="latin-1")
    assert (tmp_path / "note.txt").read_bytes() == "Rüsche".encode("latin-1")
