"""Photos of garments as the `cloth` and `cloth-mask` that try-on data sets have."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from seg_vton.files import remove_leftovers
from seg_vton.labels import DEEPFASHION15, conversion_table
from seg_vton.parsing.jobs import Job, Made, PhotoResults, Run
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.images import resized, save_picture
from seg_vton.pictures.photos import read_cutout
from seg_vton.tryon.inference.garment import Garment
from seg_vton.tryon.predictor import cut_garment

_PANEL_HEIGHT = 400
_LEFT_OUT = (255, 0, 255)


class CutResults(PhotoResults):
    """What `tools/data/cut_garments.py` writes: a job for each photo."""

    suffixes = {"cloth": ".jpg", "cloth-mask": ".png", "panel": ".jpg"}


def cut_garments(
    inputs: Sequence[str | Path],
    out: str | Path,
    size: tuple[int, int] | None = (1024, 768),
    parser: ClothingParser | None = None,
    overwrite: bool = False,
) -> Run:
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

    def make(job: Job) -> Made:
        photo, alpha = read_cutout(job.items[0].photo)
        garment = cut_garment(photo, parser, size and size[1] / size[0], alpha)
        pictures = {**garment.files(size), "panel": _panel(photo, garment)}
        writers = {kind: partial(save_picture, picture=picture, quality=95) for kind, picture in pictures.items()}
        facts = {"window": list(garment.box), "garment_mask": garment.source, "warnings": list(garment.warnings)}
        return writers, facts

    return results.work(results.plan(inputs, tuple(CutResults.suffixes), overwrite), "cutting out", make)


def _panel(photo: np.ndarray, garment: Garment) -> np.ndarray:
    """The photo beside what was kept of it, before a color that no garment has."""
    kept = np.where(garment.mask[..., None], garment.picture, np.uint8(_LEFT_OUT))
    sizes = [(_PANEL_HEIGHT, round(_PANEL_HEIGHT * one.shape[1] / one.shape[0])) for one in (photo, kept)]
    return np.hstack([resized(one, size) for one, size in zip((photo, kept), sizes, strict=True)])
