"""Photos of garments as the `cloth` and `cloth-mask` that try-on data sets have."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.files import atomic_path, remove_leftovers
from seg_vton.labels import DEEPFASHION15, conversion_table
from seg_vton.parsing.jobs import PhotoResults, note_failure
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.images import resized
from seg_vton.pictures.photos import read_cutout
from seg_vton.progress import track
from seg_vton.tryon.inference.garment import Garment
from seg_vton.tryon.predictor import cut_garment

_PANEL_HEIGHT = 400
_LEFT_OUT = (255, 0, 255)


class CutResults(PhotoResults):
    """What `tools/data/cut_garments.py` writes: a job for each photo."""

    suffixes = {"cloth": ".jpg", "cloth-mask": ".png", "panel": ".jpg"}


@dataclass
class Outcome:
    """What a run did."""

    done: int = 0  # number of garments cut out
    complete: int = 0  # number of photos whose results were there already
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by name of a photo
    failures: list[str] = field(default_factory=list)  # a message for each photo or input that could not be used


def cut_garments(
    inputs: Sequence[str | Path],
    out: str | Path,
    size: tuple[int, int] | None = (1024, 768),
    parser: ClothingParser | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Cuts garments out of photos: `OUT/cloth/NAME.jpg` on white, `OUT/cloth-mask/NAME.png`, and panels to look at.

    What an earlier run with the same settings has written is not done again. A photo that cannot be used is said on
    stderr at once, and the others go on. `UserError` where the segmenter's classes cannot become `deepfashion15`, the
    results cannot be written, or see `PhotoResults.plan`.

    Args:
        inputs: photos, and folders that are searched for photos to any depth.
        out: folder of the results.
        size: (height, width) of the pictures, in whose aspect garments are framed; None for the photos' own frames.
        parser: a segmenter, for garments that somebody wears.
        overwrite: write everything anew, whatever is there.
    """
    if parser is not None:
        conversion_table(parser.space.name, DEEPFASHION15.name)  # raises where there is none, before any photo
    results = CutResults(out, {"size": size and list(size), "segmenter": parser and parser.stamp})
    remove_leftovers(results.out)
    plan = results.plan(inputs, tuple(CutResults.suffixes), overwrite)
    plan.complain()
    outcome = Outcome(complete=plan.complete, failures=plan.failures)
    for job in track(plan.jobs, "cutting out") if plan.jobs else ():
        try:
            photo, alpha = read_cutout(job.items[0].photo)
            garment = cut_garment(photo, parser, size and size[1] / size[0], alpha)
        except UserError as error:
            note_failure(outcome.failures, error, job.items[0].photo)
            continue
        pictures = {**garment.files(size), "panel": _panel(photo, garment)}
        results.write_record(job, pending=True)
        for kind in job.kinds:
            with atomic_path(results.path(kind, job.name), overwrite=True) as temporary:
                Image.fromarray(pictures[kind]).save(temporary, quality=95)
        results.write_record(
            job,
            pending=False,
            window=list(garment.box),
            garment_mask=garment.source,
            warnings=list(garment.warnings),
        )
        outcome.done += 1
        if garment.warnings:
            outcome.warnings[job.name] = garment.warnings
    return outcome


def _panel(photo: np.ndarray, garment: Garment) -> np.ndarray:
    """The photo beside what was kept of it, before a color that no garment has."""
    kept = np.where(garment.mask[..., None], garment.picture, np.uint8(_LEFT_OUT))
    sizes = [(_PANEL_HEIGHT, round(_PANEL_HEIGHT * one.shape[1] / one.shape[0])) for one in (photo, kept)]
    return np.hstack([resized(one, size) for one, size in zip((photo, kept), sizes, strict=True)])
