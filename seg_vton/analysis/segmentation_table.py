"""The table of half 1: the paper's Table 1 with our rows, their classes and where each number comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from seg_vton.analysis import markdown, paper, result_rows
from seg_vton.analysis.result_rows import Content, Row, class_tables, fraction, machine, sources

IOU_TYPES = ("bbox", "segm", "boundary")
NOT_RUN = "not run here"

_NECK_ORDER = ("FPN", "FPN + conv P6 (nearest)", "CARAFE, neck only", "CARAFE, mask head only", "CARAFE-FPN")


def group(results: Iterable[Content]) -> list[Row]:
    """Puts runs of one config that differ in the training's seed alone into one row; rows in the paper's order."""

    def same(result: Content) -> list[Any]:
        keys = ("config", "config_sha256", "dataset", "split", "images", "row")
        return [*(result[key] for key in keys), result["training"].get("epoch")]

    rows = result_rows.group(results, same)
    return sorted(rows, key=lambda row: _order(row.facts, row["dataset"], row["split"]))


def _order(facts: dict[str, Any], dataset: str, split: str) -> tuple[Any, ...]:
    """Sorts as the paper's table does: data, architecture, optimizer, falling learning rate, epochs."""
    neck = facts["neck"]
    rank = _NECK_ORDER.index(neck) if neck in _NECK_ORDER else len(_NECK_ORDER)
    return dataset, split != "val", split, rank, facts["optimizer"], -facts["learning_rate"], facts["epochs"] or 0


def _neck_cell(facts: dict[str, Any]) -> str:
    origin = f", from {facts['detector_weights']}" if facts["detector_weights"] else ""
    return facts["neck"] + origin + (", flip TTA" if facts["test_time_augmentation"] else "")


def _epochs_cell(row: Row) -> str:
    """Epochs trained, and of how many where a checkpoint of an unfinished run was tested."""
    planned, done = row.facts["epochs"], row["training"].get("epoch")
    if planned is None:
        return f"{row.facts['iterations']} iterations"
    return str(planned) if done in (None, planned) else f"{done} of {planned}"


def _paper_row(row: Row) -> paper.PaperRow | None:
    """The paper's row of the same recipe, once our training has come to its end."""
    finished = row["training"].get("epoch") in (None, row.facts["epochs"])
    return paper.find_row(row.facts, row["dataset"], row["split"]) if finished else None


def _paper_cell(found: paper.PaperRow, comparable: bool) -> str:
    """The paper's AP50 of boxes and masks; where our row is of other images, the cell itself says so."""
    cell = f"{fraction(found.bbox_ap50)} / {'-' if found.segm_ap50 is None else fraction(found.segm_ap50)}"
    if found.bbox_ap is not None and found.bbox_ap75 is not None:
        cell += f" (bbox AP {fraction(found.bbox_ap)}, AP75 {fraction(found.bbox_ap75)})"
    return cell if comparable else f"{cell} on DeepFashion {found.split}: other images, not comparable"


def _metric_cell(row: Row, kind: str, name: str) -> str:
    """A cell with an AP over all classes."""
    return row.number(lambda run: run["metrics"].get(kind, {}).get(name), fraction)


def _data_cell(row: Row) -> str:
    scale = row.facts["image_scale"]
    return f"{row['dataset']} {row['split']}, {row['images']} images" + (
        f", resized to fit {scale[0]}x{scale[1]}" if scale else ""
    )


def _kinds(rows: Sequence[Row]) -> list[str]:
    """What the rows were judged by: results of before boundary AP lack it."""
    return [kind for kind in IOU_TYPES if any(kind in run["metrics"] for row in rows for run in row.runs)]


_COSTS: dict[str, tuple[Callable[[Content], float | None], Callable[[float], str]]] = {
    "M parameters": (lambda run: (run.get("cost") or {}).get("parameters"), lambda number: f"{number / 1e6:.1f}"),
    "GFLOP an image": (lambda run: (run.get("cost") or {}).get("gigaflop"), "{:.0f}".format),
    "s a step": (lambda run: run["training"].get("seconds_per_iteration"), "{:.2f}".format),
    "test images/s": (lambda run: run.get("images_per_second"), "{:.2f}".format),
}


def _costs(rows: Sequence[Row]) -> list[str]:
    """The columns of cost that a run has a number for."""
    return [name for name, (get, _) in _COSTS.items() if any(get(run) is not None for row in rows for run in row.runs)]


def _cost_cell(row: Row, name: str) -> str:
    """A cost; of several seeds once where it is the same."""
    get, form = _COSTS[name]
    cells = {"-" if get(run) is None else form(get(run)) for run in row.runs}
    return cells.pop() if len(cells) == 1 else row.number(get, form)


_FIRST = ("#", "neck", "optimizer", "lr", "epochs")
_LAST = ("box-head train accuracy", "paper: bbox AP50 / segm AP50", "data", "seed", "trained in", "tested on", "date")
_LEFT = ("neck", "optimizer", *_LAST[1:])


def _header(rows: Sequence[Row]) -> list[str]:
    metrics = (f"{kind} {name}" for kind in _kinds(rows) for name in ("AP", "AP50", "AP75"))
    return [*_FIRST, *metrics, *_costs(rows), *_LAST]


def _cells(number: int, row: Row, kinds: Sequence[str], costs: Sequence[str]) -> list[str]:
    facts, found = row.facts, _paper_row(row)
    comparable = paper.is_comparable(row["dataset"], row["split"], row["images"])
    return [
        str(number),
        _neck_cell(facts),
        facts["optimizer"],
        f"{facts['learning_rate']:g}",
        _epochs_cell(row),
        *(_metric_cell(row, kind, name) for kind in kinds for name in ("AP", "AP50", "AP75")),
        *(_cost_cell(row, name) for name in costs),
        row.number(lambda run: run["training"].get("train_accuracy"), "{:.1f} %".format),
        "-" if found is None else _paper_cell(found, comparable),
        _data_cell(row),
        row.seeds,
        facts["precision"],
        row.unique(machine),
        row.unique(lambda run: run["date"]),
    ]


def _not_run_cells(row: paper.PaperRow, measured: int) -> list[str]:
    """The cells of a row of the paper's that was not run; `measured` are the columns between epochs and accuracy."""
    data = f"{paper.DATASET} {row.split}, {paper.IMAGES[row.split]} images"
    recipe = [row.neck, row.optimizer, f"{row.learning_rate:g}", str(row.epochs)]
    return ["-", *recipe, NOT_RUN, *["-"] * measured, _paper_cell(row, comparable=True), data, *["-"] * 4]


def _with_not_run(rows: Sequence[Row]) -> list[tuple[tuple[Any, ...], list[str]]]:
    """Sort keys and cells of the paper's validation rows that `rows` lack."""
    run = [_paper_row(row) for row in rows if paper.is_comparable(row["dataset"], row["split"], row["images"])]
    left = [row for row in paper.SEGMENTATION_ROWS if row not in run and row.split == "val"]
    measured = 3 * len(_kinds(rows)) + len(_costs(rows))
    return [(_order(vars(row), paper.DATASET, row.split), _not_run_cells(row, measured)) for row in left]


def _notes(rows: Sequence[Row]) -> str:
    notes = [
        "AP is COCO's, of 0 to 1, on the data of its row; the box head's accuracy is of the training's last 50 "
        "iterations.",
        f"Paper: Sarda & Sun, Table 1, measured on DeepFashion's {paper.IMAGES['val']} validation images. A number on "
        "other images, such as those of Clothing Co-Parsing, cannot be compared with it.",
    ]
    if "boundary" in _kinds(rows):
        notes.append(
            "Boundary AP (Cheng et al., CVPR 2021) takes the smaller of the masks' IoU and that of their "
            "pixels within 2 % of the image's diagonal from their contours."
        )
    if "GFLOP an image" in _costs(rows):
        notes.append(
            "GFLOP: convolutions, linear layers and CARAFE's sums of one test image with 1000 proposals and 100 "
            "detections, a multiply-add as two."
        )
    if "s a step" in _costs(rows):
        notes.append("Seconds and images a second are of the machine and of what else ran there: runs do not compare.")
    if any(len(row.runs) > 1 for row in rows):
        notes.append("Several seeds: mean [min, max] over n runs.")
    return " ".join(notes)


def class_table(rows: Sequence[tuple[str, Row]], columns: Sequence[tuple[str, str]]) -> str:
    """AP of every class.

    Args:
        rows: with what their columns are called; all of one data set.
        columns: kind and name of a number: `("segm", "AP50")`.
    """
    header = ["class", "instances", *(f"{called} {kind} {name}" for called, _ in rows for kind, name in columns)]

    def cell(row: Row, class_name: str, kind: str, name: str) -> str:
        return row.number(lambda run: run["per_class"][class_name].get(kind, {}).get(name), fraction)

    body = [
        [
            class_name,
            str(entry["instances"]),
            *(cell(row, class_name, *column) for _, row in rows for column in columns),
        ]
        for class_name, entry in rows[0][1]["per_class"].items()
    ]
    return markdown.table(header, body, left=("class",))


def _class_table(rows: Sequence[tuple[int, Row]]) -> str:
    """AP and AP50 of every class, by the main table's numbers."""
    columns = [(kind, name) for kind in _kinds([row for _, row in rows]) for name in ("AP", "AP50")]
    return class_table([(f"#{number}", row) for number, row in rows], columns)


def render(results: Sequence[Content], all_rows: bool = False, per_class: bool = False) -> str:
    """The paper's Table 1 with our rows, in Markdown.

    Args:
        results: contents of result files, each with its `row`.
        all_rows: also list the paper's rows that were not run.
        per_class: add a table of AP by class.
    """
    rows = group(results)
    kinds, costs = _kinds(rows), _costs(rows)
    ours = [
        (_order(row.facts, row["dataset"], row["split"]), _cells(number, row, kinds, costs))
        for number, row in enumerate(rows, 1)
    ]
    lines = sorted([*ours, *(_with_not_run(rows) if all_rows else [])], key=lambda line: line[0])
    parts = [markdown.table(_header(rows), [cells for _, cells in lines], _LEFT), _notes(rows)]
    classes = class_tables(rows, "instances", "AP", _class_table) if per_class else []
    return "\n\n".join([*parts, *classes, sources(rows)])
