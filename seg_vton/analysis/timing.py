"""Timing in which only ratios inside one run count: candidates take turns, peaks are measured beside them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


def interleave(jobs: Mapping[Name, Job], rounds: int, warmup: int = 1) -> dict[Name, list[float]]:
    """Runs all jobs in turn, round after round, so that a machine that slows down slows all of them.

    Args:
        jobs: name -> what to time.
        rounds: counted rounds.
        warmup: rounds before, not counted.

    Returns:
        name -> seconds of each counted round.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in jobs}
    for number in track(range(warmup + rounds), "timing"):
        for name, job in jobs.items():
            elapsed = _seconds(job)
            if number >= warmup:
                seconds[name].append(elapsed)
    return seconds


def spread(seconds: list[float]) -> dict[str, float]:
    """Median, minimum and maximum in seconds."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def speedup(baseline: Sequence[float], own: Sequence[float]) -> float:
    """How many times faster than the baseline: the median over the rounds of the ratio inside each round."""
    return statistics.median(theirs / ours for theirs, ours in zip(baseline, own, strict=True))


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
