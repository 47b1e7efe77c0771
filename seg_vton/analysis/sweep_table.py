"""The sweep of the auxiliary decoder's weights on the paper doll."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from seg_vton.analysis import markdown, result_rows
from seg_vton.analysis.result_rows import Content, Row, fraction

_COLUMNS = {
    "gmm": {"warped-mask IoU": fraction, "warped-garment L1": "{:.4f}".format, "mIoU": fraction},
    "tom": {"SSIM": fraction, "MS-SSIM": fraction, "PSNR": "{:.2f}".format, "mIoU": fraction},
}
_TITLES = {"gmm": "GMM", "tom": "TOM"}


def group(results: Iterable[Content]) -> list[Row]:
    """Runs that differ in the seed alone, a stage after the other, without a decoder first, then by rising weights."""

    def same(result: Content) -> list[Any]:
        facts = result["row"]
        numbers = _loss_weight(facts["aux_head"]), _by_class(facts["aux_head"]), facts["aux_head"] is None
        training = (facts.get(key) for key in ("iterations", "image_size", "precision"))
        return [*numbers, *training, *(result[key] for key in ("config", "dataset", "split", "pairs"))]

    return sorted(result_rows.group(results, same), key=_order)


def _order(row: Row) -> tuple[Any, ...]:
    head = row.facts["aux_head"]
    return row.facts["stage"], _loss_weight(head), [weight for _, weight in _by_class(head)]


def _loss_weight(head: dict[str, Any] | None) -> float:
    """0 without a decoder, 1 where a config leaves the head's default."""
    return 0.0 if head is None else float(head["loss_weight"] if head["loss_weight"] is not None else 1)


def _by_class(head: dict[str, Any] | None) -> tuple[tuple[str, float], ...]:
    """The classes' weights by name; 1 and 1.0 are the same."""
    weights = (head or {}).get("class_weight") or {}
    return tuple((name, float(weight)) for name, weight in weights.items())


def _class_weights(head: dict[str, Any] | None) -> str:
    """`background 1.5, skin 1.5`, or what there is instead."""
    if head is None:
        return "no decoder"
    return ", ".join(f"{name} {weight:g}" for name, weight in _by_class(head)) or "all 1"


def _skin(run: Content) -> float | None:
    return run["per_class"].get("skin", {}).get("IoU")


def _stage_table(stage: str, rows: Sequence[Row]) -> str:
    columns = {
        name: form
        for name, form in _COLUMNS[stage].items()
        if any(name in r["metrics"] for row in rows for r in row.runs)
    }
    header = [f"{_TITLES[stage]}: weight of the loss", "class weights", "iterations", "seeds", *columns, "IoU of skin"]
    body = [
        [
            f"{_loss_weight(row.facts['aux_head']):g}",
            _class_weights(row.facts["aux_head"]),
            str(row.facts["iterations"]),
            row.seeds,
            *(row.number(lambda run, name=name: run["metrics"].get(name), form) for name, form in columns.items()),
            row.number(_skin, fraction),
        ]
        for row in rows
    ]
    return markdown.table(header, body, left=("class weights", "seeds"))


def _spread(stage: str, rows: Sequence[Row]) -> str:
    """How far the weights move each measure, beside how far the seeds do; empty where a measure is of one row."""
    parts = []
    for name, form in _COLUMNS[stage].items():
        runs = [[run["metrics"].get(name) for run in row.runs] for row in rows if row.facts["aux_head"]]
        if len(runs) < 2 or any(None in values for values in runs):
            continue
        means = [fmean(values) for values in runs]
        seeds = max(max(values) - min(values) for values in runs)
        chance = f", seeds of one row by up to {form(seeds)}" if max(map(len, runs)) > 1 else ""
        parts.append(f"{name} by {form(max(means) - min(means))} ({form(min(means))} to {form(max(means))}{chance})")
    return f"Among {_TITLES[stage]}'s rows with a decoder the weights move {'; '.join(parts)}." if parts else ""


def render(results: Sequence[Content]) -> str:
    """A table for each stage and a sentence on how much the weights matter, in Markdown.

    Args:
        results: contents of try-on result files; the weights are those of their `row`.
    """
    rows = group(results)
    stages = {stage: [row for row in rows if row.facts["stage"] == stage] for stage in _COLUMNS}
    parts = []
    for stage, found in stages.items():
        parts += [_stage_table(stage, found), _spread(stage, found)] if found else []
    return "\n\n".join(part for part in parts if part)
