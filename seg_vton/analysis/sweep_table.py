"""The sweep of the auxiliary decoder's weights on the paper doll."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        return [facts["stage"], facts["aux_head"], facts["iterations"], facts["image_size"], result["dataset"]]

    return sorted(result_rows.group(results, same), key=lambda row: (row.facts["stage"], _weights(row)))


def _weights(row: Row) -> tuple[float, ...]:
    """Weight of the loss, then the classes' weights; zeros without a decoder."""
    head = row.facts["aux_head"]
    if head is None:
        return (0.0,)
    return 1.0 if head["loss_weight"] is None else head["loss_weight"], *(head["class_weight"] or {}).values()


def _class_weights(row: Row) -> str:
    """`background 1.5, skin 1.5`, or what there is instead."""
    head = row.facts["aux_head"]
    if head is None:
        return "no decoder"
    return ", ".join(f"{name} {weight:g}" for name, weight in (head["class_weight"] or {}).items()) or "all 1"


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
            f"{_weights(row)[0]:g}",
            _class_weights(row),
            str(row.facts["iterations"]),
            row.seeds,
            *(row.number(lambda run, name=name: run["metrics"].get(name), form) for name, form in columns.items()),
            row.number(_skin, fraction),
        ]
        for row in rows
    ]
    return markdown.table(header, body, left=("class weights", "seeds"))


def render(results: Sequence[Content]) -> str:
    """A table for each stage, in Markdown.

    Args:
        results: contents of try-on result files; the weights are those of their `row`.
    """
    rows = group(results)
    stages = {stage: [row for row in rows if row.facts["stage"] == stage] for stage in _COLUMNS}
    return "\n\n".join(_stage_table(stage, found) for stage, found in stages.items() if found)
