"""Parsing many photos: read ahead, predict in batches, write, go on after faults; one process or several."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine import dist

from seg_vton.errors import UserError
from seg_vton.files import remove_leftovers
from seg_vton.labels import conversion_table
from seg_vton.parsing.instances import Parsing
from seg_vton.parsing.jobs import Job, Made, PhotoResults, Run
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.parsing.writers import KINDS, Result
from seg_vton.pictures.photos import read_photo
from seg_vton.progress import ahead

_READERS = 2  # threads; decoding frees Python's lock


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
) -> Run:
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
    results = PhotoResults(out, {**parser.stamp, **settings})
    plan = _shared_plan(results, inputs, kinds, overwrite)
    own = Run(plan.jobs[dist.get_rank() :: dist.get_world_size()])
    results.finish(own, "parsing", _parse(parser, own.jobs, batch_size, settings))
    for part in dist.all_gather_object(own):
        plan.merge(part)
    return plan


def _shared_plan(results: PhotoResults, inputs: Sequence[str | Path], kinds: Sequence[str], overwrite: bool) -> Run:
    """The first process's plan in every process; its error, too, or the others would wait for it."""
    answer: list[Any] = [None]
    if dist.is_main_process():
        try:
            remove_leftovers(results.out)
            answer = [results.plan(inputs, kinds, overwrite)]
        except UserError as error:
            answer = [str(error)]
    dist.broadcast_object_list(answer)
    if isinstance(answer[0], str):
        raise UserError(answer[0])
    return answer[0]


def _parse(
    parser: ClothingParser, jobs: list[Job], batch_size: int, settings: dict[str, Any]
) -> Iterator[Made | UserError]:
    """Yields what is made for each job; photos are read ahead, a few at a time, and parsed in batches."""

    def read(job: Job) -> np.ndarray | UserError:
        try:
            return read_photo(job.items[0].photo)
        except UserError as error:
            return error

    reading = zip(jobs, ahead(read, jobs, _READERS), strict=True)
    while batch := list(islice(reading, batch_size)):
        parsings = iter(parser.parse_batch([photo for _, photo in batch if isinstance(photo, np.ndarray)]))
        for job, photo in batch:
            yield photo if isinstance(photo, UserError) else _made(job, photo, next(parsings), settings)


def _made(job: Job, photo: np.ndarray, parsing: Parsing, settings: dict[str, Any]) -> Made:
    """What is written of a photo."""
    result = Result(photo, job.items[0].photo.name, parsing, **settings)
    height, width = parsing.shape
    found = [
        {"class": name, "score": round(score, 4)}
        for name, score in zip(parsing.classes, parsing.scores.tolist(), strict=True)
    ]
    writers = {name: partial(kind.write, result=result) for name, kind in KINDS.items()}
    warnings = [] if found else ["nothing was found"]
    return writers, {"width": width, "height": height, "instances": found, "warnings": warnings}
