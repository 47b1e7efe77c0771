"""What changes from one row to another, and whether the trainings' seeds and the test images tell the rows apart."""

import re
from collections.abc import Sequence

import pandas as pd

from seg_vton.analysis import paper
from seg_vton.analysis.results import Content, form
from seg_vton.errors import UserError


def differences(first: pd.DataFrame, second: pd.DataFrame, name: str) -> list[float]:
    """Of all pairs of a first and a second run, rising; of the pairs of one seed alone where all share their GMMs.

    Empty where a run lacks the number.
    """
    if any(name not in rows or rows[name].isna().any() for rows in (first, second)):
        return []
    before, after = (
        [(run["training"].get("seed"), (run.get("warper") or {}).get("checkpoint_sha256")) for run in rows["content"]]
        for rows in (first, second)
    )
    if before == after and all(warper for _, warper in before):
        return sorted(b - a for a, b in zip(first[name], second[name], strict=True))
    return sorted(b - a for a in first[name] for b in second[name])


def interval(first: pd.DataFrame, second: pd.DataFrame, name: str) -> tuple[float, float] | None:
    """95 % interval of the mean difference over test images like these, by the bootstrap; None where not known."""
    before, after = _by_image(first, name), _by_image(second, name)
    if before is None or after is None or set(before.index) != set(after.index) or len(before) < 2:
        return None
    from seg_vton.tryon.metrics.image_quality import mean_interval  # here, since few tables need torch

    return mean_interval((after[before.index] - before).to_numpy())


def _by_image(rows: pd.DataFrame, name: str) -> pd.Series | None:
    """Each test image's number, mean over the runs; None where a run lacks one, or has a name twice."""
    found = [run.get("per_image", {}) for run in rows["content"]]
    if any(name not in each or len(set(each["names"])) < len(each["names"]) for each in found):
        return None
    frame = pd.DataFrame({i: pd.Series(each[name], each["names"], dtype=float) for i, each in enumerate(found)})
    return None if frame.isna().any(axis=None) else frame.mean(axis=1)


def _paper_numbers(run: Content) -> dict[str, float]:
    """The paper's numbers of the architecture alone: of segmentation those of SGD, 0.009 and 2 epochs."""
    facts = run["row"]
    if run["task"] == "segmentation":
        rows = (row for row in paper.SEGMENTATION_ROWS if row[:4] == (facts.get("neck"), "SGD", 0.009, 2))
        return next((row.numbers for row in rows), {})
    found = paper.find_tryon_row(facts)
    return found.numbers if found else {}


def change_table(runs: pd.DataFrame, changes: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Changes by numbers, as texts.

    Of each change a line with the difference of means and, of several pairs of runs, the least and the greatest; a line
    with the interval over the test images where it is known; and the paper's difference where the paper has both rows.
    The last column has the numbers in which all pairs of seeds have one sign.

    Args:
        runs: of `read_runs`.
        changes: `NAME=CONFIG:CONFIG` or `CONFIG:CONFIG`, the config before and the one after. One that was not run, or
            has several rows here, is a `UserError`, as are two that were tested on different images.
        names: of the numbers; those that no change has are left out.
    """

    def signed(name: str, value: float) -> str:
        return f"{'-' if value < 0 else '+'}{form(name)(abs(value))}"

    lines, shown = [], set()
    for change in changes:
        title, _, configs = change.rpartition("=")
        before, _, after = configs.partition(":")
        first, second = _row(runs, before), _row(runs, after)
        tests = [_test(rows["content"].iloc[0]) for rows in (first, second)]
        if tests[0] != tests[1]:
            raise UserError(f"{before} to {after}: tested on {tests[0]}, but on {tests[1]}: these cannot be compared")
        title = title or f"{before} to {after}"
        found = {name: each for name in names if (each := differences(first, second, name))}
        shown |= found.keys()
        line = {"change": title, "seeds": f"{len(first)} and {len(second)}"}
        for name, each in found.items():
            line[name] = signed(name, second[name].mean() - first[name].mean())
            line[name] += f" [{signed(name, each[0])}, {signed(name, each[-1])}]" * (len(each) > 1)
        if found and min(len(first), len(second)) > 1:
            agree = [name for name, each in found.items() if each[0] * each[-1] > 0]
            line["seeds agree in"] = ", ".join(agree) or "none"
        lines.append(line)
        intervals = {name: ends for name in found if (ends := interval(first, second, name))}
        cells = {name: f"[{signed(name, low)}, {signed(name, high)}]" for name, (low, high) in intervals.items()}
        lines += [{"change": f"{title}: 95 % over the images", **cells}] if cells else []
        old, new = (_paper_numbers(rows["content"].iloc[0]) for rows in (first, second))
        cells = {name: signed(name, new[name] - old[name]) for name in old if name in new and name in names}
        lines += [{"change": f"{title}: the paper's own", **cells}] if cells and old != new else []
    columns = ["change", "seeds", *(name for name in names if name in shown), "seeds agree in"]
    return pd.DataFrame(lines, columns=columns, dtype=object).fillna("-")


def _row(runs: pd.DataFrame, config: str) -> pd.DataFrame:
    rows = runs[runs["config"] == config]
    if rows.empty:
        raise UserError(f"there is no result of {config}: there are {', '.join(dict.fromkeys(runs['config']))}")
    if rows.groupby(["task", "#"]).ngroups > 1:
        raise UserError(
            f"{config} has several rows here: other data, training lengths or options; choose one by --where or files"
        )
    return rows


def _test(run: Content) -> str:
    """What a run was tested on. What its label map is made of, or whether it saw photos flipped, is no part of it."""
    split = re.sub("-label-map.*|-tta$", "", run["split"])
    size = " x ".join(map(str, run.get("image_size", ())))
    facts = (run.get("stage") or run["task"], run["dataset"], split, f"{run['images']} images", size, run.get("pairs"))
    return ", ".join(filter(None, facts))
