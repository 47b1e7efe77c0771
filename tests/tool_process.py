"""A tool in a process of its own, with faults prepared in it."""

import faulthandler
import gc
import importlib
import multiprocessing
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
# A process that has done the imports is forked for each run: they take longer than a tiny training. The libraries are
# what tools import on demand.
_FORKS.set_forkserver_preload(
    [
        *("seg_vton.apis", "seg_vton.engine.testing", "seg_vton.parsing.run", "seg_vton.tryon.inference.run"),
        *("mmdet.models", "mmdet.engine", "mmdet.visualization", "matplotlib.pyplot", "scipy.ndimage"),
        *("torch._dynamo", "torchmetrics.functional.image", "torchvision"),
    ]
)


# What takes most of a tiny training's time and has no part in it: mmengine has the text of its config set by yapf at
# every checkpoint, and asks compilers for their versions.
QUICK = {
    "yapf.yapflib.yapf_api.FormatCode": lambda text, **_: (text, True),
    "mmengine.config.config.FormatCode": lambda text, **_: (text, True),  # its name in upstream's
    "mmengine.runner.runner.collect_env": dict,
}


def _run(tool, arguments, log, errors, prepare, cwd):
    gc.freeze()  # what the imports made is never garbage
    for name, stand_in in QUICK.items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, stand_in)
    os.setsid()
    os.chdir(cwd)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream if errors is None else os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    faulthandler.enable(sys.stdout)
    for function, *values in prepare:
        function(*values)
    sys.argv = [tool, *arguments]
    runpy.run_path(tool, run_name="__main__")


def widen():
    """Gives tables room, as on a wide terminal."""
    os.environ["COLUMNS"] = "200"


def join_group(rank, size, port):
    """Makes this process one of several as torchrun starts them."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def parts_of(size):
    """What prepares each of several processes to be part of a group of that size."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [(join_group, rank, size, port) for rank in range(size)]


class Started:
    """A running tool.

    Args:
        tool: path of its script.
        arguments: of the command line.
        log: file that its output goes to.
        prepare: tuples of a function and its arguments, called in the process before the tool starts.
        cwd: its working folder.
        errors: file that its standard error goes to; None for the same one.
    """

    def __init__(self, tool, arguments, log, prepare, cwd, errors=None):
        os.environ["OMP_NUM_THREADS"] = "1"
        self.log = Path(log)
        self.process = _FORKS.Process(target=_run, args=(tool, arguments, str(log), errors, tuple(prepare), cwd))
        self.process.start()

    def wait(self, seconds=300):
        """The exit code, negative for a signal; fails if it does not end, and says where it stood."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            os.kill(self.process.pid, signal.SIGABRT)
            self.process.join(10)
            self.kill()
            raise AssertionError(f"still running after {seconds} s: {self.text()}")
        self.kill()  # a killed process leaves its loader's workers behind
        return self.process.exitcode

    def kill(self):
        """Kills it and what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def text(self):
        """What it has said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""
