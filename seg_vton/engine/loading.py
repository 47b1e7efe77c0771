"""Faults in loaders and in other processes, said with the sample or the process that they are of."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import cv2
import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset, get_worker_info

from seg_vton.errors import UserError
from seg_vton.processes import abandon_process_group

# What libraries raise on files that they cannot decode and on annotations that make no sense.
_FAULTS = (OSError, ValueError, AssertionError, SyntaxError, cv2.error)


class SampleError(UserError):
    """A sample of a data set cannot be loaded.

    torch makes one anew in the main process, out of the traceback in the worker; the message alone is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition("SampleError: ")[2].strip())


def sample_name(dataset: Dataset, index: int) -> str:
    """The number of a sample and its image file, for messages."""
    if hasattr(dataset, "get_data_info"):
        return f"sample {index} ({dataset.get_data_info(index).get('img_path', 'no file')})"
    files = getattr(dataset, "files", None)
    return f"sample {index}" if files is None else f"sample {index} ({files[index]['image']})"


class NotedItems:
    """Loads the items of a batch, and notes in shared memory which one each worker is at.

    A worker takes no notice of SIGTERM until it is released. Schedulers and torchrun send it to all processes of a job
    at once; torch's workers end on it, which the main process takes for a crash before it can save: it needs them for
    the batch under way.

    Attributes:
        notes: int64 `(workers, 2)`: process id, and the index of the sample that it loads or -1.
        released: bool `(1,)`: whether workers end on SIGTERM, as torch and multiprocessing end them in the end.
    """

    def __init__(self, dataset: Dataset, workers: int) -> None:
        self.dataset = dataset
        self.notes = torch.full((max(1, workers), 2), -1).share_memory_()
        self.released = torch.zeros(1, dtype=torch.bool).share_memory_()

    def __call__(self, indices: Sequence[int]) -> list[Any]:
        """The items of a batch; torch's name for it is `__getitems__`."""
        worker = get_worker_info()
        note = self.notes[worker.id if worker else 0]
        if worker and note[0] != os.getpid():
            signal.signal(signal.SIGTERM, self._end_if_released)
        note[0] = os.getpid()
        items = []
        for index in indices:
            note[1] = int(index)
            items.append(self._load(int(index)))
        note[1] = -1
        return items

    def _load(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except _FAULTS as error:
            name = sample_name(self.dataset, index)
            raise SampleError(f"{name} cannot be loaded: {str(error) or type(error).__name__}") from error

    def _end_if_released(self, number: int, frame: FrameType | None) -> None:
        """Handles SIGTERM in a worker. As with torch's handler the end is no failure, which the main process raises."""
        if self.released:
            os._exit(0)

    def lost(self, process: int) -> str | None:
        """The sample that a process was at; None if it is none of these workers, or was at none."""
        found = [index for pid, index in self.notes.tolist() if pid == process and index >= 0]
        return sample_name(self.dataset, found[0]) if found else None


class SampleNoteHook(Hook):
    """Makes loaders note which samples they are at, for `explain_faults`."""

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self.noted: list[NotedItems] = []

    def before_train(self, runner: Runner) -> None:
        """Watches the train loader."""
        self._watch(runner.train_dataloader)

    def before_val(self, runner: Runner) -> None:
        """Watches the val loader."""
        self._watch(runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Watches the test loader."""
        self._watch(runner.test_dataloader)

    def _watch(self, loader: DataLoader) -> None:
        # torch loads a batch by this method where a data set has it.
        if isinstance(loader.dataset, Dataset) and not hasattr(loader.dataset, "__getitems__"):
            loader.dataset.__getitems__ = NotedItems(loader.dataset, loader.num_workers)
            self.noted.append(loader.dataset.__getitems__)


@contextmanager
def explain_faults(runner: Runner) -> Iterator[None]:
    """Turns the death of a loader's worker or of another process, in the body, into a message that says more.

    Workers are released at the end: whatever ends them then must not wait.

    Raises:
        UserError: such a death.
    """
    try:
        yield
    except (RuntimeError, *_CUT_OFF) as error:
        said = error if isinstance(error, RuntimeError) else _announced_death()
        message = said and (_dead_worker(runner, str(said)) or _dead_process(str(said)))
        if message is None:
            raise
        raise UserError(message) from error
    finally:
        for items in _noted(runner):
            items.released.fill_(True)


def _noted(runner: Runner) -> list[NotedItems]:
    """What the runner's loaders note."""
    return [items for hook in runner.hooks if isinstance(hook, SampleNoteHook) for items in hook.noted]


# What fetching a tensor from a loader's worker raises when it is gone, or about to go.
_CUT_OFF = (ConnectionError, EOFError, FileNotFoundError)
_ANNOUNCED_WITHIN = 5.0  # seconds


def _announced_death() -> RuntimeError | None:
    """What torch says of a worker's death once the system tells of it; None where it does not.

    The connections of a dying process are closed first. The signal of its death may come much later on a busy machine,
    and torch's handler raises wherever the main process is then.
    """
    try:
        time.sleep(_ANNOUNCED_WITHIN)
    except RuntimeError as error:
        return error
    return None


def _dead_worker(runner: Runner, text: str) -> str | None:
    """What to say of a dead worker; None where there is none."""
    found = re.search(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (.*)", text)
    if found is None:
        return None
    lost = [name for pid in found[1].split(",") for items in _noted(runner) if (name := items.lost(int(pid)))]
    return (
        f"a worker of the data loader {found[2].split('. ')[0].rstrip('. ')} at {' and '.join(lost) or 'no sample'}. "
        "If memory ran out, set fewer workers (--cfg-options train_dataloader.num_workers=1); if it is always this "
        "sample, look at its file"
    )


def _dead_process(text: str) -> str | None:
    """What to say where another process of the training is gone; None where it is something else."""
    if get_world_size() == 1 or not re.search(r"gloo|NCCL|[Cc]onnection (closed|reset)|[Tt]imed out", text):
        return None
    abandon_process_group()
    reason = re.sub(r"^\[[^\]]*\] *", "", text.splitlines()[0])
    return (
        f"another process of this run has ended, and this one cannot go on alone ({reason}). Its own output says why; "
        "--resume goes on from the last checkpoint"
    )
