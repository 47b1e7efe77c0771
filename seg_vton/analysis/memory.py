"""How much memory work takes: by PyTorch's own account, and by the operating system's for a whole process."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

_CPU = 0  # of the trace's device types


def peak_bytes(job: Callable[[], Any]) -> int:
    """The most that PyTorch's allocators hold at a time during ``job``, beyond what they held before.

    It is the allocators' own account, so it is the same in every run. On the CPU, what was there before and is released
    during ``job`` makes no room. Where there is a GPU, its peak is added to the CPU's; there it does, so that jobs that
    are compared must start with the same kinds of things in memory.
    """
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        job()
    on_gpu = torch.cuda.max_memory_allocated() - before if gpu else 0
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    events = [e for e in events if e["name"] == "[memory]" and e["args"]["Device Type"] == _CPU]
    events.sort(key=lambda event: event["ts"])
    return on_gpu + _peak((event["args"]["Addr"], event["args"]["Bytes"]) for event in events)


def _peak(events: Iterable[tuple[int, int]]) -> int:
    """The most that blocks hold at a time, from the addresses and sizes of allocations and, negative, releases.

    PyTorch reports the release of a block from before the profile only if it happens to know the size, from an earlier
    profile; so none of these count.
    """
    live: dict[int, int] = {}
    total = peak = 0
    for address, size in events:
        if size > 0:
            live[address] = size
        total += size if size > 0 else -live.pop(address, 0)
        peak = max(peak, total)
    return peak


def resident_bytes() -> int:
    """The most that this process has had in physical memory since it was forked; what it forked from counts too.

    Growth of this number misses pages that the process got by the fork and then wrote to, which the system copies, and
    memory that takes the place of what was given back before.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB
