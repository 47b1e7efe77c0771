"""What a run over photos still has to do, and the records that make an interrupted run go on.

Results are `OUT/<kind>/<name><suffix>`, and `OUT/records/<name>.json` says what they are of: the input files, the stamp
(checkpoints, models, settings) and the files. A record is written before a job's files, listing them as pending, and
again after them: files that a killed run left are known as ours, and files that are not ours are never touched.
"""

import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from mmengine.dist import is_main_process

from seg_vton.errors import UserError
from seg_vton.files import leads_nowhere, read_json, refuse_existing, write_json
from seg_vton.parsing.writers import KINDS
from seg_vton.pictures.photos import find_photos
from seg_vton.progress import track

RECORDS = "records"
SCHEMA = 1

_LONGEST = 200  # bytes of a name: disks take 255, and suffixes and temporary names need some

Record = dict[str, Any]

Made = tuple[Mapping[str, Callable[[Path], None]], Mapping[str, Any]]
"""What was made for a job: by kind what writes the file, and what the record says; `warnings` are for the user."""


@dataclass(frozen=True)
class Item:
    """A photo that a run was given."""

    photo: Path  # its file
    name: str  # of it in the names of results; no other photo of the same role has it
    folder: Path | None = None  # the input folder it was found in; None stands for its own
    extra: Path | None = None  # the file of its pose or mask, where there is one
    parsing: Path | None = None  # the file of its label map, where another parser made it

    @property
    def place(self) -> Path:
        """Its path in its folder, where its pose or mask is looked for in theirs."""
        return self.photo.relative_to(self.folder or self.photo.parent)


@dataclass(frozen=True)
class Job:
    """Results to make."""

    name: str  # of the results, with forward slashes, without a suffix; no other job's have it
    items: tuple[Item, ...]  # the photos they are made of
    kinds: tuple[str, ...]  # what is to be written; what is there already is not among them
    done: tuple[str, ...] = ()  # the kinds that are there already and stay


@dataclass
class Run:
    """What a run has to do, and what became of it."""

    jobs: list[Job] = field(default_factory=list)  # in order
    complete: int = 0  # number of jobs whose results were all there already
    done: int = 0  # number of jobs done
    warnings: dict[str, Sequence[str]] = field(default_factory=dict)  # what the user should know, by name of a job
    failures: list[str] = field(default_factory=list)  # a message for each input or job that cannot be done

    def fail(self, error: UserError | str, *files: Path) -> None:
        """Says on stderr what cannot be done, at once; with the files that it is about unless it names one of them."""
        named = not files or any(str(file) in str(error) for file in files)
        self.failures.append(str(error) if named else f"{' with '.join(map(str, files))}: {error}")
        print(f"error: {self.failures[-1]}", file=sys.stderr, flush=True)

    def merge(self, other: "Run") -> None:
        """Adds what became of another run."""
        self.complete += other.complete
        self.done += other.done
        self.warnings |= other.warnings
        self.failures += other.failures

    def print_warnings(self) -> None:
        """Prints a line for each warning."""
        for name, warnings in self.warnings.items():
            for warning in warnings:
                print(f"{name}: {warning}")


class Results:
    """A folder of results and their records; each tool has a subclass.

    Args:
        out: the folder.
        stamp: all that the results depend on besides the input files, as JSON can hold it.
    """

    suffixes: ClassVar[Mapping[str, str]]  # how the file of each kind ends; without a suffix it is a folder
    role: ClassVar[str]  # a key that the tool's records have and no other tool's
    folder: ClassVar[str] = RECORDS  # of the records

    def __init__(self, out: str | Path, stamp: Mapping[str, Any]) -> None:
        self.out, self.stamp = Path(out), dict(stamp)

    def inputs(self, job: Job) -> Record:
        """What a record says of a job's input files: paths from `out`, sizes in bytes and hashes."""
        raise NotImplementedError

    def versions(self, record: Record) -> dict[str, Any]:
        """Hash or size of each input file, by what messages call it: what tells it from another version of it."""
        raise NotImplementedError

    @cached_property
    def records(self) -> dict[str, Record]:
        """The records of earlier runs by the name of their results."""
        return read_records(self.out, self.role, self.folder)

    def path(self, kind: str, name: str) -> Path:
        """Where a result of a kind is written."""
        return self.out / kind / f"{name}{self.suffixes[kind]}"

    def write_record(self, job: Job, pending: bool, **facts: Any) -> None:
        """Writes what the results of a job are of, with further `facts`.

        `pending` says whether the files of `job.kinds` are still to be written.
        """
        there = job.done if pending else (*job.done, *job.kinds)
        files = {kind: self.path(kind, job.name).relative_to(self.out).as_posix() for kind in self.suffixes}
        record = {
            "schema": SCHEMA,
            **self.inputs(job),
            "stamp": self.stamp,
            "files": {kind: file for kind, file in files.items() if kind in there},
            "pending": [kind for kind in files if pending and kind in job.kinds],
            **facts,
        }
        write_json(self.out / self.folder / f"{job.name}.json", record, overwrite=True, indent=1)

    def add(self, run: Run, job: Job, overwrite: bool) -> None:
        """Adds a job to a run, with what of its kinds is not there yet.

        Results that are of another stamp or of other versions of the files, and files that no record knows, are
        failures of the run, unless `overwrite` has them written anew.
        """
        try:
            job = self._unfinished(job, overwrite)
        except UserError as error:
            run.fail(error)
            return
        if job.kinds:
            run.jobs.append(job)
        else:
            run.complete += 1

    def work(self, run: Run, title: str, make: Callable[[Job], Made | None]) -> Run:
        """Does the jobs of a run one by one, see `finish`; a `UserError` of `make` is its job's failure."""

        def attempt(job: Job) -> Made | UserError | None:
            try:
                return make(job)
            except UserError as error:
                return error

        return self.finish(run, title, map(attempt, run.jobs))

    def finish(self, run: Run, title: str, making: Iterable[Made | UserError | None]) -> Run:
        """Writes what is made for each job of a run, as it comes, with its record; returns the run.

        An error is said and the others go on, as they do after None, which stands for what was said already. What
        cannot be written ends the run. `title` is the bar's.
        """
        todo = zip(run.jobs, making, strict=True)
        for job, made in track(todo, title, len(run.jobs)) if run.jobs and is_main_process() else todo:
            if isinstance(made, UserError):
                run.fail(made, *(item.photo for item in job.items))
            if not isinstance(made, tuple):
                continue
            writers, facts = made
            self.write_record(job, pending=True)
            for kind in job.kinds:
                writers[kind](self.path(kind, job.name))
            self.write_record(job, pending=False, **facts)
            run.done += 1
            if facts["warnings"]:
                run.warnings[job.name] = facts["warnings"]
        return run

    def _unfinished(self, job: Job, overwrite: bool) -> Job:
        """The job with the kinds that are still to be written; raises `UserError` as `add` says."""
        record = self.records.get(job.name, {})
        changed = []  # of stamp and input files
        if record:
            before, now = self.versions(record), self.versions(self.inputs(job))
            changed = [key for key, value in self.stamp.items() if record["stamp"].get(key) != value]
            changed = sorted(changed + [name for name in now.keys() | before if now.get(name) != before.get(name)])
        if changed and not overwrite:
            raise UserError(
                f"{self.out / self.folder / job.name}.json is of another {' and '.join(changed)}: pass --overwrite to "
                "do it again, or choose another --out"
            )
        there = [kind for kind in record.get("files", ()) if self.path(kind, job.name).exists()]
        ours = {*record.get("files", ()), *record.get("pending", ())}
        # Of what has changed, all that is there is written anew: none of it may stay beside the new results.
        wanted = {*job.kinds, *ours} if changed else {*job.kinds}
        missing = tuple(kind for kind in self.suffixes if kind in wanted and (overwrite or kind not in there))
        for kind in missing:
            refuse_existing(self.path(kind, job.name), overwrite or kind in ours)
        return replace(job, kinds=missing, done=tuple(kind for kind in there if kind not in missing))


class PhotoResults(Results):
    """What `tools/parse.py` writes: a job for each photo."""

    suffixes = {name: kind.suffix for name, kind in KINDS.items()}
    role = "photo"

    def inputs(self, job: Job) -> Record:
        """Path and size of the photo."""
        photo = job.items[0].photo
        return {"photo": relative(photo, self.out), "bytes": file_state(photo).st_size}

    def versions(self, record: Record) -> dict[str, Any]:
        """The photo's size."""
        return {"photo": record["bytes"]}

    def plan(self, inputs: Sequence[str | Path], kinds: Sequence[str], overwrite: bool = False) -> Run:
        """Finds the photos, in folders to any depth, and what of the `kinds` is to be written of each.

        `UserError` where `out` holds results under another stamp that would stay beside those of this run.
        """
        run = Run()
        known = {record["photo"]: name for name, record in self.records.items()}
        items = find_items(inputs, self.out, known, run)
        replaced = {item.name for item in items} if overwrite else set()
        others = {name: record["stamp"] for name, record in self.records.items() if record["stamp"] != self.stamp}
        staying = sorted(others.keys() - replaced)
        if staying:
            old, new = others[staying[0]], self.stamp
            differences = "; ".join(f"{k} was {old.get(k)!r} and is {new[k]!r}" for k in new if old.get(k) != new[k])
            raise UserError(
                f"{self.out} holds results of {len(staying)} photos under other settings, {staying[0]} for one "
                f"({differences}). Choose another --out, or pass all these photos and --overwrite"
            )
        for item in items:
            self.add(run, Job(item.name, (item,), tuple(kinds)), overwrite)
        return run


def relative(path: Path, out: Path) -> str:
    """A file's path from `out`, so that both can move together; pathlib has no `..` before Python 3.12."""
    return Path(os.path.relpath(path, out)).as_posix()


def file_state(path: Path) -> os.stat_result:
    """Size and times of a file; raises `UserError` where it is gone."""
    try:
        return path.stat()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def read_records(out: Path, role: str = "photo", folder: str = RECORDS) -> dict[str, Record]:
    """The records in a folder by the name of their results; `UserError` for a file of another schema or tool.

    `files` has the files by kind, as paths from `out`; `stamp` what they were made with: `checkpoint_sha256`,
    `model_sha256`, `score_thr` and more (see `ClothingParser.stamp`).

    Args:
        out: the folder.
        role: of the records: 'photo' for those of `tools/parse.py`, 'garment' for those of `tools/try_on.py`.
        folder: of the records in `out`.
    """
    records = {}
    for path in sorted((out / folder).rglob("[!.]*.json")):  # hidden is what a killed run was writing
        record = read_json(path)
        record = {"stamp": {}, **record} if isinstance(record, dict) else {}
        kinds = {role: str if role == "photo" else dict, "stamp": dict}
        if record.get("schema") != SCHEMA or not all(isinstance(record.get(key), kinds[key]) for key in kinds):
            raise UserError(f"{path} is no record of this tool's (schema {SCHEMA}): choose another --out")
        records[path.relative_to(out / folder).as_posix().removesuffix(".json")] = record
    return records


def find_items(
    inputs: Sequence[str | Path], out: Path, known: Mapping[str, str], run: Run, separator: str = "/"
) -> list[Item]:
    """Finds photos and gives each a name of its own; one that is given twice, in whatever way, comes once.

    A name is the known one, else the photo's path in its folder, changed as need be: `a.jpg` is `a`; an `a.png` beside
    it is `a_png`; another folder's `a.jpg` is `FOLDER/a`; then numbers follow.

    Args:
        inputs: photos, and folders that are searched for photos to any depth.
        out: folder of the results; inside an input folder it is not searched.
        known: name by the photo's path from `out`, from the records of earlier runs; no other photo gets these names.
        run: fails for each input that is not there or has no photos.
        separator: what stands between a folder and a name.
    """
    items, seen, taken = [], set[Path](), {name.casefold() for name in known.values()}
    for photo, folder in _find(inputs, out, run):
        place = photo.absolute() if leads_nowhere(photo) else photo.resolve()
        if place in seen:
            continue
        seen.add(place)
        if re.search("[\ud800-\udfff]", str(photo)):  # how Python reads bytes that are not UTF-8
            run.fail(f"{photo} has a name that is not UTF-8, as of an archive of another system: rename it")
            continue
        plain = photo.relative_to(folder).with_suffix("").as_posix()
        both = plain, f"{plain}_{photo.suffix[1:].lower()}"
        wanted = [
            name.replace("/", separator) for name in (*both, *(f"{folder.resolve().name}/{name}" for name in both))
        ]
        items.append(Item(photo, known.get(relative(photo, out)) or free_name(wanted, taken), folder))
    return items


def _find(inputs: Sequence[str | Path], out: Path, run: Run) -> Iterator[tuple[Path, Path]]:
    """Yields photos with the folder that each was found in: the input folder, or its own for one that is an input."""
    for path in map(Path, inputs):
        if path.is_dir() and path.resolve() == out.resolve():
            run.fail(f"{path} is the folder of the results too, which would be taken for photos: choose another --out")
        elif path.is_dir():
            found = find_photos(path, leave_out=out)
            yield from ((photo, path) for photo in found)
            if not found:
                run.fail(f"{path} has no photos: no file of an image type that Pillow reads here")
        elif path.is_file():
            yield path, path.parent
        else:
            run.fail(f"{path} does not exist")


def free_name(wanted: Sequence[str], taken: set[str]) -> str:
    """The first of some names that is not in `taken`, which gets it; else the first one with a number.

    Names that differ in case alone count as the same, as they are on some disks. A name of more than `_LONGEST` bytes
    is cut, since disks have no longer ones.
    """
    wanted = [re.sub("[^/]+$", lambda last: last[0].encode()[:_LONGEST].decode(errors="ignore"), n) for n in wanted]
    numbered = (f"{wanted[0]}-{number}" for number in itertools.count(2))
    name = next(name for name in itertools.chain(wanted, numbered) if name.casefold() not in taken)
    taken.add(name.casefold())
    return name
