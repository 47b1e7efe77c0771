"""Which persons get which garments, and the records of the pairs.

Results are `OUT/<kind>/PERSON_GARMENT.png`; how they are named, recorded and gone on with is in
`seg_vton.parsing.jobs`.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from seg_vton.files import leads_nowhere, plain_name, sha256
from seg_vton.parsing.jobs import Item, Job, Record, Results, Run, file_state, find_items, free_name, relative
from seg_vton.tryon.datasets.layouts import read_pairs

KINDS = ("try-on", "warped-garment", "composition-mask", "parsing", "panel")
"""What is written of a pair, by the name of its folder; all PNG."""


class PairResults(Results):
    """What `tools/try_on.py` writes: a job for each person in a garment.

    Attributes:
        roles: of a job's items, with what `Item.extra` is.
    """

    suffixes = dict.fromkeys(KINDS, ".png")
    role = "garment"
    roles: ClassVar[Mapping[str, str]] = {"person": "pose", "garment": "mask"}

    def inputs(self, job: Job) -> Record:
        """Names, paths, hashes and sizes of person and garment, and of their pose, mask and label map in files."""
        record = {}
        for (role, extra), item in zip(self.roles.items(), job.items, strict=True):
            record[role] = {"name": item.name, **self._file(item.photo)}
            for kind, file in ((extra, item.extra), ("parsing", item.parsing)):
                if file is not None:
                    record[role][kind] = self._file(file)
        return record

    def _file(self, path: Path) -> dict[str, Any]:
        found = file_state(path)
        digest = _hash(path.absolute(), found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return {"path": relative(path, self.out), "sha256": digest, "bytes": found.st_size}

    def versions(self, record: Record) -> dict[str, Any]:
        """Hashes of photos, pose, mask and label map."""
        found = {}
        for role in self.roles:
            found[role] = record[role]["sha256"]
            found |= {f"{role}'s {key}": one["sha256"] for key, one in record[role].items() if isinstance(one, dict)}
        return found

    def find(self, inputs: Sequence[str | Path], role: str, run: Run) -> list[Item]:
        """The photos of persons or garments; the run fails for what is not there."""
        known = {record[role]["path"]: record[role]["name"] for record in self.records.values()}
        # A folder's name in front of a photo's must not lead into a folder of the results.
        return find_items(inputs, self.out, known, run, separator="--")

    def plan(self, pairs: Sequence[tuple[Item, Item]], run: Run, overwrite: bool = False) -> None:
        """Names the pairs and puts into a run what is not done already."""
        known = {(r["person"]["path"], r["garment"]["path"]): name for name, r in self.records.items()}
        taken = {name.casefold() for name in self.records}
        for pair in pairs:
            name = known.get(tuple(relative(item.photo, self.out) for item in pair))
            # Numbered where another pair has the name: a_b with c and a with b_c would both be a_b_c.
            name = name or free_name(["_".join(item.name for item in pair)], taken)
            self.add(run, Job(name, pair, KINDS), overwrite)


@lru_cache(maxsize=1 << 16)
def _hash(path: Path, *state: int) -> str:
    """A file's hash, once while its size and times stay: a photo is in as many pairs as it is tried with."""
    return sha256(path)


def choose_pairs(
    persons: Sequence[Item], garments: Sequence[Item], pairs_file: str | Path | None, run: Run
) -> list[tuple[Item, Item]]:
    """Every person with every garment, or the pairs that a file names; those of a person together.

    `pairs_file` has lines of a person's and a garment's file name, paths or their ends; other lines are a `UserError`,
    and the run fails for each name that is of no photo, or of several.
    """
    if pairs_file is None:
        return [(person, garment) for person in persons for garment in garments]
    wanted: dict[Item, dict[Item, None]] = {person: {} for person in persons}
    people, things = _by_file_name(persons), _by_file_name(garments)
    for pair in read_pairs(pairs_file):
        person = _named(pair.person, "person", people, pairs_file, run)
        garment = _named(pair.garment, "garment", things, pairs_file, run)
        if person and garment:
            wanted[person][garment] = None
    return [(person, garment) for person, chosen in wanted.items() for garment in chosen]


def _by_file_name(items: Sequence[Item]) -> dict[str, list[tuple[Path, Item]]]:
    """Items with their whole paths, as given and with links followed, by the last part: thousands are looked up."""
    found: dict[str, list[tuple[Path, Item]]] = {}
    for item in items:
        absolute = item.photo.absolute()
        for path in {absolute} if leads_nowhere(absolute) else {absolute, absolute.resolve()}:
            found.setdefault(plain_name(path.name), []).append((path, item))
    return found


def _named(
    name: str, role: str, items: Mapping[str, list[tuple[Path, Item]]], pairs_file: str | Path, run: Run
) -> Item | None:
    """The item that a line of a pairs file means; None where there is none, or several, which is said."""
    parts = Path(plain_name(name)).parts
    found = {
        item for path, item in items.get(parts[-1], []) if Path(plain_name(str(path))).parts[-len(parts) :] == parts
    }
    found |= {item for _, item in items.get(parts[-1], []) if str(item.photo) == name}
    if len(found) == 1:
        return found.pop()
    reason = "is none of" if not found else f"is {len(found)} of"
    run.fail(f"{pairs_file}: {name} {reason} the photos given with --{role}")
    return None
