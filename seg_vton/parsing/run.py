"""Parsing many photos: read ahead, predict in batches, write, go on after faults; one process or several."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine import dist

from seg_vton.errors import UserError
from seg_vton.files import remove_leftovers
from seg_vton.labels import conversion_table
from seg_vton.parsing.jobs import Job, PhotoResults, Plan, note_failure
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.parsing.writers import KINDS, Result
from seg_vton.pictures.photos import read_photo
from seg_vton.progress import track

_READERS = 2  # threads; decoding frees Python's lock


@dataclass
class Outcome:
    """What a run did, over all processes."""

    parsed: int = 0  # number of photos parsed
    complete: int = 0  # number of photos whose results were there already
    empty: list[str] = field(default_factory=list)  # names of the photos in which nothing was found
    failures: list[str] = field(default_factory=list)  # a message for each photo or input that could not be parsed


def start_processes(launcher: str) -> str | None:
    """Connects the processes that `torchrun` started; returns the device of this one, None where the choice is open.

    `launcher` is 'pytorch', or 'none' for a process of its own. Without `torchrun` around it is a `UserError`.
    """
    if launcher == "none":
        return None
    if "RANK" not in os.environ:
        raise UserError("--launcher pytorch needs torchrun: torchrun --nproc_per_node N tools/parse.py ...")
    torch.distributed.init_process_group("gloo")  # only names and counts are exchanged
    gpus = torch.cuda.device_count()
    return f"cuda:{int(os.environ['LOCAL_RANK']) % gpus}" if gpus else "cpu"


def parse_photos(
    parser: ClothingParser,
    inputs: Sequence[str | Path],
    out: str | Path,
    kinds: Sequence[str] = ("coco", "label-map"),
    label_space: str | None = None,
    fill_holes: bool = True,
    batch_size: int = 1,
    overwrite: bool = False,
) -> Outcome:
    """Parses photos and writes `OUT/<kind>/<name><suffix>` and `OUT/records/<name>.json`.

    What an earlier run under the same stamp has written is not done again. Each photo that cannot be read is reported
    on stderr at once, and the others go on. With several processes (`start_processes`) each takes its share, and what
    was done is returned in all of them.

    Args:
        parser: the segmenter.
        inputs: photos, and folders that are searched for photos to any depth.
        out: folder of the results.
        kinds: what to write, of `seg_vton.parsing.writers.KINDS`.
        label_space: of the label maps; None for the segmenter's own.
        fill_holes: whether small holes in the label maps are filled.
        batch_size: photos in one pass.
        overwrite: write everything anew, whatever is there.
    """
    if batch_size < 1:
        raise UserError(f"--batch-size is {batch_size}: it must be 1 or more")
    label_space = label_space or parser.space.name
    conversion_table(parser.space.name, label_space)  # raises where there is none, before any work
    settings = {"label_space": label_space, "fill_holes": fill_holes}
    results, outcome = PhotoResults(out, {**parser.stamp, **settings}), Outcome()
    plan = _shared_plan(results, inputs, kinds, overwrite)
    own = plan.jobs[dist.get_rank() :: dist.get_world_size()]
    for batch in _batches(own, batch_size, outcome.failures):
        parsings = parser.parse_batch([photo for _, photo in batch])
        for (job, photo), parsing in zip(batch, parsings, strict=True):
            results.write_record(job, pending=True)
            result = Result(photo, job.items[0].photo.name, parsing, **settings)
            for kind in job.kinds:
                KINDS[kind].write(results.path(kind, job.name), result)
            height, width = parsing.shape
            found = [
                {"class": name, "score": round(score, 4)}
                for name, score in zip(parsing.classes, parsing.scores.tolist(), strict=True)
            ]
            results.write_record(job, pending=False, width=width, height=height, instances=found)
            outcome.parsed += 1
            outcome.empty += [] if found else [job.name]
    parts = dist.all_gather_object(outcome)
    return Outcome(
        parsed=sum(part.parsed for part in parts),
        complete=plan.complete,
        empty=[name for part in parts for name in part.empty],
        failures=plan.failures + [message for part in parts for message in part.failures],
    )


def _shared_plan(results: PhotoResults, inputs: Sequence[str | Path], kinds: Sequence[str], overwrite: bool) -> Plan:
    """The first process's plan in every process; its error, too, or the others would wait for it."""
    answer: list[Any] = [None]
    if dist.is_main_process():
        try:
            remove_leftovers(results.out)
            answer = [results.plan(inputs, kinds, overwrite)]
            answer[0].complain()
        except UserError as error:
            answer = [str(error)]
    dist.broadcast_object_list(answer)
    if isinstance(answer[0], str):
        raise UserError(answer[0])
    return answer[0]


def _batches(jobs: list[Job], size: int, failures: list[str]) -> Iterator[list[tuple[Job, np.ndarray]]]:
    """Yields some jobs with their photos at a time; reports photos that cannot be read. The first process has a bar."""
    reading = _read_ahead(jobs)
    batch: list[tuple[Job, np.ndarray]] = []
    for job, photo in track(reading, "parsing", total=len(jobs)) if dist.is_main_process() and jobs else reading:
        try:
            batch.append((job, photo.result()))
        except UserError as error:
            note_failure(failures, error, job.items[0].photo)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read_ahead(jobs: list[Job]) -> Iterator[tuple[Job, Future[np.ndarray]]]:
    """Yields each job with its photo to come; no more than a few photos are in memory."""
    with ThreadPoolExecutor(_READERS) as pool:
        waiting: deque[tuple[Job, Future[np.ndarray]]] = deque()
        for job in jobs:
            waiting.append((job, pool.submit(read_photo, job.items[0].photo)))
            if len(waiting) > _READERS:
                yield waiting.popleft()
        yield from waiting
