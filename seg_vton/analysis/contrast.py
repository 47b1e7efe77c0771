"""Differences between two rows of a table, and whether the trainings' seeds tell the rows apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from seg_vton.analysis import markdown
from seg_vton.analysis.result_rows import Content, Row

NOT_RUN = "not run"


@dataclass(frozen=True)
class Measure:
    """A number of a result.

    Attributes:
        name: what tables call it.
        get: takes it from a result file's content; None where there is none.
        form: writes it, as of a number that is not negative.
    """

    name: str
    get: Callable[[Content], float | None]
    form: Callable[[float], str]

    def signed(self, difference: float) -> str:
        """A difference with its sign."""
        return f"{'-' if difference < 0 else '+'}{self.form(abs(difference))}"

    def values(self, row: Row | None) -> list[float]:
        """The runs' numbers; none where the row or one of its runs has none."""
        numbers = [] if row is None else [self.get(run) for run in row.runs]
        return [] if None in numbers else numbers


@dataclass(frozen=True)
class Contrast:
    """A second row against a first one in a measure.

    Attributes:
        measure: what is compared.
        first: the first row's numbers, one a seed.
        second: the second row's.
    """

    measure: Measure
    first: Sequence[float]
    second: Sequence[float]

    @property
    def known(self) -> bool:
        """Whether both rows have been run and have the number."""
        return bool(self.first and self.second)

    @property
    def difference(self) -> float:
        """Difference of the means."""
        return fmean(self.second) - fmean(self.first)

    @property
    def differences(self) -> list[float]:
        """Of all pairs of a first and a second run, rising."""
        return sorted(second - first for first in self.first for second in self.second)

    @property
    def several(self) -> bool:
        """Whether both rows have several seeds, without which nothing is known of chance."""
        return min(len(self.first), len(self.second)) > 1

    @property
    def told_apart(self) -> bool:
        """Whether each second run is above each first one, or each below, of several seeds."""
        return self.several and self.differences[0] * self.differences[-1] > 0

    def __str__(self) -> str:
        """The difference, and of several pairs the least and the greatest one."""
        if not self.known:
            return NOT_RUN
        text, ends = self.measure.signed(self.difference), (self.differences[0], self.differences[-1])
        if len(self.differences) == 1:
            return text
        return f"{text} [{', '.join(map(self.measure.signed, ends))}]"

    def verdict(self) -> str:
        """What the seeds say of the difference."""
        if not self.several:
            return "one seed, so it may be chance"
        return "in every pair of seeds" if self.told_apart else "the seeds overlap"


@dataclass(frozen=True)
class Step:
    """What changes from one row to another.

    Attributes:
        name: the change.
        first: the row before; None where it was not run.
        second: the row after.
        published: the paper's differences by the measures' names.
    """

    name: str
    first: Row | None
    second: Row | None
    published: dict[str, float] | None = None

    def in_(self, measure: Measure) -> Contrast:
        """The step's contrast in a measure."""
        return Contrast(measure, measure.values(self.first), measure.values(self.second))

    @property
    def seeds(self) -> str:
        """How many runs the rows have."""
        return " and ".join(str(len(row.runs)) if row else "0" for row in (self.first, self.second))


def table(steps: Sequence[Step], measures: Sequence[Measure], published: str = "") -> str:
    """Steps by measures, in Markdown.

    Args:
        steps: one a line; with `published`, another line for each that the paper has.
        measures: one a column; those that no row has are left out.
        published: what the paper's lines are called, such as 'the paper, on VITON'.
    """
    measures = [measure for measure in measures if any(step.in_(measure).known for step in steps)]
    header = ["change", "seeds", *(measure.name for measure in measures), "every pair of seeds agrees in"]
    lines = []
    for step in steps:
        contrasts = [step.in_(measure) for measure in measures]
        lines.append([step.name, step.seeds, *map(str, contrasts), _agreement(contrasts)])
        if published and step.published:
            given = (step.published.get(measure.name) for measure in measures)
            numbers = ("-" if d is None else m.signed(d) for m, d in zip(measures, given, strict=True))
            lines.append([f"{step.name}: {published}", "-", *numbers, "-"])
    return markdown.table(header, lines, left=("change", "every pair of seeds agrees in"))


def _agreement(contrasts: Sequence[Contrast]) -> str:
    if not any(contrast.known and contrast.several for contrast in contrasts):
        return "-"
    return ", ".join(each.measure.name for each in contrasts if each.known and each.told_apart) or "none"
