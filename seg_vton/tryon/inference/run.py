"""Dressing many persons in many garments: each prepared once, faults said, an interrupted run completed."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.files import atomic_path, find_beside, remove_leftovers, sha256, shared_files
from seg_vton.labels import save_palette_png
from seg_vton.parsing.jobs import Item, Job, Plan, note_failure
from seg_vton.parsing.maps import ParsingMaps
from seg_vton.pictures.images import read_mask
from seg_vton.pictures.photos import SUFFIXES, limited, read_cutout, read_photo
from seg_vton.pose import Poses
from seg_vton.progress import track
from seg_vton.tryon.inference.garment import Garment
from seg_vton.tryon.inference.jobs import PairResults, choose_pairs
from seg_vton.tryon.inference.person import Person
from seg_vton.tryon.predictor import TryOn, TryOnResult

GARMENT_BYTES = 1 << 29
"""How much of prepared garments is kept for the next person."""

MASK_ENDINGS = (".png", *SUFFIXES)
"""How the names of masks end, after the garment's without suffix."""

_NAMED = 10


@dataclass
class Outcome:
    """What a run did."""

    done: int = 0  # number of pairs done
    complete: int = 0  # number of pairs whose results were there already
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by name of a pair
    failures: list[str] = field(default_factory=list)  # a message for each input or pair that could not be done
    unmasked: list[Path] = field(default_factory=list)  # the garments that have no mask in the folder of masks


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
) -> Outcome:
    """Dresses every person in every garment and writes `OUT/<kind>/PERSON_GARMENT.png` and records.

    What an earlier run on the same files under the same stamp has written is not done again. A photo that cannot be
    read or used is said on stderr at once, its pairs are left out and the others done; with nothing to do, the outcome
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
    out, poses, masks = Path(out), Poses(pose, pose_models), None if garment_masks is None else Path(garment_masks)
    if masks is not None and not masks.is_dir():
        raise UserError(f"--garment-mask {masks} is not a folder")
    poses.load()
    remove_leftovers(out)
    hashes = pose_models and [sha256(path) for path in pose_models]
    results = PairResults(out, {**predictor.stamp, "pose": poses.name, "pose_models": hashes})
    plan = Plan()
    people = results.find(persons, "person", plan.failures)
    people = with_files(people, "extra", lambda item: poses.file(item.photo, item.place), plan.failures)
    if maps is not None:
        people = with_files(people, "parsing", lambda item: maps.file(item.photo, item.place), plan.failures)
    things = results.find(garments, "garment", plan.failures)
    things = with_files(
        things, "extra", lambda item: masks and find_beside(masks, item.place, MASK_ENDINGS), plan.failures
    )
    chosen = choose_pairs(people, things, pairs, plan.failures)
    results.plan(chosen, plan, overwrite)
    plan.complain()
    unmasked = [] if masks is None else _say_unmasked(masks, [garment for _, garment in chosen])
    outcome = Outcome(complete=plan.complete, failures=plan.failures, unmasked=unmasked)
    prepared = _Prepared(predictor, poses, maps, outcome.failures)
    for job in track(plan.jobs, "trying on") if plan.jobs else ():
        person, garment = prepared.person(job.items[0]), prepared.garment(job.items[1])
        if person is None or garment is None:
            continue
        result = predictor(person, garment)
        _write(results, job, predictor, poses.name, person, garment, result)
        outcome.done += 1
        if result.warnings:
            outcome.warnings[job.name] = result.warnings
    return outcome


def _say_unmasked(masks: Path, garments: Sequence[Item]) -> list[Path]:
    """Says on stderr which garments have no mask, as wrong names look the same as none; returns them."""
    items = dict.fromkeys(garments)
    photos = [item.photo for item in items if item.extra is None]
    if photos:
        named = ", ".join(map(str, photos[:_NAMED])) + (", ..." if len(photos) > _NAMED else "")
        print(
            f"note: {masks} has no mask of {len(photos)} of {len(items)} garments, which are left to the segmenter and "
            f"the cut-out: {named}. A mask must have its garment's name",
            file=sys.stderr,
            flush=True,
        )
    return photos


def with_files(items: list[Item], which: str, find: Callable[[Item], Path | None], failures: list[str]) -> list[Item]:
    """Items with their files as attribute `which`; those that lack one, or would share it, are left out and said."""
    found = []
    for item in items:
        try:
            found.append(replace(item, **{which: find(item)}))
        except UserError as error:
            failures.append(str(error))
    unclear = shared_files({item.photo: getattr(item, which) for item in found})
    failures += dict.fromkeys(unclear.values())
    return [item for item in found if item.photo not in unclear]


def people_of(poses: Poses, item: Item, photo: np.ndarray) -> list[np.ndarray]:
    """The joints of everybody in a photo, in its pixels; an estimator gets a large one smaller. See `Poses.people`."""
    seen = photo if item.extra else limited(photo)
    scale = photo.shape[1] / seen.shape[1], photo.shape[0] / seen.shape[0], 1
    return [joints * scale for joints in poses.people(item.extra, seen)]


class _Prepared:
    """Persons and garments of a run: what is prepared is kept, what failed is said once and not tried again."""

    def __init__(self, predictor: TryOn, poses: Poses, maps: ParsingMaps | None, failures: list[str]) -> None:
        self._predictor, self._poses, self._maps, self._failures = predictor, poses, maps, failures
        self._person: tuple[Item | None, Person | None] = (None, None)
        self._garments: OrderedDict[Item, Garment] = OrderedDict()
        self._failed: set[Item] = set()

    def person(self, item: Item) -> Person | None:
        """The person of an item, the last one kept; None where it cannot be used."""
        if self._person[0] != item:
            self._person = (None, None)  # no two photos in memory
            self._person = (item, self._try(item, self._load_person))
        return self._person[1]

    def garment(self, item: Item) -> Garment | None:
        """The garment of an item, `GARMENT_BYTES` of them kept; None where it cannot be used."""
        if item not in self._garments:
            made = self._try(item, self._load_garment)
            if made is None:
                return None
            self._garments[item] = made
        self._garments.move_to_end(item)
        while len(self._garments) > 1 and sum(garment.nbytes for garment in self._garments.values()) > GARMENT_BYTES:
            self._garments.popitem(last=False)
        return self._garments[item]

    def _load_person(self, item: Item) -> Person:
        photo = read_photo(item.photo)
        people = people_of(self._poses, item, photo)
        labels = self._maps.read(item.parsing, item.photo, photo.shape) if item.parsing else None
        return self._predictor.person(photo, people, labels)

    def _load_garment(self, item: Item) -> Garment:
        mask = None if item.extra is None else read_mask(item.extra)
        photo, alpha = read_cutout(item.photo)
        return self._predictor.garment(photo, mask, alpha)

    def _try(self, item: Item, load: Callable[[Item], Any]) -> Any:
        if item in self._failed:
            return None
        try:
            return load(item)
        except UserError as error:
            self._failed.add(item)
            note_failure(self._failures, error, *filter(None, (item.photo, item.extra)))
            return None


def _write(
    results: PairResults, job: Job, predictor: TryOn, pose: str, person: Person, garment: Garment, result: TryOnResult
) -> None:
    """Writes the files of a pair and their record; boxes are left, top, width, height in pixels."""
    results.write_record(job, pending=True)
    pictures = {
        "try-on": lambda: result.image,
        "warped-garment": lambda: result.warped_cloth,
        "composition-mask": lambda: result.mask,
        "panel": lambda: predictor.panel(person, garment, result, " with ".join(item.name for item in job.items)),
    }
    for kind in job.kinds:
        path = results.path(kind, job.name)
        if kind == "parsing":
            save_palette_png(path, person.full_label_map(), person.space, overwrite=True)
            continue
        with atomic_path(path, overwrite=True) as temporary:
            Image.fromarray(pictures[kind]()).save(temporary)
    height, width = person.photo.shape[:2]
    results.write_record(
        job,
        pending=False,
        size=[width, height],
        window=list(person.box),
        garment_window=list(garment.box),
        garment_mask=garment.source,
        pose="none" if person.joints is None else pose,
        label_space=person.space,
        warnings=list(result.warnings),
    )
