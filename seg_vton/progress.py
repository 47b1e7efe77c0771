"""Progress with rate and estimate for long work."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TypeVar

import cv2
from rich import progress as bars
from rich.console import Console
from rich.text import Text

T = TypeVar("T")
R = TypeVar("R")


class RateColumn(bars.ProgressColumn):
    """Items a second, or seconds an item where these are more telling."""

    def render(self, task: bars.Task) -> Text:
        """The rate over the last items, or over all when the work is done."""
        rate = task.finished_speed or task.speed
        if not rate:
            return Text("-")
        return Text(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")


def track(iterable: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yields from `iterable` while a bar on stderr shows count, rate, time and estimate.

    Without a terminal rich prints the bar once, at the end, so logs stay short.
    """
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        RateColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(iterable, total=total, description=description)


def track_map(function: Callable[[T], R], items: Sequence[T], description: str, workers: int = 1) -> Iterator[R]:
    """Yields `function(item)` for each item, in order, under `track`'s bar; several `workers` are as many processes."""
    if workers == 1:
        yield from track(map(function, items), description, total=len(items))
        return
    # One thread per process; and OpenCV's threads must be gone before a fork, or the child waits for them for ever.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ProcessPoolExecutor(workers) as pool:
            yield from track(pool.map(function, items, chunksize=4), description, total=len(items))
    finally:
        cv2.setNumThreads(threads)


def ahead(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yields `function(item)` in order, computed by threads a few items ahead: decoders and OpenCV release the lock."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
