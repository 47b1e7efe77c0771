"""The table of half 2: the try-on paper's rows with ours, their convention, and where each number comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from seg_vton.analysis import markdown, paper, result_rows
from seg_vton.analysis.result_rows import Content, Row, class_tables, fraction, machine, sources

REQUIRED_KEYS = (
    *result_rows.REQUIRED_KEYS,
    *("row", "stage", "pairs", "image_size", "convention", "not_reported"),
)
"""What a result file must have to be a row."""

NOT_RUN = "not run here"

_FORMS: dict[str, Callable[[float], str]] = {
    "FID": "{:.2f}".format,
    "LPIPS": fraction,
    "SSIM": fraction,
    "MS-SSIM": fraction,
    "PSNR": "{:.2f}".format,
    "mIoU": fraction,
    "warped-mask IoU": fraction,
    "warped-garment L1": "{:.4f}".format,
}
_TOM_METRICS = ("FID", "SSIM", "MS-SSIM", "PSNR", "mIoU", "warped-mask IoU")
_GMM_METRICS = ("mIoU", "warped-mask IoU", "warped-garment L1")
_SHOWN = {"tom": ("images", "LPIPS", *_TOM_METRICS), "gmm": ("images", *_GMM_METRICS)}
_PAPER_METRICS = ("FID", "SSIM", "MS-SSIM", "PSNR")
_PAPER = f"paper: {' / '.join(_PAPER_METRICS)}"
_AUX_IN_GMM = "auxiliary learning in GMM"
_PLAIN = paper.TRYON_ROWS[0].name


def group(results: Iterable[Content]) -> list[Row]:
    """Puts runs of one recipe into one row: they differ in the seed, and in the seed of their warper.

    The test's config hash is not looked at: it has the warper's checkpoint in it. `describe_row`'s `recipe` stands for
    it. Rows come in the paper's order.
    """

    def same(result: Content) -> list[Any]:
        keys = ("config", "dataset", "split", "pairs", "images", "image_size", "row", "convention", "not_reported")
        return [*(result[key] for key in keys), result["training"].get("iterations")]

    return sorted(result_rows.group(results, same), key=_order)


def _order(row: Row) -> tuple[Any, ...]:
    facts = row.facts
    return row["dataset"], row["split"], facts.get("warper_aux") or False, facts["aux"], row["config"]


def name_of(facts: Mapping[str, Any]) -> str:
    """What the paper calls a row, or would."""
    if facts["stage"] == "gmm":
        return _AUX_IN_GMM if facts["aux"] else _PLAIN
    found = paper.find_tryon_row(facts["warper_aux"], facts["aux"])
    if found is not None:
        return found.name
    return _AUX_IN_GMM if facts["warper_aux"] else f"TOM on {facts['warper']}"


def _metric_cell(row: Row, name: str) -> str:
    return row.number(lambda run: run["metrics"].get(name), _FORMS[name])


def _head_cell(facts: Mapping[str, Any]) -> str:
    """The auxiliary decoder's open choices: classes, class weights, loss weight."""
    head = facts["aux_head"]
    if head is None:
        return "-"
    weights = "".join(f", {name} x{weight:g}" for name, weight in (head["class_weight"] or {}).items())
    loss = "" if head["loss_weight"] is None else f"; loss x{head['loss_weight']:g}"
    return f"{head['label_space']}{weights}{loss}"


def _iterations_cell(row: Row) -> str:
    """Iterations trained, and of how many where a checkpoint of an unfinished run was tested."""
    planned, done = row.facts["iterations"], row["training"].get("iterations")
    return f"{planned}" if done in (None, planned) else f"{done} of {planned}"


def _is_comparable(row: Row) -> bool:
    """Whether a row was measured on the very images that the paper measured on, at its size."""
    same = (row["dataset"], row["images"], row["image_size"])
    return row["pairs"] == "paired" and same == (paper.TRYON_DATASET, paper.TRYON_IMAGES, paper.TRYON_SIZE)


def _paper_numbers(found: paper.TryOnPaperRow) -> str:
    values = (found.fid, found.ssim, found.ms_ssim, found.psnr)
    return " / ".join(_FORMS[name](value) for name, value in zip(_PAPER_METRICS, values, strict=True))


def _paper_row(row: Row) -> paper.TryOnPaperRow | None:
    """The paper's row of the same decoders, once our training has come to its end."""
    if row["training"].get("iterations") not in (None, row.facts["iterations"]):
        return None
    return paper.find_tryon_row(row.facts["warper_aux"], row.facts["aux"])


def _paper_cell(row: Row) -> str:
    """The paper's numbers; where our row is of other images, the cell itself says so."""
    found = _paper_row(row)
    if found is None:
        return "-"
    return _paper_numbers(found) + ("" if _is_comparable(row) else " on VITON: other images, not comparable")


def _data_cell(row: Row) -> str:
    height, width = row["image_size"]
    return f"{row['dataset']} {row['split']}, {row['images']} images of {height} x {width}, {row['pairs']}"


_RUN_COLUMNS = ("auxiliary decoder", "data", "trained with", "iterations", "seed", "tested on", "date")


def _run_cells(row: Row) -> list[str]:
    date = row.unique(lambda run: run["date"])
    cells = [_head_cell(row.facts), _data_cell(row), _training_cell(row.facts), _iterations_cell(row)]
    return [*cells, row.seeds, row.unique(machine), date]


def _training_cell(facts: Mapping[str, Any]) -> str:
    """Where parsing maps and warps were learned from, and in which precision; '-' in results of before it was noted."""
    if "maps" not in facts:
        return "-"
    maps = "the segmenter's maps" if facts["maps"] == "predicted" else "the labels' maps"
    return f"{maps}, {'known warps, ' if facts['known_warps'] else ''}{facts['precision']}"


def _columns(rows: Sequence[Row], wanted: Sequence[str]) -> list[str]:
    """The metrics' columns: those of the paper, and LPIPS where a run has it."""
    has_lpips = any("LPIPS" in run["metrics"] for row in rows for run in row.runs)
    return [*wanted, *(["LPIPS"] if has_lpips and "FID" in wanted else [])]


def _tom_table(rows: Sequence[Row], all_rows: bool) -> str:
    columns = _columns(rows, _TOM_METRICS)
    header = ["#", "row", "GMM", "TOM", *columns, _PAPER, *_RUN_COLUMNS]
    lines = [
        [
            str(number),
            name_of(row.facts),
            row.facts["warper"],
            row["config"],
            *(_metric_cell(row, name) for name in columns),
            _paper_cell(row),
            *_run_cells(row),
        ]
        for number, row in enumerate(rows, 1)
    ]
    run = [_paper_row(row) for row in rows if _is_comparable(row)]
    for left in (row for row in paper.TRYON_ROWS if all_rows and row not in run):
        height, width = paper.TRYON_SIZE
        data = f"{paper.TRYON_DATASET} test, {paper.TRYON_IMAGES} images of {height} x {width}"
        unknown = ["-"] * (len(columns) - 1)
        lines.append(["-", left.name, "-", "-", NOT_RUN, *unknown, _paper_numbers(left), "-", data, *["-"] * 5])
    return markdown.table(header, lines, left=("row", "GMM", "TOM", _PAPER, *_RUN_COLUMNS))


def _gmm_table(rows: Sequence[Row], first: int) -> str:
    header = ["#", "row", "GMM", *_GMM_METRICS, *_RUN_COLUMNS]
    lines = [
        [
            str(number),
            name_of(row.facts),
            row["config"],
            *(_metric_cell(row, name) for name in _GMM_METRICS),
            *_run_cells(row),
        ]
        for number, row in enumerate(rows, first)
    ]
    return markdown.table(header, lines, left=("row", "GMM", *_RUN_COLUMNS))


def _numbered(numbers: Sequence[int], count: int) -> str:
    """`#1, #2: ` where a note is not of all rows."""
    return "" if len(numbers) == count else ", ".join(f"#{number}" for number in numbers) + ": "


def _notes_by_metric(rows: Sequence[Row], key: str, names: Iterable[str]) -> list[str]:
    """A line for each metric and each different text that the runs have of it under `key`."""
    lines = []
    for name in names:
        texts: dict[str, list[int]] = {}
        for number, row in enumerate(rows, 1):
            if name in row[key] and name in _SHOWN[row["stage"]]:
                texts.setdefault(row[key][name], []).append(number)
        lines += [f"- {name}: {_numbered(numbers, len(rows))}{text}" for text, numbers in texts.items()]
    return lines


def _convention(rows: Sequence[Row]) -> str:
    """How each column was computed, and why a number is missing."""
    lines = ["Convention, as the runs wrote it:", "", *_notes_by_metric(rows, "convention", ["images", *_FORMS])]
    missing = _notes_by_metric(rows, "not_reported", _FORMS)
    return "\n".join([*lines, *(["", "Not reported:", "", *missing] if missing else [])])


def _notes(rows: Sequence[Row]) -> str:
    notes = [
        "Paper: Ayush et al., on VITON's test set. It does not say by which convention its SSIM, MS-SSIM, PSNR and FID "
        "were computed, and numbers on other images, such as the paper doll's, cannot be compared with it.",
        "mIoU is of the stage's own auxiliary decoder, warped-mask IoU of the GMM's warp.",
    ]
    if any(len(row.runs) > 1 for row in rows):
        notes.append("Several seeds: mean [min, max] over n runs.")
    return " ".join(notes)


def _class_table(rows: Sequence[tuple[int, Row]]) -> str:
    """Classes by rows of one truth: pixels, then each row's IoU."""
    header = ["class", "pixels", *(f"#{number} IoU" for number, _ in rows)]
    body = [
        [
            name,
            str(entry["pixels"]),
            *(row.number(lambda run, name=name: run["per_class"][name]["IoU"], fraction) for _, row in rows),
        ]
        for name, entry in rows[0][1]["per_class"].items()
    ]
    return markdown.table(header, body, left=("class",))


def render(results: Sequence[Content], all_rows: bool = False, per_class: bool = False) -> str:
    """The try-on paper's table with our rows, and a table of the GMMs alone, in Markdown.

    Args:
        results: contents of result files, each with its `row`.
        all_rows: also list the paper's rows that were not run.
        per_class: add a table of IoU by class.
    """
    rows = group(results)
    toms = [row for row in rows if row["stage"] == "tom"]
    gmms = [row for row in rows if row["stage"] == "gmm"]
    parts = [_tom_table(toms, all_rows)] if toms or all_rows else []
    parts += [f"The GMM alone\n\n{_gmm_table(gmms, len(toms) + 1)}"] if gmms else []
    rows = [*toms, *gmms]
    parts += [_notes(rows), _convention(rows)]
    classes = class_tables(rows, "pixels", "IoU", _class_table) if per_class else []
    return "\n\n".join([*parts, *classes, sources(rows)])
