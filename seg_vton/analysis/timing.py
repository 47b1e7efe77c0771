"""Time and memory of forms that take turns: only ratios inside one run count, and peaks are measured beside them."""

import json
import tempfile
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
from torch.profiler import ProfilerActivity, profile

from seg_vton.progress import track

Job = Callable[[], Any]
Name = TypeVar("Name", bound=Hashable)


def turns(names: Iterable[Name], number: int) -> list[Name]:
    """The order of round `number`, so that no form always runs first, last, or after the same other one.

    Every second round the order moves on by one; the rounds between them have their predecessor's order backwards.
    """
    order = list(names)
    first = number // 2 % max(len(order), 1)
    order = order[first:] + order[:first]
    return order[::-1] if number % 2 else order


def interleave(jobs: Mapping[Name, Job], rounds: int, warmup: int = 1, calls: int = 1) -> dict[Name, list[float]]:
    """Runs all jobs in turn, round after round, so that a machine that slows down slows all of them.

    `torch.utils.benchmark` would call a job at least three times for each measurement, which is minutes where a step
    takes ten seconds.

    Args:
        jobs: what to time; `turns` says in which order.
        rounds: counted rounds.
        warmup: rounds before, not counted; 0 where all jobs have run already.
        calls: how often a job runs in its turn; more than once where once takes too little time to be measured well.

    Returns:
        Seconds of a call in each counted round, by the jobs' names.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in jobs}
    for number in track(range(-warmup, rounds), "timing"):
        for name in turns(jobs, number):
            elapsed = _seconds(jobs[name], calls)
            if number >= 0:
                seconds[name].append(elapsed)
    return seconds


def _seconds(job: Job, calls: int = 1) -> float:
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(calls):
        job()
    wait()
    return (time.perf_counter() - start) / calls


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def compared(own: Sequence[float], baseline: Sequence[float]) -> dict[str, Any]:
    """A form's `seconds` of each round, their spread, and in `speedup` that of how many times faster than baseline."""
    ratios = [theirs / ours for theirs, ours in zip(baseline, own, strict=True)]
    return {"seconds": list(own), **spread(own), "speedup": spread(ratios)}


def accelerator() -> torch.device:
    """Where benchmarks run: the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def matmul_peak(size: int = 2048, rounds: int = 8) -> float:
    """The fastest float32 matrix product of `rounds` on this machine, in GFLOP/s (a multiply-add counts as two).

    `size` is the rows and columns on a CPU. On a GPU it is four times as many, with TF32 where convolutions may use it.
    """
    device = accelerator()
    size = size if device.type == "cpu" else 4 * size
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        return 2 * size**3 / min(_seconds(lambda: a @ b) for _ in range(rounds)) / 1e9
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def copy_peak(mebibytes: int = 256, rounds: int = 8) -> float:
    """The best copy of a block far larger than the caches, in GB/s, bytes read plus bytes written."""
    source = torch.zeros(mebibytes << 18, device=accelerator())
    target = torch.empty_like(source)
    best = min(_seconds(lambda: target.copy_(source)) for _ in range(rounds))
    return 2 * source.numel() * source.element_size() / best / 1e9


def peak_bytes(job: Job) -> int:
    """The most that PyTorch's allocators hold at a time during `job`, beyond what they held before.

    It is the allocators' own account, so it is the same in every run. On the CPU, what was there before and is released
    during `job` makes no room. Where there is a GPU, its peak is added to the CPU's; there it does, so that jobs that
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
    events = [e["args"] | {"ts": e["ts"]} for e in events if e["name"] == "[memory]" and e["args"]["Device Type"] == 0]
    # PyTorch reports the release of a block from before the profile only if it happens to know the size, from an
    # earlier profile; so none of these count.
    live: dict[int, int] = {}
    total = peak = 0
    for event in sorted(events, key=lambda event: event["ts"]):
        size = event["Bytes"]
        if size > 0:
            live[event["Addr"]] = size
        total += size if size > 0 else -live.pop(event["Addr"], 0)
        peak = max(peak, total)
    return on_gpu + peak
