"""What several parts of the fault suite look at."""

import re

import torch
from tool_process import parts_of

from seg_vton.engine.checkpoint import load_checkpoint_file

# torch raises the death of a loader's worker wherever the main process is, also where Python can only print it.
_LOST = re.compile(
    r"Exception ignored in: .*\nTraceback .*\n(?:.*\n)*?\w+Error: .*(?:DataLoader worker|DataLoaderIter).*\n"
)


def said(running):
    """The one message of a run."""
    text = _LOST.sub("", running.text())
    assert "Traceback" not in text, text[-3000:]
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    return line


def files(folder):
    """The bytes of all files in a folder by path; none that a killed process left under a temporary name."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _leaves(value, name=""):
    """Every tensor in a nested value."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {key: leaf for part, inner in items for key, leaf in _leaves(inner, f"{name}.{part}").items()}


def same(first, second):
    """Whether two checkpoints have the same weights and optimizer state, bit for bit."""
    ours, theirs = (
        {part: _leaves(load_checkpoint_file(path)[part]) for part in ("state_dict", "optimizer")}
        for path in (first, second)
    )
    return all(
        ours[part].keys() == theirs[part].keys() and all(torch.equal(v, theirs[part][k]) for k, v in ours[part].items())
        for part in ours
    )


def two_processes(start, config, work, *options, prepare=((), ())):
    """A training in two gloo processes, with the faults of each."""
    arguments = ("train.py", config, "--work-dir", work, "--launcher", "pytorch", *options)
    return [start(*arguments, prepare=[part, *faults]) for part, faults in zip(parts_of(2), prepare, strict=True)]
