"""Which persons get which garments, under which names, and what of it an earlier run has done.

Results are `OUT/<kind>/<name>.png`, and `OUT/records/<name>.json` says what they are of: the inputs with their hashes,
the stamp (checkpoints and settings), sources and warnings. A record is written before a pair's files, listing them as
pending, and again after them: what a killed run left is known as ours, and files that are not ours are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from seg_vton.errors import UserError
from seg_vton.files import leads_nowhere, read_json, refuse_existing, sha256, write_json
from seg_vton.parsing.jobs import find_inputs, name_photos, relative
from seg_vton.tryon.datasets.layouts import read_pairs

KINDS = ("try-on", "warped-garment", "composition-mask", "parsing", "panel")
"""What is written of a pair, by the name of its folder; all PNG."""

RECORDS = "records"
SCHEMA = 1

Record = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """A person or a garment of the run.

    Attributes:
        photo: its file.
        name: of it in the names of results; no other person, or no other garment, has it.
        extra: the file of its pose or mask, where there is one.
        folder: the input folder it was found in, or its own; None stands for the latter.
    """

    photo: Path
    name: str
    extra: Path | None = None
    folder: Path | None = None

    @property
    def place(self) -> Path:
        """Its path in its folder, where its pose or mask is looked for in theirs."""
        return self.photo.relative_to(self.folder or self.photo.parent)


@dataclass(frozen=True)
class Job:
    """A person to dress in a garment; the results are called `name`."""

    person: Item
    garment: Item
    name: str


@dataclass
class Plan:
    """What a run has to do.

    Attributes:
        jobs: the pairs to do, those of a person together.
        complete: number of pairs whose results are all there.
        failures: a message for each input or pair that cannot be done.
    """

    jobs: list[Job] = field(default_factory=list)
    complete: int = 0
    failures: list[str] = field(default_factory=list)


def result_path(out: Path, kind: str, name: str) -> Path:
    """Where a result of a kind is written."""
    return out / kind / f"{name}.png"


def record_path(out: Path, name: str) -> Path:
    """Where the record of a pair is."""
    return out / RECORDS / f"{name}.json"


def write_record(out: Path, job: Job, stamp: Mapping[str, Any], pending: bool, **facts: Any) -> None:
    """Writes what the results of a pair are of; `facts` are what is known once it is done."""
    files = {kind: result_path(out, kind, job.name).relative_to(out).as_posix() for kind in KINDS}
    record = {
        "schema": SCHEMA,
        **describe_inputs(job, out),
        "stamp": dict(stamp),
        "files": {} if pending else files,
        "pending": list(KINDS) if pending else [],
        **facts,
    }
    write_json(record_path(out, job.name), record, overwrite=True, indent=1)


def describe_inputs(job: Job, out: Path) -> dict[str, Any]:
    """The files that a pair's results are made of: names, paths from `out`, hashes and sizes in bytes."""
    return {"person": _describe(job.person, out, "pose"), "garment": _describe(job.garment, out, "mask")}


def _describe(item: Item, out: Path, extra: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": item.name, **_file(item.photo, out)}
    return facts | ({} if item.extra is None else {extra: _file(item.extra, out)})


def _file(path: Path, out: Path) -> dict[str, Any]:
    found = path.stat()
    digest = _hash(path.absolute(), found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return {"path": relative(path, out), "sha256": digest, "bytes": found.st_size}


@lru_cache(maxsize=1 << 16)
def _hash(path: Path, *state: int) -> str:
    """A file's hash, once while its size and times stay: a photo is in as many pairs as it is tried with."""
    return sha256(path)


def read_records(out: Path) -> dict[str, Record]:
    """The records in a folder by the name of their pair's results.

    Raises:
        UserError: a file among them is none of this schema.
    """
    records = {}
    for path in sorted((out / RECORDS).glob("[!.]*.json")):
        record = read_json(path)
        if not isinstance(record, dict) or record.get("schema") != SCHEMA or "garment" not in record:
            raise UserError(f"{path} is no record of a try-on (schema {SCHEMA}): choose another --out")
        records[path.stem] = record
    return records


def find_items(
    inputs: Sequence[str | Path], role: str, out: Path, records: Mapping[str, Record], failures: list[str]
) -> list[Item]:
    """The photos of persons or garments, named; what is not there is said in `failures`.

    Args:
        inputs: photos, and folders that are searched for photos to any depth.
        role: 'person' or 'garment'.
        out: folder of the results.
        records: of earlier runs, whose names stay.
        failures: a message for each input that is not there is appended.
    """
    known = {record[role]["path"]: record[role]["name"] for record in records.values()}
    photos = find_inputs(inputs, out, failures)
    names = name_photos(photos, out, {path: name.replace("--", "/") for path, name in known.items()})
    # A folder's name in front of a photo's must not lead into a folder of the results.
    return [Item(photo, name.replace("/", "--"), folder=photos[photo]) for photo, name in names.items()]


def choose_pairs(
    persons: Sequence[Item], garments: Sequence[Item], pairs_file: str | Path | None, failures: list[str]
) -> list[tuple[Item, Item]]:
    """Every person with every garment, or the pairs that a file names; those of a person together.

    Args:
        persons: all persons.
        garments: all garments.
        pairs_file: lines of a person's and a garment's file name, paths or their ends; None for all.
        failures: a message for each line that names no photo, or several, is appended.

    Raises:
        UserError: the file is missing or has other lines.
    """
    if pairs_file is None:
        return [(person, garment) for person in persons for garment in garments]
    wanted: dict[Item, dict[Item, None]] = {person: {} for person in persons}
    people, things = _by_file_name(persons), _by_file_name(garments)
    for pair in read_pairs(pairs_file):
        person = _named(pair.person, "person", people, pairs_file, failures)
        garment = _named(pair.garment, "garment", things, pairs_file, failures)
        if person and garment:
            wanted[person][garment] = None
    return [(person, garment) for person, chosen in wanted.items() for garment in chosen]


def _by_file_name(items: Sequence[Item]) -> dict[str, list[tuple[Path, Item]]]:
    """Items with their whole paths, as given and with links followed, by the last part: thousands are looked up."""
    found: dict[str, list[tuple[Path, Item]]] = {}
    for item in items:
        absolute = item.photo.absolute()
        for path in {absolute} if leads_nowhere(absolute) else {absolute, absolute.resolve()}:
            found.setdefault(path.name, []).append((path, item))
    return found


def _named(
    name: str, role: str, items: Mapping[str, list[tuple[Path, Item]]], pairs_file: str | Path, failures: list[str]
) -> Item | None:
    """The item that a line of a pairs file means; None where there is none, or several, which is said."""
    parts = Path(name).parts
    there = items.get(Path(name).name, [])
    found = {item for path, item in there if path.parts[-len(parts) :] == parts or str(item.photo) == name}
    if len(found) == 1:
        return found.pop()
    reason = "is none of" if not found else f"is {len(found)} of"
    failures.append(f"{pairs_file}: {name} {reason} the photos given with --{role}")
    return None


def plan_jobs(
    pairs: Sequence[tuple[Item, Item]],
    out: Path,
    stamp: Mapping[str, Any],
    records: Mapping[str, Record],
    plan: Plan,
    overwrite: bool = False,
) -> None:
    """Names the pairs and leaves out what is done already.

    Args:
        pairs: persons and garments.
        out: folder of the results.
        stamp: all that the results depend on besides the files.
        records: of earlier runs.
        plan: gets the jobs, and a message for each pair whose results are there, but of other files or settings.
        overwrite: do everything anew, whatever is there.
    """
    known = {(r["person"]["path"], r["garment"]["path"]): name for name, r in records.items()}
    taken = {name.casefold() for name in records}
    for person, garment in pairs:
        name = known.get((relative(person.photo, out), relative(garment.photo, out)))
        job = Job(person, garment, name or _free_name(f"{person.name}_{garment.name}", taken))
        taken.add(job.name.casefold())
        try:
            _add(plan, job, out, stamp, records.get(job.name, {}), overwrite)
        except UserError as error:
            plan.failures.append(str(error))


def _free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, numbered where a pair has it: a_b with c and a with b_c would both be a_b_c."""
    name, number = wanted, 2
    while name.casefold() in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def _add(plan: Plan, job: Job, out: Path, stamp: Mapping[str, Any], record: Record, overwrite: bool) -> None:
    """Adds a pair to the plan unless it is complete."""
    ours = bool(record)
    if ours and not overwrite:
        _refuse_changes(job, out, stamp, record)
        if not record["pending"] and all(result_path(out, kind, job.name).exists() for kind in KINDS):
            plan.complete += 1
            return
    for kind in KINDS:
        refuse_existing(result_path(out, kind, job.name), overwrite or ours)
    plan.jobs.append(job)


def _refuse_changes(job: Job, out: Path, stamp: Mapping[str, Any], record: Record) -> None:
    """Raises `UserError` when a pair's results are of other settings or files."""
    changed = [key for key in stamp if record["stamp"].get(key) != stamp[key]]
    for role, facts in describe_inputs(job, out).items():
        hashes, before = _hashes(facts), _hashes(record[role])
        changed += [f"the {role}'s {name}" for name in hashes.keys() | before if hashes.get(name) != before.get(name)]
    if changed:
        raise UserError(
            f"{record_path(out, job.name)} is of another {' and '.join(sorted(changed))}: pass --overwrite to do it "
            "again, or choose another --out"
        )


def _hashes(facts: Mapping[str, Any]) -> dict[str, str]:
    """Hashes by file: photo, and pose or mask where there is one."""
    extras = {key: value["sha256"] for key, value in facts.items() if isinstance(value, dict)}
    return {"photo": facts["sha256"], **extras}
