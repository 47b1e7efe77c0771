"""Timing in which only ratios inside one run count: candidates take turns, peaks are measured beside them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch

from seg_vton.progress import track

Job = Callable[[], Any]
Name = TypeVar("Name", bound=Hashable)


def _seconds(job: Job) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    job()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def turns(names: Iterable[Name], number: int) -> list[Name]:
    """The order of a round, so that no form always runs first, last, or after the same other one.

    Every second round the order moves on by one; the rounds between them have their predecessor's order backwards.

    Args:
        names: the forms, as they were listed.
        number: of the round, from 0 on.
    """
    order = list(names)
    first = number // 2 % max(len(order), 1)
    order = order[first:] + order[:first]
    return order[::-1] if number % 2 else order


def interleave(jobs: Mapping[Name, Job], rounds: int, warmup: int = 1, calls: int = 1) -> dict[Name, list[float]]:
    """Runs all jobs in turn, round after round, so that a machine that slows down slows all of them.

    Args:
        jobs: name -> what to time. `turns` says in which order.
        rounds: counted rounds.
        warmup: rounds before, not counted; 0 where all jobs have run already.
        calls: how often a job runs in its turn; more than once where once takes too little time to be measured well.

    Returns:
        name -> seconds of a call in each counted round.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in jobs}
    for number in track(range(-warmup, rounds), "timing"):
        for name in turns(jobs, number):
            elapsed = _seconds(partial(_repeat, jobs[name], calls)) / calls
            if number >= 0:
                seconds[name].append(elapsed)
    return seconds


def _repeat(job: Job, calls: int) -> None:
    for _ in range(calls):
        job()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def speedup(baseline: Sequence[float], own: Sequence[float]) -> dict[str, float]:
    """How many times faster than the baseline: median, minimum and maximum of the ratios inside the rounds."""
    return spread([theirs / ours for theirs, ours in zip(baseline, own, strict=True)])


def compared(own: Sequence[float], baseline: Sequence[float]) -> dict[str, Any]:
    """What a report has of a form's time.

    Args:
        own: its seconds in each round.
        baseline: those of the form it is compared with.

    Returns:
        `seconds` of each round, their `median`, `min` and `max`, and `speedup` with the same three of the ratios.
    """
    return {"seconds": list(own), **spread(own), "speedup": speedup(baseline, own)}


def accelerator() -> torch.device:
    """Where benchmarks run: the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def _tf32() -> Iterator[None]:
    """Lets a GPU's float32 matrix products use TF32, as cuDNN's convolutions do unless told otherwise."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def matmul_peak(size: int = 2048, rounds: int = 8) -> float:
    """The best float32 matrix product of this machine now, in GFLOP/s (a multiply-add counts as two).

    Where there is a GPU it is the GPU's, with TF32 where cuDNN's convolutions may use it.

    Args:
        size: rows and columns on a CPU; on a GPU four times as many, which fill it.
        rounds: products, of which the fastest counts.
    """
    device = accelerator()
    size = size if device.type == "cpu" else 4 * size
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    with _tf32():
        return 2 * size**3 / min(_seconds(lambda: a @ b) for _ in range(rounds)) / 1e9


def copy_peak(mebibytes: int = 256, rounds: int = 8) -> float:
    """The best copy of a block far larger than the caches, in GB/s, bytes read plus bytes written.

    Where there is a GPU it is a copy in the GPU's memory.
    """
    source = torch.zeros(mebibytes << 18, device=accelerator())
    target = torch.empty_like(source)
    best = min(_seconds(lambda: target.copy_(source)) for _ in range(rounds))
    return 2 * source.numel() * source.element_size() / best / 1e9
