import os
import signal
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from seg_vton.engine.loading import SampleError, SampleNoteHook, explain_faults
from seg_vton.errors import UserError


class Photos(Dataset):
    """Six items, one of which cannot be loaded and one ends the worker."""

    def __init__(self, broken=None, fatal=None):
        self.broken, self.fatal = broken, fatal

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


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="ours"), explain_faults(SimpleNamespace(hooks=[])):
        raise RuntimeError("ours")
