"""The table of label maps that instances merge to (`tools/analysis/label_map_iou.py`): mIoU and pixel accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seg_vton.analysis import markdown, result_rows
from seg_vton.analysis.result_rows import Content, Row, fraction, machine, sources

REQUIRED_KEYS = (*result_rows.REQUIRED_KEYS, "convention", "converted")

_METRICS = {
    "mIoU": "mIoU",
    "mIoU_foreground": "mIoU without background",
    "pixel_accuracy": "pixel accuracy",
    "foreground_accuracy": "of person pixels",
    "mean_accuracy": "mean over classes",
}
_SHORT = ("mIoU", "mIoU_foreground", "pixel_accuracy", "foreground_accuracy")
_LEFT = ("model", "label maps from", "data", "seed", "tested on", "date")
_NOTE = (
    "IoU and accuracies are of 0 to 1, over the pixels of all images; a mean is over the classes that occur in the "
    "truth. Published for Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014): 88.23 % of pixels, "
    "with 59 labels and on other images, so no number here compares with it."
)


def render(results: Sequence[Content], all_rows: bool = False, per_class: bool = False) -> str:
    """The table in Markdown.

    Args:
        results: contents of result files, each with its `row`.
        all_rows: changes nothing; there are no published rows on these labels.
        per_class: add a table of IoU by class.
    """
    rows = sorted(result_rows.group(results, _same), key=lambda row: (row["dataset"], row["split"], row["config"]))
    spaces = sorted({space for row in rows for run in row.runs for space in run["converted"]})
    header = [
        *("#", "model", "label maps from"),
        *_METRICS.values(),
        *(f"mIoU in {space}" for space in spaces),
        *("data", "seed", "tested on", "date"),
    ]
    body = [_cells(number, row, spaces) for number, row in enumerate(rows, 1)]
    parts = [markdown.table(header, body, _LEFT), _NOTE]
    return "\n\n".join([*parts, *([_class_table(rows)] if per_class else []), sources(rows)])


def short(results: Sequence[Content]) -> str:
    """A table of the means and a line of every class's IoU for each row, for the README."""
    rows = result_rows.group(results, _same)
    header = ["Parsing maps of", "from", *(_METRICS[key] for key in _SHORT), "seeds"]
    body = [
        [
            f"{row['dataset']} {row['split'].removesuffix('-label-map')}, {row['images']} images",
            row.facts.get("neck", row["config"]),
            *(row.number(lambda run, key=key: run["metrics"][key], fraction) for key in _SHORT),
            row.seeds,
        ]
        for row in rows
    ]
    lines = [f"- IoU by class, {cells[1]}: {_classes(row)}." for cells, row in zip(body, rows, strict=True)]
    return "\n\n".join(
        [markdown.table(header, body, ("Parsing maps of", "from", "seeds")), "\n".join([*lines, f"- {_NOTE}"])]
    )


def _classes(row: Row) -> str:
    """IoU of each class that the truth has."""
    numbers = {
        name: row.number(lambda run, name=name: run["per_class"][name]["iou"], fraction) for name in row["per_class"]
    }
    return ", ".join(f"{name} {number}" for name, number in numbers.items() if number != "-")


def _same(result: Content) -> list[Any]:
    keys = ("config", "config_sha256", "dataset", "split", "images", "row", "convention")
    return [*(result[key] for key in keys), result["training"].get("epoch")]


def _cells(number: int, row: Row, spaces: Sequence[str]) -> list[str]:
    def converted(space: str) -> str:
        return row.number(lambda run: run["converted"].get(space, {}).get("metrics", {}).get("mIoU"), fraction)

    return [
        str(number),
        row.facts.get("neck", row["config"]),
        _convention(row["convention"]),
        *(row.number(lambda run, key=key: run["metrics"][key], fraction) for key in _METRICS),
        *map(converted, spaces),
        f"{row['dataset']} {row['split'].removesuffix('-label-map')}, {row['images']} images",
        row.seeds,
        row.unique(machine),
        row.unique(lambda run: run["date"]),
    ]


def _convention(convention: dict[str, Any]) -> str:
    """Which instances, and how they were merged."""
    which = "best of each class" if convention["one_per_class"] else "all instances"
    return f"{which}, score {convention['score_thr']:g}, holes {'filled' if convention['fill_holes'] else 'kept'}"


def _class_table(rows: Sequence[Row]) -> str:
    """IoU of each class, a column for each row of the main table."""
    names = list(dict.fromkeys(name for row in rows for name in row["per_class"]))
    header = ["IoU of", *(f"#{number}" for number, _ in enumerate(rows, 1))]

    def cell(row: Row, name: str) -> str:
        return row.number(lambda run: run["per_class"].get(name, {}).get("iou"), fraction)

    return markdown.table(header, [[name, *(cell(row, name) for row in rows)] for name in names], left=("IoU of",))
