"""The base of both halves' data sets: random numbers of each sample's own, and faults said with their sample."""

import atexit
import logging
import multiprocessing
import os
import re
import signal
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any, ClassVar

import cv2
import mmcv
import torch
import torch.distributed
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from torch.utils.data import Dataset, get_worker_info

from seg_vton.engine.randomness import random_numbers_of
from seg_vton.errors import BROKEN_IMAGE, UserError
from seg_vton.files import opened_image

_MAX_WORKERS = 256


class SampleError(UserError):
    """A sample of a data set cannot be loaded.

    torch makes one anew in the main process, out of the text of the traceback in the worker.
    """

    def __init__(self, message: str) -> None:
        self.details, _, text = message.rpartition("SampleError: ")
        super().__init__(text.strip())


class SeededSamples(Dataset):
    """A data set that a training loads the same way with any number of workers, and that says what went wrong where.

    A data set of mmengine's or mmdet's takes this class as the first of its bases and defines `sample_file`; any other
    derives from it and defines `load_sample` as well.

    - **Random numbers.** After `seed_samples` each sample that a loader asks for draws numbers of its own, by seed,
      epoch and index. It does not matter which process loads it nor what was drawn before, and the process's own
      random numbers go on as if it had drawn none. A wrapper (`ConcatDataset`, say) hides this from the loader.
    - **Faults.** A `UserError`, and an image file that cannot be decoded, become one message with the sample's index
      and file. Any other exception passes as it is, after a line in the log that names the sample.
    - **Workers.** Shared memory says which sample each worker is at, for `explain_faults`. A worker takes no notice of
      SIGTERM until `release_workers`: schedulers and torchrun send it to all processes of a job at once, and the main
      process needs its workers for the batch under way before it can save.
    """

    alive: ClassVar[weakref.WeakSet["SeededSamples"]] = weakref.WeakSet()
    """All of this process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._seeds: tuple[int, int] | None = None
        self._notes = torch.full((_MAX_WORKERS, 2), -1).share_memory_()  # by worker: process id; index, or -1
        self.released = torch.zeros(1, dtype=torch.bool).share_memory_()
        super().__init__(*args, **kwargs)
        self.alive.add(self)

    def sample_file(self, index: int) -> str:
        """The image file of a sample, for messages."""
        raise NotImplementedError

    def load_sample(self, index: int) -> Any:
        """The sample itself; by default what the next base class has for it."""
        return super().__getitem__(index)

    def seed_samples(self, seed: int, epoch: int) -> None:
        """Sets what random numbers the samples of the next batches draw; workers must be started afterwards."""
        self._seeds = seed, epoch

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """The samples of a batch; torch's loader calls it."""
        samples = []
        for index in map(int, indices):
            with random_numbers_of(*self._seeds, index) if self._seeds else nullcontext():
                samples.append(self[index])
        return samples

    def __getitem__(self, index: int) -> Any:
        """A sample; `SampleError` where its file is at fault."""
        worker = get_worker_info()
        note = self._notes[worker.id % _MAX_WORKERS if worker else 0]
        if worker and note[0] != os.getpid():
            signal.signal(signal.SIGTERM, self._end_if_released)
        note[0], note[1] = os.getpid(), index
        try:
            return self.load_sample(index)
        except Exception as error:
            fault = f"{self.sample_name(index)} cannot be loaded"
            reason = error if isinstance(error, UserError) else _image_fault(self.sample_file(index))
            if reason:
                raise SampleError(f"{fault}: {reason}") from error
            print_log(fault, logger="current", level=logging.ERROR)
            raise
        finally:
            note[1] = -1

    def sample_name(self, index: int) -> str:
        """What messages call a sample."""
        return f"sample {index} ({self.sample_file(index)})"

    @property
    def busy(self) -> list[int]:
        """Ids of the processes that are, or died, at a sample."""
        return [pid for pid, index in self._notes.tolist() if index >= 0]

    def lost_sample(self, process: int) -> str | None:
        """The sample that a worker was at, by process id; None if it is none of these workers, or was at none."""
        found = [index for pid, index in self._notes.tolist() if pid == process and index >= 0]
        return self.sample_name(found[0]) if found else None

    def _end_if_released(self, number: int, frame: FrameType | None) -> None:
        """Handles SIGTERM in a worker; as with torch's handler the end is no failure, which the main process raises."""
        if self.released:
            os._exit(0)


def _image_fault(path: str) -> str:
    """Why an image file cannot be decoded; empty where it can."""
    try:
        if mmcv.imread(path) is not None:
            return ""
        with opened_image(path):  # which knows more: of a HEIC that is called .jpg, say
            return "it is no image that OpenCV reads"
    except (*BROKEN_IMAGE, cv2.error) as error:
        return str(error) or type(error).__name__


@atexit.register  # multiprocessing ends workers after this, and waits for them for ever
def release_workers() -> None:
    """Ends all workers of this process's data sets, and makes later ones end on SIGTERM.

    torch waits 5 seconds for each worker of a loader that a garbage collection ends, after which it sends SIGTERM.
    """
    workers = set()
    for samples in SeededSamples.alive:
        samples.released.fill_(True)
        workers.update(samples._notes[:, 0].tolist())
    for process in multiprocessing.active_children():
        if process.pid in workers:
            process.terminate()


@contextmanager
def explain_faults() -> Iterator[None]:
    """Turns the death of a loader's worker or of another process, in the body, into a message that says more.

    Workers are ended with the body: whatever ends their loaders then need not wait for them.

    Raises:
        UserError: such a death.
    """
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
        said = str(error)
        if not isinstance(error, RuntimeError):
            # A tensor was fetched from a worker that is gone: a dying process's connections are closed first. The
            # signal of its death may come much later on a busy machine, and torch's handler raises here then.
            said = ""
            try:
                time.sleep(_ANNOUNCED_WITHIN)
            except RuntimeError as death:
                said = str(death)
            else:  # torch's handler may have raised in a finalizer, where it is lost
                said = _unannounced()
        message = _dead_worker(said) or _dead_process(said)
        if message is None:
            raise
        raise UserError(message) from error
    finally:
        release_workers()


_ANNOUNCED_WITHIN = 5.0  # seconds


def _unannounced() -> str:
    """What torch would say of workers that are gone in the middle of a sample; empty where there are none."""
    living = {os.getpid(), *(process.pid for process in multiprocessing.active_children())}
    gone = {pid for samples in SeededSamples.alive for pid in samples.busy} - living
    return f"DataLoader worker (pid(s) {', '.join(map(str, gone))}) exited unexpectedly" if gone else ""


def _dead_worker(text: str) -> str | None:
    """What to say of a dead worker; None where there is none."""
    found = re.search(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (.*)", text)
    if found is None:
        return None
    lost = [name for pid in found[1].split(",") for s in SeededSamples.alive if (name := s.lost_sample(int(pid)))]
    return (
        f"a worker of the data loader {found[2].split('. ')[0].rstrip('. ')} at {' and '.join(lost) or 'no sample'}. "
        "If memory ran out, set fewer workers (--cfg-options train_dataloader.num_workers=1); if it is always this "
        "sample, look at its file"
    )


def _dead_process(text: str) -> str | None:
    """What to say where another process of the training is gone; None where it is something else."""
    if get_world_size() == 1 or not re.search(r"gloo|NCCL|[Cc]onnection (closed|reset)|[Tt]imed out", text):
        return None
    torch.distributed.destroy_process_group()  # without the others, for whom `leave_process_group` would wait
    reason = re.sub(r"^\[[^\]]*\] *", "", text.splitlines()[0])
    return (
        f"another process of this run has ended, and this one cannot go on alone ({reason}). Its own output says why; "
        "--resume goes on from the last checkpoint"
    )
