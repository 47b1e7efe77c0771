"""The page on reliability: what is promised, how it was tried and what was lost, from the fault suite's records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from seg_vton.analysis.markdown import mark, table, write_page
from seg_vton.analysis.result_rows import cores
from seg_vton.errors import UserError
from seg_vton.files import read_json

SCHEMA = 2

PARTS = ("Killed", "Poisoned", "Malformed", "Starved", "Alone", "Same numbers", "Long")
"""What the page is divided into."""

_SCRIPT = "tools/analysis/reliability.py"
_HEADER = ("record", "how it is tried", "trials", "lost", "figures", "form", "date")
_LEFT = ("record", "how it is tried", "figures", "form", "date")
_HEAD = f"""{mark(_SCRIPT)}

# Reliability

Written by `{_SCRIPT}` from the records of the fault suite: `make test-faults` runs its full form
and writes them, `make test` runs a short one. Every fault is seeded, so that a run can be repeated.
"""


def write_reliability(folder: str | Path, out: str | Path) -> None:
    """Writes the page.

    Args:
        folder: of the records, JSON files that `tests/faults` writes where `FAULTS_RESULTS` says.
        out: Markdown file to write; an earlier page of the script is replaced.

    Raises:
        UserError: there are no records, one is none of the suite's, or `out` is there and is no page of the script.
    """
    records = [_record(path) for path in sorted(Path(folder).glob("*.json"))]
    if not records:
        raise UserError(f"{folder} has no records: FAULTS_RESULTS={folder} python -m pytest tests/faults writes them")
    tried, lost = (sum(record[key] for record in records) for key in ("tried", "lost"))
    total = f"{tried:,} trials, counted below; the promise was broken in {lost:,}."
    machines = "; ".join(sorted({f"{r['machine']['cpu']}, {cores(r['machine'])}" for r in records}))
    parts = [_HEAD, f"{total}\n", *_sections(records), f"Machines: {machines}."]
    write_page(out, _SCRIPT, "\n".join(parts) + "\n")


def _by_part(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: PARTS.index(record["part"]))


def _record(path: Path) -> dict[str, Any]:
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or record.get("part") not in PARTS:
        raise UserError(f"{path} is no record of the fault suite (schema {SCHEMA}): take it out of the folder")
    return record


def _sections(records: list[dict[str, Any]]) -> Iterator[str]:
    """The parts; in each a promise and the table of how it was tried."""
    for part, inner in groupby(_by_part(records), lambda record: record["part"]):
        yield f"## {part}\n"
        promises: dict[str, list[dict[str, Any]]] = {}
        for record in inner:
            promises.setdefault(record["promise"], []).append(record)
        for promise, kept in promises.items():
            yield f"**{promise}**\n\n{table(_HEADER, list(map(_row, kept)), left=_LEFT)}\n"


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    """A line of a promise's table."""
    numbers = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in record["figures"].items())
    counts = (f"{record[key]:,}" for key in ("tried", "lost"))
    return record["name"], record["how"], *counts, numbers or "-", record["form"], record["date"]


def _shown(value: Any) -> str:
    """A figure; a list as its numbers."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
