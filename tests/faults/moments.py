"""Moments at which a process kills itself or gets a signal: put into a forked process before its tool starts."""

import errno
import os
import re
import signal
import threading
from pathlib import Path

from mmengine.runner import Runner

from seg_vton import files
from seg_vton.engine.saving import MARK
from seg_vton.engine.storage import AtomicLocalBackend


def kill():
    """What the system does to a process whose memory or time is up."""
    os.kill(os.getpid(), signal.SIGKILL)


def _at_call(point, number, action):
    """Does something at the given call, from 1, of all hooks at a point of the training."""
    call, count = Runner.call_hook, 0

    def counted(runner, name, **values):
        nonlocal count
        count += name == point
        if name == point and count == number:
            action()
        call(runner, name, **values)

    Runner.call_hook = counted


def in_iteration(number, delay):
    """Killed some seconds after an iteration has begun, by a thread: in the middle of whatever runs then."""
    _at_call("before_train_iter", number, threading.Timer(delay, kill).start)


def in_evaluation(number):
    """Killed before an image of an evaluation."""
    _at_call("before_val_iter", number, kill)


def signalled(number, which):
    """Gets a signal in a training iteration."""
    _at_call("before_train_iter", number, lambda: os.kill(os.getpid(), which))


def signalled_in_evaluation(number, which):
    """Gets a signal in an evaluation."""
    _at_call("before_val_iter", number, lambda: os.kill(os.getpid(), which))


def in_writing(number, stage):
    """Killed as a checkpoint is written: with half its bytes there, unnamed, named and not marked, or half marked."""
    put, count = AtomicLocalBackend.put, 0

    def counted(self, obj, filepath):
        nonlocal count
        count += Path(filepath).suffix == ".pth"
        if Path(filepath).suffix != ".pth" or count != number:
            put(self, obj, filepath)
            return
        if stage == "half":
            obj = obj[: len(obj) // 2]
        if stage in ("half", "unnamed"):
            files._flush = lambda path: kill()
        put(self, obj, filepath)
        if stage == "half marked":
            (Path(filepath).parent / MARK).write_text("")
        kill()

    AtomicLocalBackend.put = counted


def at_file(number):
    """Killed as the given file of results, from 1, is whole and has not got its name yet."""
    flush, count = files._flush, 0

    def counted(path):
        nonlocal count
        count += 1
        if count == number:
            kill()
        flush(path)

    files._flush = counted


def file_size(limit):
    """No file can grow beyond so many bytes, as on a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def no_room_for(pattern):
    """The disk is full as a file whose name has a pattern is pushed to it, which is when network disks say so."""
    flush = files._flush

    def full(path):
        if re.search(pattern, Path(path).name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(path)

    files._flush = full


def network_watched(log):
    """Every connection that is tried beyond this machine, and every name that is looked up, is written to a file."""
    import sys

    def note(event, values):
        if event not in ("socket.connect", "socket.getaddrinfo"):
            return
        host = values[1] if event == "socket.connect" else values[0]
        if isinstance(host, tuple):
            host = host[0]
        if not _is_local(host):
            with Path(log).open("a") as stream:
                stream.write(f"{event} {host}\n")

    sys.addaudithook(note)


def _is_local(host):
    """Whether an address is of this machine: a socket file, or the loopback."""
    return not isinstance(host, str) or host.startswith(("/", "127.", "\0")) or host in ("", "localhost", "::1")


def loader_dies(index):
    """The loader's worker that comes to the given sample is killed, as by the system where memory is short."""
    from seg_vton.engine.loading import NotedItems

    load = NotedItems._load

    def fatal(items, number):
        if number == index:
            kill()
        return load(items, number)

    NotedItems._load = fatal


def loss_is_nan(first):
    """From the given iteration, from 1, the loss is NaN."""
    import torch
    from mmengine.model import BaseModel

    parse, count = BaseModel.parse_losses, 0

    def spoiled(model, losses):
        nonlocal count
        count += 1
        loss, logged = parse(model, losses)
        if count >= first:
            loss = loss * torch.nan
            logged["loss"] = loss
        return loss, logged

    BaseModel.parse_losses = spoiled


def process_of_two(rank, port, fatal=0):
    """One of two processes as torchrun starts them; killed at the given iteration, if not 0."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if fatal:
        _at_call("before_train_iter", fatal, kill)
