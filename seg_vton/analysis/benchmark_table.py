"""Markdown tables and a page of them from the JSONs that the benchmarks write."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seg_vton.analysis import markdown
from seg_vton.analysis.benchmark_suite import SUITES
from seg_vton.analysis.result_rows import cores
from seg_vton.analysis.timing import speedup
from seg_vton.errors import UserError
from seg_vton.files import read_json

Content = dict[str, Any]
_PASSES = {"forward": "forward", "both": "forward + backward"}
SCRIPT = "tools/analysis/benchmark_table.py"
_INTRODUCTION = f"""{markdown.mark(SCRIPT)}

# Benchmarks

How to read the tables:

- Only what stands in one table can be compared. Its forms took turns in one process on one machine (the evaluation's in
  a new process each time), in another order every round, so that whatever slowed the machine slowed all of them. Each
  ran at least once before the counted rounds.
- Times are medians of the rounds. "Times faster" is the median over the rounds of the ratio inside each round; "min to
  max" beside it are the smallest and the largest of these ratios. The first form's is 1. Where min and max lie on both
  sides of 1, the rounds do not say which form is faster. The JSON has the time of every round.
- "GFLOP" are the floating-point operations, in 10^9, that a form executes in convolutions and matrix products, as
  PyTorch counts them; a multiply-add counts as two. "Of matmul peak" is GFLOP a second as a share of the best float32
  matrix product that any of the suite's processes on this kind of machine did before or after its rounds. It says how
  busy a form keeps the machine, not which form is better: one that needs fewer operations can be faster at a smaller
  share.
- For CARAFE the operations are those that its definition needs, the same for all forms. "Of copy peak" is its inputs
  read once and its results written once, in bytes a second, as a share of the best copy of a large block.
- "Peak MB" is the most that PyTorch's allocators held beyond what they held before, results included. Training steps
  start without gradients. "Memory / output" is the same in sizes of the result. "Grew MB" is by how much the peak of a
  process's resident memory rose while it worked. It misses what a process writes to pages that it shares with the
  process it was forked from, and memory that takes the place of what was given back before.
- The reference forms: CARAFE from `unfold`; mmdet's R50-FPN in mmdet's plain settings (contiguous memory, batch
  normalization by itself, RoIs pooled sample by sample); CP-VTON's computation written plainly; torchvision's
  transforms and mmdet's own data set; pycocotools.
- Weights, pictures and predictions are random or drawn. Times say nothing about quality.
"""

_AGAIN = (
    "To run them again: `python tools/analysis/benchmark.py --suite cpu --out FILE.json` on a machine with nothing "
    "else running; `--suite gpu` where there is a CUDA GPU."
)
_NO_GPU = (
    "No GPU has run these benchmarks yet, nor CARAFE's Triton kernels (`seg_vton/ops/carafe_triton.py`), which a GPU "
    "without mmcv's compiled operators takes: they are checked in Triton's interpreter on the CPU."
)


OURS, OURS_CHANNELS_LAST = "seg_vton", "seg_vton, channels-last"

_DETECTOR_NOTE = (
    "Our settings are channels-last memory, RoIs pooled by matrix products and, for inference, batch normalization "
    "folded into the convolutions; how much each of them saves is not measured. GFLOP are without the pooling of "
    "RoIs, which PyTorch counts in our form only."
)
_TRYON_NOTE = (
    "The same result takes seg_vton fewer operations: TOM's decoder multiplies before it resizes (`resize_conv3x3`), "
    "and on the CPU some 3 x 3 convolutions are Winograd's (`WinogradConv2d`): GFLOP have the operations of their "
    "transforms and not the multiplications that they save. The auxiliary decoder's row is compared with seg_vton "
    "without that decoder, which the published networks lack. Rows with --amp compute in a lower precision than the "
    "published form; they have no share of a float32 peak."
)
_DATA_NOTE = (
    "The photographs have the items' size already, as DeepFashion's have; mmdet's data set resamples their masks all "
    "the same. Importing `seg_vton` packs the masks that leave a worker, mmdet's too."
)
_EVALUATION_NOTE = (
    "seg_vton's AP is computed by faster-coco-eval (`COCOeval_faster`): the speed is that library's, and the row "
    "includes each class's numbers, which seg_vton takes from the same arrays."
)
_LIMITS = """\
What keeps CARAFE from the machine's limits: seg_vton's forms reach {matmul} of the matrix-product peak and {copy} of
the copy peak (both memory layouts, both passes). The code (`seg_vton/ops/carafe_kernels.py`) shows two causes. Its
products are many and small: every source pixel has its own weights, so a block is a batch of products of {fan} x {taps}
by {taps} x {channels} matrices, {flop} multiply-adds each, in which a feature that was read is used {fan} times. The
peak is that of one large product, which uses what it reads far more often. And the numbers are moved several times:
features are padded and copied into columns that hold each of them {kernel} times, weights are reordered by pixel, and
sums are stored in the output's layout. The copy peak counts one reading and one writing. Contiguous features and
outputs are also transposed, channels-last ones are not. {layouts} How the rest of the time divides between products and
copies is not measured.
"""


class Run(NamedTuple):
    """A benchmark's name and report, and what `run_suite` noted beside it; nothing for a report by itself."""

    name: str
    report: Content
    facts: Content

    @property
    def title(self) -> str:
        """What was measured and where."""
        return f"{_TITLES[self.name]}, {self.report['machine']['gpu'] or 'CPU'}"


def _ops_table(report: Content) -> str:
    """CARAFE: one row a form, place and pass; the ratio is to the first form."""
    header = (f"CARAFE, {_place(report)}", "form", "median ms", *_FASTER)
    header += ("memory / output", "of matmul peak", "of copy peak")
    rows = [
        (
            f"{row['place']} {'x'.join(map(str, row['shape']))}, {_PASSES[row['pass']]}",
            row["form"],
            f"{1e3 * row['median']:.0f}",
            *_faster(row),
            f"{row['peak_over_output']:.1f}",
            f"{row['share_of_matmul']:.0%}",
            f"{row['share_of_copy']:.0%}",
        )
        for row in report["rows"]
    ]
    places = "".join(f" {place.capitalize()}: {text}." for place, text in report["places"].items())
    note = (
        f"Kernel {report['kernel']} x {report['kernel']}, scale {report['scale']}, float32.{places} {_rounds(report)} "
        f"{_peak(report)}; {report['copy_peak_gbytes']:.0f} GB/s in a copy. {_machine(report)}"
    )
    return f"{markdown.table(header, rows, left=header[:2])}\n\n{note}"


def _ops_limits(report: Content) -> str:
    """What keeps CARAFE's block form from the machine's limits, as far as the report and the code tell."""
    rows = [row for row in report["rows"] if row["form"] in (OURS, OURS_CHANNELS_LAST)]
    if not rows:
        return ""
    taps, fan, channels = report["kernel"] ** 2, report["scale"] ** 2, rows[0]["shape"][1]
    text = _LIMITS.format(
        matmul=_shares(row["share_of_matmul"] for row in rows),
        copy=_shares(row["share_of_copy"] for row in rows),
        layouts=_layouts(rows),
        fan=fan,
        taps=taps,
        channels=channels,
        flop=fan * taps * channels,
        kernel=report["kernel"],
    )
    return "\n\n" + textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False)


def _shares(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{100 * found[0]:.0f} to {100 * found[-1]:.0f} %"


def _layouts(rows: Sequence[Content]) -> str:
    """Where channels-last features are faster or slower than contiguous ones in every round."""
    cases: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        cases.setdefault((row["place"], row["pass"]), {})[row["form"]] = row["seconds"]
    told, open_ = [], []
    for (place, passes), seconds in cases.items():
        ratios = speedup(seconds[OURS], seconds[OURS_CHANNELS_LAST])
        name = f"{place}, {_PASSES[passes]}"
        if ratios["min"] > 1 or ratios["max"] < 1:
            told.append(f"{name}: {_ratio(ratios['median'])} ({_range(ratios)})")
        else:
            open_.append(name)
    text = f"How many times faster channels-last memory is, with min and max: {'; '.join(told)}." if told else ""
    if open_:
        text += f" The rounds do not say in which memory it is faster for {'; '.join(open_)}."
    return text.strip()


def _detector_table(report: Content) -> str:
    """The detectors: one row a task and form; the ratio is to the first form of the same task."""
    width, height = report["size"]
    header = (f"Mask R-CNN, {width} x {height}, batch 1", "median s", *_FASTER, "GFLOP", "of matmul peak", "peak MB")
    rows = [
        (f"{row['task']}: {row['form']}", f"{row['median']:.2f}", *_faster(row), *_work(row), _megabytes(row))
        for row in report["rows"]
    ]
    neck = "; ".join(
        f"{task} {_ratio(ratios['median'])} ({_range(ratios)})" for task, ratios in report["carafe_speedup"].items()
    )
    carafe = f"In the same settings CARAFE-FPN is this many times faster than R50-FPN: {neck}; below 1 it is slower."
    note = f"{_DETECTOR_NOTE} {carafe} {_rounds(report)} {_peak(report)}. {_machine(report)}"
    return f"{markdown.table(header, rows, left=header[:1])}\n\n{note}"


def _tryon_table(report: Content) -> str:
    """Try-on: one row a task and form; the ratio is to the row's baseline, mostly the published form."""
    height, width = report["image_size"]
    header = (f"try-on, {height} x {width}, batch {report['batch']}", "form", "median ms", *_FASTER)
    header += ("GFLOP", "of matmul peak", "peak MB")
    found = report["rows"] + [{"task": "inputs of one item", **row} for row in report["data"]["rows"]]
    rows = [
        (row["task"], row["form"], _figure(1e3 * row["median"]), *_faster(row), *_work(row), _megabytes(row))
        for row in found
    ]
    note = f"{_TRYON_NOTE} {_rounds(report)} {_peak(report)}. {_machine(report)}"
    return f"{markdown.table(header, rows, left=header[:2])}\n\n{note}"


def _data_table(report: Content) -> str:
    """Data pipelines: one row a task and form; the ratio is to the first form of the same task."""
    header = (f"data, {report['workers']} workers", "form", "items/s", *_FASTER, "worker grew MB")
    rows = [
        (row["task"], row["form"], f"{1 / row['median']:.0f}", *_faster(row), _megabytes(row)) for row in report["rows"]
    ]
    note = f"{_DATA_NOTE} {_rounds(report)} {_machine(report)}"
    return f"{markdown.table(header, rows, left=header[:2])}\n\n{note}"


def _evaluation_table(report: Content) -> str:
    """COCO's average precision: one row a form; the ratio is to pycocotools."""
    header = ("AP of boxes and masks", "median s", *_FASTER, "process grew MB")
    rows = [(row["form"], f"{row['median']:.2f}", *_faster(row), _megabytes(row)) for row in report["rows"]]
    case = f"{report['images']} images of {report['instances']} instances in 15 classes."
    difference = report["largest_difference"]
    same = f"The twelve numbers {f'differ by at most {difference:.0e}' if difference else 'are the same'}."
    note = f"{case} {same} {_EVALUATION_NOTE} {_rounds(report)} {_machine(report)}"
    return f"{markdown.table(header, rows, left=header[:1])}\n\n{note}"


_FASTER = ("times faster", "min to max")


def _faster(row: Content) -> tuple[str, str]:
    """The cells of `_FASTER`; a form that others are compared with has no spread."""
    ratios = row["speedup"]
    return _ratio(ratios["median"]), "-" if ratios["min"] == ratios["max"] == 1 else _range(ratios)


def _range(ratios: Content) -> str:
    return f"{_ratio(ratios['min'])} to {_ratio(ratios['max'])}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _work(row: Content) -> tuple[str, str]:
    """Operations, and the share of the matrix product's peak; '-' where a row has none."""
    gigaflop = f"{row['gigaflop']:.0f}" if "gigaflop" in row else "-"
    return gigaflop, f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else "-"


def _megabytes(row: Content) -> str:
    return f"{row['peak_bytes'] / 1e6:.0f}" if "peak_bytes" in row else "-"


def _rounds(report: Content) -> str:
    return f"Rounds: {len(report['rows'][0]['seconds'])}."


def _peak(report: Content) -> str:
    own, best = report["matmul_peak_gflops"], report.get("suite_peak_gflops")
    if best is None or round(best) == round(own):
        return f"Peak: {own:.0f} GFLOP/s in a float32 matrix product"
    return f"Peak: {best:.0f} GFLOP/s in a float32 matrix product, the suite's best; this process's best was {own:.0f}"


def _place(report: Content) -> str:
    return "GPU" if report["machine"]["gpu"] else "CPU"


def _machine(report: Content) -> str:
    machine = report["machine"]
    return f"Machine: {machine['gpu'] or machine['cpu']}, {cores(machine)}, torch {machine['torch']}."


def _runs(path: str | Path) -> Iterator[Run]:
    """The benchmarks of a file, in a fixed order.

    Raises:
        UserError: it is of none.
    """
    content = read_json(path)
    content = content if isinstance(content, dict) else {}
    if "benchmarks" in content:
        _share_best_peak([entry["report"] for entry in content["benchmarks"].values()])
        for name in sorted(content["benchmarks"], key=SUITES["cpu"].index):
            facts = dict(content["benchmarks"][name])
            yield Run(name, facts.pop("report"), facts)
    elif content.get("benchmark") in _TABLES:
        yield Run(content["benchmark"], content, {})
    else:
        raise UserError(f"{path} is not a report of benchmark.py or of a benchmark_NAME.py in tools/analysis")


def _share_best_peak(reports: Iterable[Content]) -> None:
    """Takes the shares of the best matrix product that a suite found on a machine, in place.

    A machine's speed drifts, and the few products of a process may all fall into a slow minute: its shares would be too
    great, or greater than 1.
    """
    measured = [report for report in reports if "matmul_peak_gflops" in report]
    for report in measured:
        peaks = [each["matmul_peak_gflops"] for each in measured if each["machine"] == report["machine"]]
        report["suite_peak_gflops"] = max(peaks)
        for row in report["rows"]:
            for share in {"share_of_matmul", "share_of_peak"} & row.keys():
                row[share] *= report["matmul_peak_gflops"] / max(peaks)


_TABLES = {
    "ops": _ops_table,
    "detector": _detector_table,
    "tryon": _tryon_table,
    "data": _data_table,
    "evaluation": _evaluation_table,
}
_TITLES = {
    "ops": "CARAFE",
    "detector": "Mask R-CNN",
    "tryon": "Try-on networks",
    "data": "Data pipelines",
    "evaluation": "Evaluation",
}


def benchmark_tables(paths: Iterable[str | Path]) -> str:
    """The tables of all reports, in the order given.

    Args:
        paths: JSONs that `tools/analysis/benchmark.py` or one of the `benchmark_NAME.py` there wrote.

    Raises:
        UserError: a file is missing, broken, or of none of the benchmarks.
    """
    return "\n\n".join(_TABLES[run.name](run.report) for path in paths for run in _runs(path))


def _origins(runs: Sequence[Run]) -> str:
    """When, of which commit and how each benchmark ran, as far as that was noted."""
    header = ("run", "started (UTC)", "commit", "rounds", "minutes", "load before")
    rows = [
        (
            run.title,
            run.facts["started"].replace("T", " ").removesuffix("+00:00"),
            run.facts["code"],
            f"{run.facts['rounds']}{', quick' if run.facts['quick'] else ''}",
            f"{run.facts['seconds'] / 60:.1f}",
            f"{run.facts['load_average'][0]:.2f}",
        )
        for run in runs
        if run.facts
    ]
    if not rows:
        return ""
    commits = {row[2] for row in rows}
    parts = ["All are of one commit." if len(commits) == 1 else "They are of different commits."]
    if any(commit.endswith("-dirty") for commit in commits):
        parts.append('"-dirty" means with uncommitted changes.')
    parts.append(f"Together they took {sum(run.facts.get('seconds', 0) for run in runs) / 60:.0f} minutes.")
    parts.append("The load is the system's average over the minute before, that of the benchmark before included.")
    machines = dict.fromkeys(_machine(run.report) for run in runs if run.facts)
    commands = dict.fromkeys(f"`{run.facts['command']}`" for run in runs if run.facts)
    text = " ".join([*parts, *machines, f"Run by {', '.join(commands)}."])
    return f"{markdown.table(header, rows, left=header[:3])}\n\n{textwrap.fill(text, 120, break_on_hyphens=False)}"


def _peaks(runs: Sequence[Run]) -> str:
    """By how much the processes' peaks differ on the CPU."""
    reports = [run.report for run in runs if _place(run.report) == "CPU"]
    peaks = [report["matmul_peak_gflops"] for report in reports if "matmul_peak_gflops" in report]
    if len(peaks) < 2:
        return ""
    low, high = min(peaks), max(peaks)
    return (
        f"The {len(peaks)} processes that measured the CPU's matrix-product peak found {low:.0f} to {high:.0f} "
        f"GFLOP/s: the machine's speed drifts by that much. Shares are of the greatest."
    )


def benchmark_page(paths: Sequence[str | Path]) -> str:
    """A Markdown page: how to read benchmarks, when and how they ran, and the tables of all reports under titles.

    Args:
        paths: as for `benchmark_tables`.

    Raises:
        UserError: as for `benchmark_tables`.
    """
    files = " ".join(map(str, paths))
    source = f"This page is made: `python {SCRIPT} {files} --page docs/benchmarks.md`"
    runs = [run for path in paths for run in _runs(path)]
    no_gpu = "" if any(run.report["machine"]["gpu"] for run in runs) else _NO_GPU
    notes = [textwrap.fill(text, 120, break_on_hyphens=False) for text in (_peaks(runs), _AGAIN, no_gpu) if text]
    parts = [_INTRODUCTION.strip(), *notes, source, *filter(None, [_origins(runs)])]
    for run in runs:
        limits = _ops_limits(run.report) if run.name == "ops" and _place(run.report) == "CPU" else ""
        parts.append(f"## {run.title}\n\n{_TABLES[run.name](run.report)}{limits}")
    return "\n\n".join(parts) + "\n"


def write_page(paths: Sequence[str | Path], page: str | Path) -> None:
    """Writes `benchmark_page` to the file `page`; an earlier one there is replaced.

    Raises:
        UserError: as for `benchmark_tables`; or `page` is there and is none of this script's.
    """
    markdown.write_page(page, SCRIPT, benchmark_page(paths))
