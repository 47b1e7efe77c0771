"""Timing in which only ratios inside one run count: candidates take turns, peaks are measured beside them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from rich.progress import track

Job = Callable[[], Any]


def _seconds(job: Job) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    job()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def interleave(jobs: Mapping[str, Job], rounds: int, warmup: int = 1) -> dict[str, list[float]]:
    """Runs all jobs in turn, round after round, so that a machine that slows down slows all of them.

    Args:
        jobs: name -> what to time.
        rounds: counted rounds.
        warmup: rounds before, not counted.

    Returns:
        name -> seconds of each counted round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for number in track(range(warmup + rounds), "timing"):
        for name, job in jobs.items():
            elapsed = _seconds(job)
            if number >= warmup:
                seconds[name].append(elapsed)
    return seconds


def spread(seconds: list[float]) -> dict[str, float]:
    """Median, minimum and maximum in seconds."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def matmul_peak(size: int = 2048, rounds: int = 8) -> float:
    """The best float32 matrix product of this machine now, in GFLOP/s (a multiply-add counts as two)."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / min(_seconds(lambda: a @ b) for _ in range(rounds)) / 1e9


def copy_peak(mebibytes: int = 256, rounds: int = 8) -> float:
    """The best copy of a block far larger than the caches, in GB/s, bytes read plus bytes written."""
    source = torch.zeros(mebibytes << 18)
    target = torch.empty_like(source)
    best = min(_seconds(lambda: target.copy_(source)) for _ in range(rounds))
    return 2 * source.numel() * source.element_size() / best / 1e9
