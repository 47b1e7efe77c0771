"""Differences between two rows of a table, and whether the trainings' seeds and the test images tell the rows apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from statistics import fmean

import numpy as np
from scipy import stats

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

    def by_image(self, row: Row | None) -> dict[str, float]:
        """Each test image's number by its name, mean over the runs; empty where a run does not have it of every one."""
        found = [run.get("per_image", {}) for run in row.runs] if row else []
        columns = [dict(zip(each["names"], each[self.name], strict=True)) for each in found if self.name in each]
        if len(columns) < len(found) or any(None in column.values() for column in columns):
            return {}
        return {name: fmean(column[name] for column in columns) for name in (columns[0] if columns else ())}


@dataclass(frozen=True)
class Contrast:
    """A second row against a first one in a measure.

    Attributes:
        measure: what is compared.
        first: the first row's numbers, one a seed.
        second: the second row's.
        paired: whether the runs of a seed share what was trained before them (a TOM's GMM): these are compared, and no
            others.
        by_image: the differences of the test images, mean over the seeds; empty where they are not known.
    """

    measure: Measure
    first: Sequence[float]
    second: Sequence[float]
    paired: bool = False
    by_image: Sequence[float] = ()

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
        """Of all pairs of a first and a second run, or of those of one seed where they are paired, rising."""
        pairs = zip(self.first, self.second, strict=True) if self.paired else product(self.first, self.second)
        return sorted(second - first for first, second in pairs)

    @property
    def several(self) -> bool:
        """Whether both rows have several seeds, without which nothing is known of chance."""
        return min(len(self.first), len(self.second)) > 1

    @property
    def told_apart(self) -> bool:
        """Whether all differences have one sign, of several seeds."""
        return self.several and self.differences[0] * self.differences[-1] > 0

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean difference over test images like these, by the bootstrap; None where not known."""
        if len(self.by_image) < 2:
            return None
        data = (np.asarray(self.by_image),)
        found = stats.bootstrap(data, np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0))
        return float(found.confidence_interval.low), float(found.confidence_interval.high)

    @property
    def clear(self) -> bool | None:
        """Whether the images' interval lies on one side of 0; None where it is not known."""
        return None if self.interval is None else self.interval[0] * self.interval[1] > 0

    def __str__(self) -> str:
        """The difference, and of several pairs the least and the greatest one."""
        if not self.known:
            return NOT_RUN
        text, ends = self.measure.signed(self.difference), (self.differences[0], self.differences[-1])
        if len(self.differences) == 1:
            return text
        return f"{text} [{', '.join(map(self.measure.signed, ends))}]"

    def verdict(self) -> str:
        """What the seeds and the images say of the difference."""
        number = len(self.differences)
        if not self.several:
            seeds = "one seed, so it may be chance"
        elif not self.told_apart:
            seeds = "the seeds disagree" if self.paired else "the pairs disagree"
        elif self.paired:
            seeds = "both seeds agree" if number == 2 else f"all {number} seeds agree"
        else:
            seeds = f"all {number} pairs of seeds agree"
        return seeds if self.clear is None else f"{seeds}; {'' if self.clear else 'not '}clear over the images"

    def against(self, published: float) -> str:
        """Whether the paper's difference has the sign of all of ours."""
        if not self.known or not self.several:
            return "undecided, as there is one seed"
        if not self.told_apart or self.clear is False:
            return "undecided"
        return "the paper's direction" if self.difference * published > 0 else "opposite to the paper's direction"


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
        first, second = measure.by_image(self.first), measure.by_image(self.second)
        by_image = [second[name] - first[name] for name in first] if first.keys() == second.keys() else []
        return Contrast(measure, measure.values(self.first), measure.values(self.second), self.paired, by_image)

    @property
    def paired(self) -> bool:
        """Whether the rows have the same seeds and, seed by seed, the same GMM before them."""
        if self.first is None or self.second is None:
            return False
        before, after = (
            [(run["training"].get("seed"), (run.get("warper") or {}).get("checkpoint_sha256")) for run in row.runs]
            for row in (self.first, self.second)
        )
        return before == after and all(warper for _, warper in before)

    def directions(self, measures: Sequence[Measure]) -> str:
        """`the paper's direction in SSIM and PSNR; undecided in MS-SSIM`; empty without the paper's differences."""
        said: dict[str, list[str]] = {}
        for measure in measures:
            if measure.name in (self.published or {}):
                contrast = self.in_(measure)
                if contrast.known:
                    said.setdefault(contrast.against(self.published[measure.name]), []).append(measure.name)
        return "; ".join(f"{text} in {_listed(names)}" for text, names in said.items())

    @property
    def seeds(self) -> str:
        """How many runs the rows have."""
        return " and ".join(str(len(row.runs)) if row else "0" for row in (self.first, self.second))


def _listed(names: Sequence[str]) -> str:
    """`SSIM, MS-SSIM and PSNR`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


SEEDS_AGREE = "seeds agree in"


def table(steps: Sequence[Step], measures: Sequence[Measure], published: str = "") -> str:
    """Steps by measures, in Markdown.

    Args:
        steps: one a line, and a line with the intervals over the images where they are known; with `published`, another
            line for each that the paper has.
        measures: one a column; those that no row has are left out.
        published: what the paper's lines are called, such as 'the paper, on VITON'.
    """
    measures = [measure for measure in measures if any(step.in_(measure).known for step in steps)]
    header = ["change", "seeds", *(measure.name for measure in measures), SEEDS_AGREE]
    lines = []
    for step in steps:
        contrasts = [step.in_(measure) for measure in measures]
        lines.append([step.name, step.seeds, *map(str, contrasts), _agreement(contrasts)])
        if any(each.interval for each in contrasts):
            lines.append([f"{step.name}: 95 % over the images", "-", *map(_interval, contrasts), "-"])
        if published and step.published:
            given = (step.published.get(measure.name) for measure in measures)
            numbers = ("-" if d is None else m.signed(d) for m, d in zip(measures, given, strict=True))
            lines.append([f"{step.name}: {published}", "-", *numbers, "-"])
    return markdown.table(header, lines, left=("change", SEEDS_AGREE))


def _interval(contrast: Contrast) -> str:
    return f"[{', '.join(map(contrast.measure.signed, contrast.interval))}]" if contrast.interval else "-"


def _agreement(contrasts: Sequence[Contrast]) -> str:
    if not any(contrast.known and contrast.several for contrast in contrasts):
        return "-"
    return ", ".join(each.measure.name for each in contrasts if each.known and each.told_apart) or "none"
