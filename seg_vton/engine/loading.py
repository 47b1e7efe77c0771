"""What ends a run from outside, said with the sample or the process that it is of."""

import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.dist import get_world_size

from seg_vton.engine.samples import SeededSamples, release_workers
from seg_vton.errors import UserError
from seg_vton.processes import abandon_process_group


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
    abandon_process_group()
    reason = re.sub(r"^\[[^\]]*\] *", "", text.splitlines()[0])
    return (
        f"another process of this run has ended, and this one cannot go on alone ({reason}). Its own output says why; "
        "--resume goes on from the last checkpoint"
    )
