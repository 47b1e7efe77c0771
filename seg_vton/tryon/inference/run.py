"""Dressing many persons in many garments: each prepared once, faults said, an interrupted run completed."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from os.path import realpath
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from seg_vton.errors import UserError
from seg_vton.files import find_beside, remove_leftovers, sha256, shared_files
from seg_vton.labels import save_palette_png
from seg_vton.parsing.jobs import Item, Job, Made, Run
from seg_vton.parsing.maps import ParsingMaps
from seg_vton.pictures.images import read_mask, save_picture
from seg_vton.pictures.photos import SUFFIXES, limited, read_cutout, read_photo
from seg_vton.pose import Poses
from seg_vton.tryon.inference.garment import Garment
from seg_vton.tryon.inference.jobs import PairResults, choose_pairs
from seg_vton.tryon.inference.panel import draw_panel
from seg_vton.tryon.inference.person import Person
from seg_vton.tryon.predictor import TryOn

GARMENT_BYTES = 1 << 29
"""How much of prepared garments is kept for the next person."""

MASK_ENDINGS = (".png", *SUFFIXES)
"""How the names of masks end, after the garment's without suffix."""

_NAMED = 10
T = TypeVar("T", Person, Garment)


def dress_all(
    predictor: TryOn,
    persons: Sequence[str | Path],
    garments: Sequence[str | Path],
    out: str | Path,
    pairs: str | Path | None = None,
    pose: str | Path = "auto",
    garment_masks: str | Path | None = None,
    overwrite: bool = False,
    pose_models: Sequence[str | Path] | None = None,
    maps: ParsingMaps | None = None,
) -> Run:
    """Dresses every person in every garment and writes `OUT/<kind>/PERSON_GARMENT.png` and records.

    What an earlier run on the same files under the same stamp has written is not done again. A photo that cannot be
    read or used is said on stderr at once, its pairs are left out and the others done; with nothing to do, the run
    has only `failures` that say why. `UserError` where the pose source, the folder of masks or the pairs file is not
    there, or the results cannot be written.

    Args:
        predictor: segmenter and models.
        persons: photos, and folders that are searched for photos to any depth.
        garments: the same.
        out: folder of the results.
        pairs: a file of lines with a person's and a garment's file name, or None for all of them.
        pose: see `seg_vton.pose.Poses`.
        garment_masks: folder of masks, white on black, named as the garments' photos; None for none. Garments without
            one are said on stderr and left to the segmenter.
        overwrite: do everything anew, whatever is there.
        pose_models: the same.
        maps: another parser's label maps of the persons, for a predictor without a segmenter.
    """
    out, masks = Path(out), None if garment_masks is None else Path(garment_masks)
    poses = Poses(pose, pose_models, str(predictor.device))
    if masks is not None and not masks.is_dir():
        raise UserError(f"--garment-mask {masks} is not a folder")
    poses.load()
    remove_leftovers(out)
    hashes = pose_models and [sha256(path) for path in pose_models]
    results, run = PairResults(out, {**predictor.stamp, "pose": poses.name, "pose_models": hashes}), Run()
    people = results.find(persons, "person", run)
    people = with_files(people, "extra", lambda item: poses.file(item.photo, item.place), run)
    if maps is not None:
        people = with_files(people, "parsing", lambda item: maps.file(item.photo, item.place), run)
    things = results.find(garments, "garment", run)
    things = with_files(things, "extra", lambda item: masks and _find_mask(masks, item), run)
    chosen = choose_pairs(people, things, pairs, run)
    results.plan(chosen, run, overwrite)
    used = dict.fromkeys(garment for _, garment in chosen)
    unmasked = [str(garment.photo) for garment in used if garment.extra is None]
    if masks and unmasked:  # as wrong names look the same as none
        named = ", ".join(unmasked[:_NAMED]) + (", ..." if len(unmasked) > _NAMED else "")
        print(
            f"note: {masks} has no mask of {len(unmasked)} of {len(used)} garments, which are left to the segmenter "
            f"and the cut-out: {named}. A mask must have its garment's name",
            file=sys.stderr,
            flush=True,
        )

    def load_person(item: Item) -> Person:
        photo = read_photo(item.photo)
        labels = maps.read(item.parsing, item.photo, photo.shape) if maps else None
        return predictor.person(photo, people_of(poses, item.extra, photo), labels)

    def load_garment(item: Item) -> Garment:
        mask = item.extra and read_mask(item.extra)
        photo, alpha = read_cutout(item.photo)
        return predictor.garment(photo, mask, alpha)

    # Pairs come person by person, so no earlier one is needed again.
    dressed, worn = _Kept(load_person, run, limit=-1), _Kept(load_garment, run, GARMENT_BYTES)

    def make(job: Job) -> Made | None:
        person, garment = dressed(job.items[0]), worn(job.items[1])
        if person is None or garment is None:
            return None
        result = predictor(person, garment)
        title = " with ".join(item.name for item in job.items)
        writers = {
            "try-on": partial(save_picture, picture=result.image),
            "warped-garment": partial(save_picture, picture=result.warped_cloth),
            "composition-mask": partial(save_picture, picture=result.mask),
            "panel": lambda path: save_picture(path, draw_panel(person, garment, result, title)),
            "parsing": lambda path: save_palette_png(path, person.full_label_map(), person.space, overwrite=True),
        }
        facts = {
            "size": list(person.photo.shape[1::-1]),
            "window": list(person.box),  # left, top, width, height in pixels
            "garment_window": list(garment.box),
            "garment_mask": garment.source,
            "pose": "none" if person.joints is None else poses.name,
            "label_space": person.space,
            "warnings": list(result.warnings),
        }
        return writers, facts

    return results.work(run, "trying on", make)


def _find_mask(folder: Path, item: Item) -> Path | None:
    """A garment's mask in a folder, where the garment itself may be too."""
    found = find_beside(folder, item.place, MASK_ENDINGS)
    return None if found and realpath(found) == realpath(item.photo) else found


def with_files(items: list[Item], which: str, find: Callable[[Item], Path | None], run: Run) -> list[Item]:
    """Items with their files as attribute `which`; those that lack one, or would share it, are left out and said."""
    found = []
    for item in items:
        try:
            found.append(replace(item, **{which: find(item)}))
        except UserError as error:
            run.fail(error)
    unclear = shared_files({item.photo: getattr(item, which) for item in found})
    for message in dict.fromkeys(unclear.values()):
        run.fail(message)
    return [item for item in found if item.photo not in unclear]


def people_of(poses: Poses, file: Path | None, photo: np.ndarray) -> list[np.ndarray]:
    """The joints of everybody in a photo, in its pixels; an estimator gets a large one smaller. See `Poses.people`."""
    seen = photo if file else limited(photo)
    scale = photo.shape[1] / seen.shape[1], photo.shape[0] / seen.shape[0], 1
    return [joints * scale for joints in poses.people(file, seen)]


class _Kept(Generic[T]):
    """What is prepared of items, kept up to a `limit` of bytes; what failed is said once and not tried again."""

    def __init__(self, load: Callable[[Item], T], run: Run, limit: int) -> None:
        self._load, self._run, self._limit = load, run, limit
        self._kept: OrderedDict[Item, T] = OrderedDict()
        self._failed: set[Item] = set()

    def __call__(self, item: Item) -> T | None:
        """What is prepared of an item; None where it cannot be used."""
        if item not in self._kept and item not in self._failed:
            while self._kept and sum(each.nbytes for each in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)  # before the next is loaded: no two large photos in memory
            try:
                self._kept[item] = self._load(item)
            except UserError as error:
                self._failed.add(item)
                self._run.fail(error, *filter(None, (item.photo, item.extra)))
        if item in self._kept:
            self._kept.move_to_end(item)
        return self._kept.get(item)
