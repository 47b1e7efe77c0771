from pathlib import Path

import pytest
import torch
from mmengine.fileio import get_file_backend
from mmengine.runner.checkpoint import save_checkpoint

from seg_vton.engine import storage
from seg_vton.errors import UserError


def test_mmengine_saves_through_it(tmp_path):
    path = tmp_path / "folder" / "epoch_1.pth"
    assert isinstance(get_file_backend(str(path)), storage.AtomicLocalBackend)
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
        storage.AtomicLocalBackend().put(b"newer", path)
    monkeypatch.undo()
    assert path.read_bytes() == b"good"
    assert [entry.name for entry in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_text_keeps_its_encoding(tmp_path):
    storage.AtomicLocalBackend().put_text("Rüsche", tmp_path / "note.txt", encoding="latin-1")
    assert (tmp_path / "note.txt").read_bytes() == "Rüsche".encode("latin-1")
