import os
import signal
import subprocess
import traceback

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from seg_vton.engine import samples
from seg_vton.engine.samples import SampleError, SeededSamples, explain_faults
from seg_vton.errors import UserError


class Photos(SeededSamples):
    """Six items, one of which cannot be loaded, one ends the worker, and some ask it to end."""

    def __init__(self, broken=None, fault=None, fatal=None, asking=(), folder="photos"):
        super().__init__()
        self.broken, self.fault, self.fatal, self.asking, self.folder = broken, fault, fatal, asking, folder

    def __len__(self):
        """Six."""
        return 6

    def sample_file(self, index):
        """A file for each."""
        return f"{self.folder}/{index}.png"

    def load_sample(self, index):
        """The index."""
        if index == self.broken:
            raise self.fault
        if index == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        if index in self.asking:
            os.kill(os.getpid(), signal.SIGTERM)
        return index


def load(dataset, workers):
    with explain_faults():
        return torch.cat(list(DataLoader(dataset, batch_size=2, num_workers=workers))).tolist()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("fault", "said"),
    [(UserError("no mask"), "no mask"), (ValueError("odd"), "[Errno 2] No such file or directory: 'photos/3.png'")],
)
def test_samples_are_loaded_as_they_are_and_a_broken_one_is_named(workers, fault, said):
    assert load(Photos(), workers) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(SampleError) as error:
        load(Photos(broken=3, fault=fault), workers)
    assert str(error.value) == f"sample 3 (photos/3.png) cannot be loaded: {said}"


def test_a_photo_of_another_format_than_its_name_says_is_called_by_it(tmp_path):
    (tmp_path / "3.png").write_bytes(b"\0\0\0\x18ftypheic" + bytes(300))
    with pytest.raises(SampleError, match=r"3\.png\) cannot be loaded: .* HEIC needs one more package"):
        load(Photos(broken=3, fault=AttributeError("None"), folder=tmp_path), 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_where_the_file_is_good_the_fault_is_the_codes_and_passes(workers, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "3.png")
    with pytest.raises(ValueError, match="odd") as error:
        load(Photos(broken=3, fault=ValueError("odd"), folder=tmp_path), workers)
    assert not isinstance(error.value, UserError)
    assert "in load_sample" in "".join(traceback.format_exception(error.value))


def test_the_sample_of_a_worker_that_died_is_named():
    with pytest.raises(UserError, match=r"worker of the data loader .* at sample 4 \(photos/4\.png\)\. If memory"):
        load(Photos(fatal=4), 1)


def test_workers_leave_a_sigterm_of_anybody_to_the_main_process():
    """Which gets it too where a scheduler asks all processes of a job to end, and needs the batch under way."""
    assert load(Photos(asking=range(6)), 2) == [0, 1, 2, 3, 4, 5]


def test_workers_end_on_sigterm_when_the_work_is_over():
    loader = DataLoader(Photos(), batch_size=2, num_workers=2)
    with explain_faults():
        batches = iter(loader)
        assert next(batches).tolist() == [0, 1]
        assert next(batches).tolist() == [2, 3]  # both have begun
        for worker in batches._workers:
            worker.terminate()
        assert [batch.tolist() for batch in batches] == [[4, 5]]
    batches = iter(loader)
    with explain_faults():
        assert next(batches).tolist() == [0, 1]
        assert next(batches).tolist() == [2, 3]  # both have begun
    for worker in batches._workers:
        worker.terminate()
        worker.join(30)
    assert [worker.exitcode for worker in batches._workers] == [0, 0]


@pytest.mark.parametrize(
    "fault", [ConnectionResetError(104, "Connection reset by peer"), EOFError(), FileNotFoundError()]
)
def test_a_death_that_is_announced_after_its_connections_are_gone_is_explained(fault, monkeypatch):
    def announce(number, frame):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    before = signal.signal(signal.SIGALRM, announce)
    try:
        said = pytest.raises(UserError, match="is killed by signal: Killed at no sample")
        with said, explain_faults():
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            raise fault
    finally:
        signal.signal(signal.SIGALRM, before)
    monkeypatch.setattr(samples, "_ANNOUNCED_WITHIN", 0.01)
    with pytest.raises(type(fault)), explain_faults():
        raise fault


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="ours"), explain_faults():
        raise RuntimeError("ours")


def test_kept_workers_end_with_the_run():
    """Else torch waits 5 seconds for each, and multiprocessing for ever: they take no notice of its SIGTERM."""
    loader = DataLoader(Photos(), batch_size=2, num_workers=2, persistent_workers=True)
    with explain_faults():
        assert len(list(loader)) == 3
        workers = loader._iterator._workers
        assert all(worker.is_alive() for worker in workers)
    for worker in workers:
        worker.join(10)
        assert worker.exitcode == 0


def test_a_death_whose_announcement_was_lost_is_said_too(monkeypatch):
    monkeypatch.setattr("seg_vton.engine.samples._ANNOUNCED_WITHIN", 0)
    photos, gone = Photos(), subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr(SeededSamples, "alive", [photos])
    photos._notes[0] = torch.tensor([gone.pid, 4])  # as a worker that was killed at sample 4 leaves it
    with pytest.raises(UserError, match=r"exited unexpectedly at sample 4 \(photos/4\.png\)"), explain_faults():
        raise ConnectionResetError("a finalizer took the RuntimeError")
    photos._notes[0] = torch.tensor([gone.pid, -1])  # as one that ended leaves it
    with pytest.raises(ConnectionResetError), explain_faults():
        raise ConnectionResetError
