"""Moments at which a process kills itself or gets a signal: put into a forked process before its tool starts."""

import ctypes
import errno
import os
import re
import shutil
import signal
import threading
from multiprocessing.util import Finalize
from pathlib import Path

from mmengine.runner import Runner

from seg_vton import files
from seg_vton.engine.saving import MARK, AtomicLocalBackend

_NEW_MOUNTS, _NEW_USER, _PRIVATE = 0x20000, 0x10000000, 0x44000  # linux/sched.h; linux/mount.h, with all below
_CAPABILITIES, _DAC_OVERRIDE, _DAC_READ_SEARCH = 0x20080522, 1, 2  # linux/capability.h


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


def before_iteration(number):
    """Killed before a training iteration."""
    _at_call("before_train_iter", number, kill)


def in_evaluation(number):
    """Killed before an image of an evaluation."""
    _at_call("before_val_iter", number, kill)


def signalled(point, number, which, everyone):
    """Gets a signal at the given call, from 1, of all hooks at a point of the training; alone, or with its workers.

    Schedulers and torchrun signal all processes of a job.
    """

    def ask():
        group = os.getpgrp()
        child = os.fork()
        if not child:  # what the main process sends is its own wish
            os.setsid()
            os.killpg(group, which)
            os._exit(0)
        os.waitpid(child, 0)

    _at_call(point, number, ask if everyone else lambda: os.kill(os.getpid(), which))


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


def at_file(number, delay):
    """Killed as the given file of results, from 1, is whole and has not got its name yet; or some seconds later."""
    flush, count = files._flush, 0

    def counted(path):
        nonlocal count
        count += 1
        if count == number:
            threading.Timer(delay, kill).start() if delay else kill()
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


def small_disk(folder, size, kept):
    """A folder becomes a disk of so many bytes with what was in it; as the process ends, what is on it is kept.

    The disk is this process's own, and goes with it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _NEW_MOUNTS | (_NEW_USER if os.geteuid() else 0)
    content = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    options = f"size={size}".encode()
    if (
        libc.unshare(flags)
        or libc.mount(None, b"/", None, _PRIVATE, None)
        or libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, options)
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for name, data in content.items():
        (Path(folder) / name).write_bytes(data)
    Finalize(None, shutil.copytree, (folder, kept), exitpriority=1)


def no_right_to_all():
    """Takes the right to read what nobody may, which root has: files of no permissions are unreadable, as to others."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable of capabilities 0 to 31, then of the others
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for number in range(3):
        sets[number] &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def loader_dies(index):
    """The loader's worker that comes to the given sample is killed, as by the system where memory is short."""
    from seg_vton.segmentation.datasets import ClothingDataset
    from seg_vton.tryon.datasets import TryOnDataset

    for kind in (ClothingDataset, TryOnDataset):

        def fatal(dataset, number, load=kind.load_sample):
            if number == index:
                kill()
            return load(dataset, number)

        kind.load_sample = fatal


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
