"""Writes pairs from photos to disk in the layout of VITON."""

import itertools
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seg_vton.data.folders import MARKER, new_folder
from seg_vton.data.paper_doll.write import unpaired
from seg_vton.data.photo_pairs.person import Garment, Person, Settings, Unusable, cut_person, lay_out_garment
from seg_vton.data.photo_pairs.sources import LabeledPhoto
from seg_vton.data.photo_pairs.splits import SPLITS, SplitRule
from seg_vton.errors import UserError
from seg_vton.files import find_beside, shared_files, write_json
from seg_vton.labels import DEEPFASHION15, save_palette_png, working_space
from seg_vton.parsing.jobs import Item, Job, PhotoResults
from seg_vton.pictures.photos import read_photo
from seg_vton.pose import Poses, openpose_json
from seg_vton.pose.files import ENDINGS
from seg_vton.progress import track_map

DATA_SET = "photo pairs"
"""What the marker says; a folder whose marker says something else is never replaced."""

PREDICTED = "image-parse-predicted"
"""Folder of a split for label maps that a segmenter predicted, in the form that `tools/parse.py` writes."""

_FOLDERS = ("image", "cloth", "cloth-mask", "image-parse", "pose", "warp")
_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}


@dataclass(frozen=True)
class Plan:
    """What to write."""

    photos: Sequence[LabeledPhoto]  # the photos and their labels
    poses: str  # folder of keypoint files, or the name of a pose backend
    rule: SplitRule = field(default_factory=SplitRule)  # which split a person belongs to
    settings: Settings = field(default_factory=Settings)  # how photos become pairs
    variants: int = 1  # garments laid out for each training photo, each deformed in its own way
    # probability that a training pair is mirrored as a whole. GMM cannot undo a mirrored garment: it moves a control
    # point by half a frame at most
    mirror: float = 0.5
    seed: int = 0  # of everything random. What becomes of a photo does not depend on the others
    # the files of the backend's models, see `seg_vton.pose.load_estimator`
    pose_models: Sequence[str | Path] | None = None
    # what a segmenter sees in each photo, by the photo's place; None without a segmenter
    predicted: Mapping[Path, LabeledPhoto] | None = None

    def check(self) -> None:
        """Raises `UserError` when a number is out of range."""
        self.rule.check()
        height, width = self.settings.size
        if min(height, width) < 32 or max(height, width) > 4096:
            raise UserError(f"--size is {width} {height}: each side must be from 32 to 4096")
        limits = {"variants": (self.variants, 1, 1000), "mirror": (self.mirror, 0, 1)}
        for name, (value, low, high) in (limits | {"strength": (self.settings.strength, 0, 2)}).items():
            if not low <= value <= high:
                raise UserError(f"--{name} is {value}: it must be from {low} to {high}")
        if self.settings.min_garment < 1 or self.seed < 0:
            raise UserError("--min-garment must be 1 or more and --seed 0 or more")


@dataclass(frozen=True)
class _Item:
    """A photo's place in the set."""

    photo: LabeledPhoto
    stem: str
    person: str
    split: str


@dataclass
class Outcome:
    """What was written."""

    persons: Counter[str] = field(default_factory=Counter)  # number of person photos used, by split
    pairs: dict[str, int] = field(default_factory=dict)  # number of lines by pairs file
    dropped: dict[str, list[str]] = field(default_factory=dict)  # names of the photos left out, by reason
    faults: list[str] = field(default_factory=list)  # a message for each photo that cannot be read
    # names of the photos used whose keypoints are of several people; the one on the body was taken
    several: list[str] = field(default_factory=list)
    # names of the photos used most of whose joints lie beside the person: of another photo, or in another's pixels
    beside: list[str] = field(default_factory=list)


def write_photo_pairs(out: str | Path, plan: Plan, workers: int = 1, overwrite: bool = False) -> Outcome:
    """Makes a try-on set in VITON's layout out of photos; the folder `out` appears when it is whole.

    `{train,test}/{image,cloth,cloth-mask,image-parse,pose}` hold `NAME_0.jpg` (the person), `NAME_1.jpg` (what they
    wear, laid out on white), `NAME_1.png` (its mask), `NAME_0.png` (palette indices of deepfashion15) and
    `NAME_0_keypoints.json`; `warp/NAME_0.npy` is the theta `(50,)` that GMM is to find. What a segmenter predicted
    comes along in `PREDICTED`, as `TryOnDataset(parse=...)` reads it. `{train,test}_pairs.txt` pair a person with what
    they wear, `test_unpaired_pairs.txt` with what another wears. `dataset.json` says how the set was made, where each
    person's frame is in their photo, and which photos were left out and why.

    The bytes do not depend on the number of `workers`. `UserError` where a setting is wrong, `out` exists or cannot be
    written, or no photo can be used.
    """
    plan.check()
    if workers < 1:
        raise UserError(f"--workers is {workers}: it must be 1 or more")
    poses = Poses(plan.poses, plan.pose_models)
    if poses.folder:  # two photos may not have one keypoint file; a photo without one is a fault of its own
        files = {photo.photo: find_beside(poses.folder, photo.place, ENDINGS) for photo in plan.photos}
        for message in shared_files(files).values():
            raise UserError(message)
    outcome, persons = Outcome(), []
    items = _assign(plan, outcome)
    with new_folder(Path(out), DATA_SET, overwrite) as folder:
        for split, name in itertools.product(SPLITS, _FOLDERS):
            (folder / split / name).mkdir(parents=True)
        done = track_map(partial(_write_item, folder, plan, poses), items, "photos", workers)
        for item, made in zip(items, done, strict=True):
            if isinstance(made, UserError):
                outcome.faults.append(str(made))
            elif isinstance(made, Unusable):
                outcome.dropped.setdefault(str(made), []).append(item.photo.name)
            else:
                persons.append((item, made))
                outcome.persons[item.split] += 1
                outcome.several += [item.photo.name] * (made["people"] > 1)
                outcome.beside += [item.photo.name] * made["beside"]
        if not persons:
            reasons = [f"{len(names)} x {reason}" for reason, names in sorted(outcome.dropped.items())]
            reasons += [f"{len(outcome.faults)} with a fault, the first: {fault}" for fault in outcome.faults[:1]]
            raise UserError(f"no photo can be used: {', '.join(reasons)}")
        _write_pairs(folder, plan, persons, outcome)
        write_json(folder / MARKER, _description(plan, persons, outcome), indent=1)
    return outcome


def _assign(plan: Plan, outcome: Outcome) -> list[_Item]:
    """Gives each photo a name in the set and a split; those of no split are left out."""
    items, taken = [], dict[str, Path]()
    for photo in plan.photos:
        stem = re.sub(r"[^\w.-]+", "-", photo.name)  # white space would break the lines of a pairs file
        if stem in taken:
            raise UserError(f"the photos {taken[stem]} and {photo.place} would both be called {stem}: rename one")
        taken[stem] = photo.place
        person = plan.rule.person(photo.name)
        split = plan.rule.split(person)
        if split is None:
            outcome.dropped.setdefault("in no split", []).append(photo.name)
        else:
            items.append(_Item(photo, stem, person, split))
    names = {item.stem: item.photo.name for item in items if item.split == "train"}
    for stem, variant in itertools.product(names, range(1, plan.variants)):
        other = names.get(_variant(stem, variant))
        if other is not None:
            raise UserError(
                f"the photo {other} has the name of garment {variant + 1} of the photo {names[stem]}: rename it, "
                f"or make --variants {variant} or fewer"
            )
    for split, texts in zip(SPLITS, (plan.rule.train, plan.rule.test), strict=True):
        if texts and all(item.split != split for item in items):
            example = plan.rule.person(plan.photos[0].name)
            raise UserError(f"--{split} {' '.join(texts)} matches no person; ids look like {example}")
    return items


def _write_item(folder: Path, plan: Plan, poses: Poses, item: _Item) -> dict[str, Any] | UserError | Unusable:
    """Writes all that comes of one photo; returns facts of it, or why nothing does."""
    source = item.photo
    poses.load()  # once in each process; without an estimator no photo can be used
    try:
        photo = read_photo(source.photo)
        labels = source.label_map(photo.shape[:2])
        people = poses.people(poses.file(source.photo, source.place), photo)
        people = [joints.astype(np.float32) for joints in people]
        seen = None if plan.predicted is None else plan.predicted.get(source.place)
        if plan.predicted is not None and seen is None:
            raise UserError(f"{source.photo}: --predicted has no label map of it: run tools/parse.py over all photos")
        predicted = seen and seen.label_map(photo.shape[:2])
        person = cut_person(photo, labels, people, plan.settings, predicted, working_space(source.space))
    except (Unusable, UserError) as reason:
        return reason
    train = item.split == "train"
    mirrored = []
    for variant in range(plan.variants if train else 1):
        rng = np.random.default_rng([plan.seed, zlib.crc32(item.stem.encode()), variant])
        mirror = bool(rng.random() < plan.mirror) and train
        shown = person.mirrored() if mirror else person
        garment = lay_out_garment(shown, rng, plan.settings)
        _save(folder / item.split, _variant(item.stem, variant), shown, garment, seen.stamp if seen else {})
        mirrored.append(mirror)
    facts = {"people": person.people, "beside": person.beside}
    return {"box": list(person.box), "padded": round(person.padded, 4), "mirrored": mirrored, **facts}


def _variant(stem: str, variant: int) -> str:
    return f"{stem}-v{variant + 1}" if variant else stem


def _save(folder: Path, name: str, person: Person, garment: Garment, stamp: Mapping[str, Any]) -> None:
    """Writes a pair's files; `stamp` is what made the predicted map."""
    wearer, worn = f"{name}_0", f"{name}_1"
    Image.fromarray(person.image).save(folder / "image" / f"{wearer}.jpg", **_JPEG)
    Image.fromarray(garment.image).save(folder / "cloth" / f"{worn}.jpg", **_JPEG)
    Image.fromarray(garment.mask.astype(np.uint8) * 255).save(folder / "cloth-mask" / f"{worn}.png")
    save_palette_png(folder / "image-parse" / f"{wearer}.png", person.label_map, person.space)
    write_json(folder / "pose" / f"{wearer}_keypoints.json", openpose_json(person.joints))
    np.save(folder / "warp" / f"{wearer}.npy", garment.theta)
    if person.predicted is not None:
        results = PhotoResults(folder / PREDICTED, {**stamp, "label_space": DEEPFASHION15.name})
        save_palette_png(results.path("label-map", wearer), person.predicted, DEEPFASHION15.name)
        photo = Item(folder / "image" / f"{wearer}.jpg", wearer)
        results.write_record(Job(wearer, (photo,), ("label-map",)), pending=False)


def _write_pairs(folder: Path, plan: Plan, persons: Sequence[tuple[_Item, Any]], outcome: Outcome) -> None:
    """Writes the lists of pairs, and none for a split without persons."""
    stems = {split: [item.stem for item, _ in persons if item.split == split] for split in SPLITS}
    train = [_variant(stem, variant) for stem in stems["train"] for variant in range(plan.variants)]
    others = [stems["test"][index] for index in unpaired(plan.seed, len(stems["test"]))]
    lists = {
        "train_pairs.txt": (train, train),
        "test_pairs.txt": (stems["test"], stems["test"]),
        "test_unpaired_pairs.txt": (stems["test"][: len(others)], others),
    }
    for name, (wearers, worn) in lists.items():
        if wearers:
            lines = [f"{p}_0.jpg {g}_1.jpg\n" for p, g in zip(wearers, worn, strict=True)]
            (folder / name).write_text("".join(lines), encoding="utf-8")
            outcome.pairs[name] = len(lines)


def _description(plan: Plan, persons: Sequence[tuple[_Item, Any]], outcome: Outcome) -> dict[str, Any]:
    """What the marker says; no path of this machine's."""
    return {
        "data_set": DATA_SET,
        "label_space": working_space(plan.photos[0].space),
        "predicted": plan.predicted is not None,
        "poses": Poses(plan.poses, plan.pose_models).name,
        "variants": plan.variants,
        "mirror": plan.mirror,
        "seed": plan.seed,
        "settings": asdict(plan.settings),
        "splits": {"train": list(plan.rule.train), "test": list(plan.rule.test), "test_share": plan.rule.test_share},
        "pairs": outcome.pairs,
        "persons": [
            {"name": item.stem, "photo": item.photo.photo.name, "person": item.person, "split": item.split, **facts}
            for item, facts in persons
        ],
        "dropped": dict(sorted(outcome.dropped.items())),
        "faults": len(outcome.faults),
    }
