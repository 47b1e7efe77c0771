"""Which photos are still to be parsed, under which names, and the records that make an interrupted run go on.

Results are `OUT/<kind>/<name><suffix>`, and `OUT/records/<name>.json` says what they are of: the photo, the stamp
(checkpoint, model, settings) and the files. A record is written before a photo's files, listing them as pending, and
again after them: files that a killed run left are known as ours, and files that are not ours are never touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seg_vton.errors import UserError
from seg_vton.files import leads_nowhere, read_json, refuse_existing, write_json
from seg_vton.parsing.writers import KINDS
from seg_vton.pictures.photos import SUFFIXES, find_photos

RECORDS = "records"
SCHEMA = 1

Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One photo to parse.

    Attributes:
        photo: its file.
        name: of its results, with forward slashes, without a suffix; no other photo's results have it.
        kinds: what is to be written; what is there already is not among them.
        done: the kinds that are there already and stay.
    """

    photo: Path
    name: str
    kinds: tuple[str, ...]
    done: tuple[str, ...] = ()


@dataclass
class Plan:
    """What a run has to do.

    Attributes:
        jobs: photos to parse, in order.
        complete: number of photos whose results are all there.
        failures: a message for each input that cannot be parsed.
    """

    jobs: list[Job] = field(default_factory=list)
    complete: int = 0
    failures: list[str] = field(default_factory=list)


def result_path(out: Path, kind: str, name: str) -> Path:
    """Where a result of a kind is written."""
    return out / kind / f"{name}{KINDS[kind].suffix}"


def write_record(out: Path, job: Job, stamp: Mapping[str, Any], pending: bool, **facts: Any) -> None:
    """Writes what the results of a photo are of.

    Args:
        out: folder of the results.
        job: the photo.
        stamp: all that the results depend on besides the photo.
        pending: whether the files of `job.kinds` are still to be written.
        facts: anything else that the record is to hold.
    """
    there = job.done if pending else (*job.done, *job.kinds)
    record = {
        "schema": SCHEMA,
        "photo": relative(job.photo, out),
        "bytes": job.photo.stat().st_size,
        "stamp": dict(stamp),
        "files": {
            kind: result_path(out, kind, job.name).relative_to(out).as_posix() for kind in KINDS if kind in there
        },
        "pending": [kind for kind in KINDS if pending and kind in job.kinds],
        **facts,
    }
    write_json(_record_path(out, job.name), record, overwrite=True, indent=1)


def _record_path(out: Path, name: str) -> Path:
    return out / RECORDS / f"{name}.json"


def relative(photo: Path, out: Path) -> str:
    """The photo's path from `out`, so that both can move together; pathlib has no `..` before Python 3.12."""
    return Path(os.path.relpath(photo, out)).as_posix()


def read_records(out: Path) -> dict[str, Record]:
    """The records in a folder by the name of their photo's results.

    Raises:
        UserError: a file among them is none of this schema.
    """
    folder = out / RECORDS
    records = {}
    for path in sorted(folder.rglob("*.json")):
        if path.name.startswith("."):
            continue  # what a killed run was writing
        record = read_json(path)
        if not isinstance(record, dict) or record.get("schema") != SCHEMA or "photo" not in record:
            raise UserError(f"{path} is no record of this tool's (schema {SCHEMA}): choose another --out")
        records[path.relative_to(folder).as_posix().removesuffix(".json")] = record
    return records


def plan_jobs(
    inputs: Sequence[str | Path], out: Path, kinds: Sequence[str], stamp: Mapping[str, Any], overwrite: bool = False
) -> Plan:
    """Finds the photos and what is to be written of each.

    Args:
        inputs: photos, and folders that are searched for photos to any depth.
        out: folder of the results; inside an input folder it is not searched.
        kinds: what to write, of `KINDS`.
        stamp: all that the results depend on besides the photo.
        overwrite: write everything anew, whatever is there.

    Returns:
        The plan; an input that does not exist and a folder without photos are failures in it.

    Raises:
        UserError: `out` holds results under another stamp, or files that this tool did not write are in the way.
    """
    plan = Plan()
    records = read_records(out)
    photos = find_inputs(inputs, out, plan.failures)
    names = name_photos(photos, out, {record["photo"]: name for name, record in records.items()})
    _refuse_other_stamps(out, records, stamp, set(names.values()) if overwrite else set())
    for photo, name in names.items():
        record = records.get(name, {})
        if record and record["bytes"] != photo.stat().st_size and not overwrite:
            plan.failures.append(
                f"{photo} has changed since its results were written: pass --overwrite to parse it again"
            )
            continue
        _add(plan, Job(photo, name, tuple(kinds)), record, out, record.get("stamp") == stamp, overwrite)
    return plan


def _add(plan: Plan, job: Job, record: Record, out: Path, same_stamp: bool, overwrite: bool) -> None:
    """Adds a photo to the plan, with what of `job.kinds` is to be written."""
    there = [kind for kind in record.get("files", ()) if result_path(out, kind, job.name).exists()]
    ours = {*record.get("files", ()), *record.get("pending", ())}
    # Under another stamp all that is there is written anew: none of it may stay beside the new results.
    wanted = {*job.kinds} if same_stamp else {*job.kinds, *ours}
    missing = tuple(kind for kind in KINDS if kind in wanted and (overwrite or kind not in there))
    if not missing:
        plan.complete += 1
        return
    for kind in missing:
        refuse_existing(result_path(out, kind, job.name), overwrite or kind in ours)
    plan.jobs.append(Job(job.photo, job.name, missing, tuple(kind for kind in there if kind not in missing)))


def find_inputs(inputs: Sequence[str | Path], out: Path, failures: list[str]) -> dict[Path, Path]:
    """Finds photos, and which folder each was found in; one that is given twice, in whatever way, comes once.

    Args:
        inputs: photos, and folders that are searched for photos to any depth.
        out: folder of the results; inside an input folder it is not searched.
        failures: a message for each input that is not there or has no photos is appended.

    Returns:
        The folder by photo, in order: the input folder, or its own for a photo that is an input.
    """
    seen: set[Path] = set()
    photos = {}
    for photo, folder in _find(inputs, out, failures):
        place = photo.absolute() if leads_nowhere(photo) else photo.resolve()
        if place not in seen:
            seen.add(place)
            photos[photo] = folder
    return photos


def _find(inputs: Sequence[str | Path], out: Path, failures: list[str]) -> Iterator[tuple[Path, Path]]:
    for path in map(Path, inputs):
        if path.is_dir():
            found = list(find_photos(path, leave_out=out))
            yield from ((photo, path) for photo in found)
            if not found:
                failures.append(f"{path} has no photos ({', '.join(SUFFIXES)})")
        elif path.is_file():
            yield path, path.parent
        else:
            failures.append(f"{path} does not exist")


def name_photos(photos: Mapping[Path, Path], out: Path, known: Mapping[str, str]) -> dict[Path, str]:
    """Gives each photo a name of its own: the known one, else its path in its folder, changed as need be.

    `a.jpg` is `a`; an `a.png` beside it is `a_png`; another folder's `a.jpg` is `FOLDER/a`; then numbers follow. Names
    that differ in case alone count as the same, as they are on some disks.

    Args:
        photos: the folder by photo, see `find_inputs`.
        out: folder of the results.
        known: name by the photo's path from `out`, from the records of earlier runs; no other photo gets these names.
    """
    taken = {name.casefold() for name in known.values()}
    names = {}
    for photo, folder in photos.items():
        name = known.get(relative(photo, out)) or _free_name(photo, folder, taken)
        taken.add(name.casefold())
        names[photo] = name
    return names


def _free_name(photo: Path, folder: Path, taken: set[str]) -> str:
    """The first name that is free."""
    plain = photo.relative_to(folder).with_suffix("").as_posix()
    suffixed = f"{plain}_{photo.suffix[1:].lower()}"
    wanted = [plain, suffixed, f"{folder.resolve().name}/{plain}", f"{folder.resolve().name}/{suffixed}"]
    number = 2
    while wanted[0].casefold() in taken:
        wanted.pop(0)
        if not wanted:
            wanted, number = [f"{plain}-{number}"], number + 1
    return wanted[0]


def _refuse_other_stamps(
    out: Path, records: Mapping[str, Record], stamp: Mapping[str, Any], replaced: set[str]
) -> None:
    """Raises `UserError` when results under another stamp would stay beside those of this run."""
    others = {name: record["stamp"] for name, record in records.items() if record["stamp"] != stamp}
    staying = sorted(set(others) - replaced)
    if not staying:
        return
    old = others[staying[0]]
    differences = "; ".join(
        f"{key} was {old.get(key)!r} and is {stamp.get(key)!r}" for key in stamp if old.get(key) != stamp.get(key)
    )
    raise UserError(
        f"{out} holds results of {len(staying)} photos under other settings, {staying[0]} for one ({differences}). "
        "Choose another --out, or pass all these photos and --overwrite"
    )
