"""What the ablation tables of both halves share: runs that differ in the seed alone are a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Content = dict[str, Any]

REQUIRED_KEYS = (
    *("config", "config_sha256", "checkpoint", "checkpoint_sha256", "command", "date", "machine", "training"),
    *("dataset", "split", "images", "metrics", "per_class"),
)
"""What every result file must have to be in a row."""


@dataclass(frozen=True)
class Row:
    """Runs of one row of a table: they differ in the seed alone.

    Attributes:
        runs: contents of result files, by seed.
    """

    runs: tuple[Content, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What `describe_row` says of the row."""
        return self.runs[0]["row"]

    def __getitem__(self, key: str) -> Any:
        """A fact that all runs share: `config`, `dataset`, `split`, `images`."""
        return self.runs[0][key]

    def number(self, get: Callable[[Content], float | None], form: Callable[[float], str]) -> str:
        """A cell: the number of the one run, or mean [min, max] over the runs; '-' where a run has none."""
        values = [get(run) for run in self.runs]
        numbers = [value for value in values if value is not None]
        if len(numbers) < len(values):
            return "-"
        text = form(fmean(numbers))
        return text if len(numbers) == 1 else f"{text} [{form(min(numbers))}, {form(max(numbers))}]"

    def unique(self, get: Callable[[Content], Any]) -> str:
        """A cell with what the runs have, each once."""
        return ", ".join(dict.fromkeys(str(get(run)) for run in self.runs))

    @property
    def seeds(self) -> str:
        """A cell with the trainings' seeds and, of several, their number."""
        seeds = self.unique(lambda run: run["training"].get("seed", "unknown"))
        return seeds if len(self.runs) == 1 else f"{seeds} (n = {len(self.runs)})"


def group(results: Iterable[Content], same: Callable[[Content], Any]) -> list[Row]:
    """Puts the results for which `same` gives the same into one row each, by seed."""
    groups: dict[str, list[Content]] = {}
    for result in results:
        groups.setdefault(repr(same(result)), []).append(result)
    return [Row(tuple(sorted(runs, key=lambda run: run["training"].get("seed") or 0))) for runs in groups.values()]


def class_tables(
    rows: Sequence[Row], count: str, title: str, table: Callable[[list[tuple[int, Row]]], str]
) -> list[str]:
    """A table by class for each truth: rows with the same data, classes and counts. Rows without classes have none.

    Args:
        rows: in the main table's order, which numbers them.
        count: what an entry of `per_class` counts the truth by, `instances` or `pixels`.
        title: what the tables have of the classes.
        table: makes the table of the rows of one truth, each with its number.
    """
    same: dict[tuple[Any, ...], list[tuple[int, Row]]] = {}
    for number, row in enumerate(rows, 1):
        counts = tuple((name, entry[count]) for name, entry in row["per_class"].items())
        if counts:
            same.setdefault((row["dataset"], row["split"], counts), []).append((number, row))
    return [
        f"{title} by class, {dataset} {split} (# as above)\n\n{table(numbered)}"
        for (dataset, split, _), numbered in same.items()
    ]


def fraction(value: float) -> str:
    """A number of 0 to 1 as papers write it: .602."""
    return f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.3f}"


def machine(run: Content) -> str:
    """The class of machine that a run was tested on."""
    described = run["machine"]
    cpu = described["cpu"].replace("(R)", "").replace("(TM)", "")
    return described["gpu"] or f"{cores(described)}, {cpu}"


def cores(described: Mapping[str, Any]) -> str:
    """The cores of a machine, as `machine.describe` gives it, in words."""
    return "1 core" if described["cores"] == 1 else f"{described['cores']} cores"


def sources(rows: Sequence[Row]) -> str:
    """Config, checkpoints, code and commands of every run, numbered as the table's rows."""
    lines = [
        f"- #{number}, seed {run['training'].get('seed', 'unknown')}: {_tested(run)}: `{run['command']}`{_origin(run)}"
        for number, row in enumerate(rows, 1)
        for run in row.runs
    ]
    return "\n".join(["<details><summary>Where each number comes from</summary>", "", *lines, "", "</details>"])


def _origin(run: Content) -> str:
    """The code of the test, and code, date and command of the training, as far as they were noted."""
    code, training = run.get("code"), run["training"]
    text = f" (code {code})" if code else ""
    if training.get("command"):
        text += f"; trained on {training['date']} by `{training['command']}` (code {training['code']})"
    return text


def _tested(run: Content) -> str:
    """Config and checkpoint of a run, and of the GMM that warped for it where one did."""
    config, checkpoint, warper = run["config_sha256"][:12], run["checkpoint_sha256"][:12], run.get("warper")
    text = f"`{run['config']}` (sha256 {config}), `{run['checkpoint']}` (sha256 {checkpoint})"
    if warper is None:
        return text
    digest = warper["checkpoint_sha256"][:12]
    return f"{text}, warped by `{warper['config']}`, `{warper['checkpoint']}` (sha256 {digest})"
