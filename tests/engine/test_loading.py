import os
import signal
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from seg_vton.engine import loading
from seg_vton.engine.loading import SampleError, SampleNoteHook, explain_faults
from seg_vton.errors import UserError


class Photos(Dataset):
    """Six items, one of which cannot be loaded, one ends the worker, and some ask it to end."""

    def __init__(self, broken=None, fatal=None, asking=()):
        self.broken, self.fatal, self.asking = broken, fatal, asking

    def __len__(self):
        """Six."""
        return 6

    def get_data_info(self, index):
        """As mmengine's data sets have it."""
        return {"img_path": f"photos/{index}.jpg"}

    def __getitem__(self, index):
        """The index."""
        if index == self.broken:
            raise ValueError("not an image")
        if index == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        if index in self.asking:
            os.kill(os.getpid(), signal.SIGTERM)
        return index


def load(dataset, workers):
    hook, loader = SampleNoteHook(), DataLoader(dataset, batch_size=2, num_workers=workers)
    runner = SimpleNamespace(train_dataloader=loader, hooks=[hook])
    hook.before_train(runner)
    with explain_faults(runner):
        return torch.cat(list(loader)).tolist()


@pytest.mark.parametrize("workers", [0, 1])
def test_samples_are_loaded_as_before_and_a_broken_one_is_named(workers):
    assert load(Photos(), workers) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(SampleError) as error:
        load(Photos(broken=3), workers)
    assert str(error.value) == "sample 3 (photos/3.jpg) cannot be loaded: not an image"


def test_the_sample_of_a_worker_that_died_is_named():
    with pytest.raises(UserError, match=r"worker of the data loader .* at sample 4 \(photos/4\.jpg\)\. If memory"):
        load(Photos(fatal=4), 1)


def test_workers_leave_a_sigterm_of_anybody_to_the_main_process():
    """Which gets it too where a scheduler asks all processes of a job to end, and needs the batch under way."""
    assert load(Photos(asking=range(6)), 2) == [0, 1, 2, 3, 4, 5]


def test_workers_end_on_sigterm_when_the_work_is_over():
    hook, loader = SampleNoteHook(), DataLoader(Photos(), batch_size=2, num_workers=2)
    runner = SimpleNamespace(train_dataloader=loader, hooks=[hook])
    hook.before_train(runner)
    with explain_faults(runner):
        batches = iter(loader)
        assert next(batches).tolist() == [0, 1]
        assert next(batches).tolist() == [2, 3]  # both have begun
        for worker in batches._workers:
            worker.terminate()
        assert [batch.tolist() for batch in batches] == [[4, 5]]
    batches = iter(loader)
    with explain_faults(runner):
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
        with said, explain_faults(SimpleNamespace(hooks=[])):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            raise fault
    finally:
        signal.signal(signal.SIGALRM, before)
    monkeypatch.setattr(loading, "_ANNOUNCED_WITHIN", 0.01)
    with pytest.raises(type(fault)), explain_faults(SimpleNamespace(hooks=[])):
        raise fault


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="ours"), explain_faults(SimpleNamespace(hooks=[])):
        raise RuntimeError("ours")
