"""The page on reliability: what is promised, how it was tried and what was lost, from the fault suite's records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seg_vton.analysis.markdown import table
from seg_vton.errors import UserError
from seg_vton.files import read_json, write_text

SCHEMA = 1

_HEAD = """# Reliability

Written by `tools/analysis/reliability.py` from the records of the fault suite: `make test-faults` runs its full form
and writes them, `make test` runs a short one. Every fault is seeded, so that a run can be repeated.
"""


def write_page(folder: str | Path, out: str | Path, overwrite: bool = False) -> None:
    """Writes the page.

    Args:
        folder: of the records, JSON files that `tests/faults` writes where `FAULTS_RESULTS` says.
        out: Markdown file to write.
        overwrite: replace an existing file.

    Raises:
        UserError: there are no records, one is none of the suite's, or the file exists.
    """
    records = [_record(path) for path in sorted(Path(folder).glob("*.json"))]
    if not records:
        raise UserError(f"{folder} has no records: FAULTS_RESULTS={folder} python -m pytest tests/faults writes them")
    rows = [(r["name"], str(r["tried"]), str(r["lost"]), r["form"], r["date"], _figures(r)) for r in records]
    header = ("part", "tried", "lost", "form", "date", "figures")
    total = f"{sum(r['tried'] for r in records):,} faults tried, {sum(r['lost'] for r in records):,} promises broken."
    machines = "; ".join(sorted({f"{r['machine']['cpu']}, {r['machine']['cores']} cores" for r in records}))
    parts = [_HEAD, *map(_section, records), "## Figures\n", total, ""]
    parts += [table(header, rows, left=("part", "form", "date", "figures")), "", f"Machines: {machines}."]
    write_text(out, "\n".join(parts) + "\n", overwrite)


def _record(path: Path) -> dict[str, Any]:
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or "promise" not in record:
        raise UserError(f"{path} is no record of the fault suite (schema {SCHEMA}): take it out of the folder")
    return record


def _section(record: dict[str, Any]) -> str:
    return f"## {record['name']}\n\n{record['promise']}\n\nTried: {record['how']}.\n"


def _figures(record: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in record["figures"].items()) or "-"
