"""Markdown tables and a page of them from the JSONs that the benchmarks write."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seg_vton.analysis import markdown
from seg_vton.analysis.benchmark_suite import SUITES
from seg_vton.analysis.result_rows import cores
from seg_vton.errors import UserError
from seg_vton.files import read_json

Content = dict[str, Any]
_PASSES = {"forward": "forward", "both": "forward + backward"}
SCRIPT = "tools/analysis/benchmark_table.py"
_INTRODUCTION = f"""{markdown.mark(SCRIPT)}

# Benchmarks

How to read the tables:

- Only what stands in one table can be compared. Its forms took turns, round after round, in one process on one machine
  (the evaluation's in a new process each time), so that whatever slowed the machine slowed all of them. "Times faster"
  is the median over the rounds of the ratio inside each round, and the first form's is 1; a ratio that the spread of
  the times could explain means nothing.
- Times are medians of the rounds, with the fastest and the slowest beside them.
- "Of matmul peak" and "of copy peak" say how much of the machine is used: the multiply-adds that the operation itself
  needs, or its inputs read once and its results written once, per second, as a share of the best float32 matrix product
  and the best copy of a large block that PyTorch did in the same run. Neither can be 100 % where work needs both. Of
  the try-on networks every convolution counts as if computed directly; Winograd's way takes fewer operations.
- Memory is the most that PyTorch's allocators held beyond what they held before, results included; for the data
  pipelines and the evaluation, by how much a process grew, as the operating system counts it. "Memory / output" is in
  sizes of the result.
- The reference forms: CARAFE from `unfold`; mmdet's R50-FPN in mmdet's plain settings (contiguous memory, batch
  normalisation by itself, RoIs pooled sample by sample); CP-VTON's computation written plainly; torchvision's
  transforms and mmdet's own data set; pycocotools.
- Weights, pictures and predictions are random or drawn. Times say nothing about quality.

To run them again: `python tools/analysis/benchmark.py --suite cpu --out FILE.json`, about a quarter of an hour on two
cores with nothing else running; `--suite gpu` where there is a CUDA GPU.
"""

_NO_GPU = """
No GPU has run these benchmarks yet, nor CARAFE's Triton kernels (`seg_vton/ops/carafe_triton.py`), which a GPU without
mmcv's compiled operators takes: they are checked in Triton's interpreter on the CPU.
"""


OURS, OURS_CHANNELS_LAST = "seg_vton", "seg_vton, channels-last"

_DATA_NOTE = (
    "The photographs have the items' size already, as DeepFashion's have; mmdet's data set resamples their masks all "
    "the same. Importing `seg_vton` packs the masks that leave a worker, mmdet's too."
)
_LIMITS = """\
What keeps it from the machine's limits: seg_vton's form gets {matmul} of the matrix-product peak and {copy} of the
copy peak (the rows above, both passes). By its code (`seg_vton/ops/carafe_kernels.py`) its products are many and
small: every source pixel has weights of its own, so that a block is a batched product of {fan} x {taps} by {taps} x
{channels} matrices, {flop} multiply-adds each, where the peak is of one large product that reuses every number it
reads; {fan} rows leave little to reuse. Around the products every number is moved several times: features are padded,
then copied into columns that hold each of them {kernel} times, weights are reordered by pixel, and the sums, margins
between rows dropped, are stored in the output's layout; the copy peak counts one reading and one writing. Contiguous
features and outputs have to be transposed too: channels-last memory, which spares that, takes {saved} less time. How
the rest divides between products and copies is not measured.
"""


def _ops_table(report: Content) -> str:
    """CARAFE: one row a form, place and pass; the ratio is to the first form."""
    header = (f"CARAFE, {_place(report)}", "form", "median ms", "min to max", "times faster")
    header += ("memory / output", "of matmul peak", "of copy peak")
    rows = [
        (
            f"{row['place']} {'x'.join(map(str, row['shape']))}, {_PASSES[row['pass']]}",
            row["form"],
            f"{1e3 * row['median']:.0f}",
            _range(row, 1e3),
            f"{row['speedup']:.1f}",
            f"{row['peak_over_output']:.1f}",
            f"{row['share_of_matmul']:.0%}",
            f"{row['share_of_copy']:.0%}",
        )
        for row in report["rows"]
    ]
    peaks = report["peaks"]
    note = (
        f"Kernel {report['kernel']} x {report['kernel']}, scale {report['scale']}, float32. Peaks measured in the same "
        f"run: {peaks['matmul_gflops']:.0f} GFLOP/s in a matrix product, {peaks['copy_gbytes']:.0f} GB/s in a copy."
    )
    return markdown.table(header, rows, left=header[:2]) + f"\n\n{note} {_machine(report)}"


def _ops_limits(report: Content) -> str:
    """What keeps CARAFE's block form from the machine's limits, as far as the report and the code tell."""
    forms = {(row["place"], row["pass"], row["form"]): row for row in report["rows"]}
    pairs = [(forms.get((*key, OURS)), row) for (*key, form), row in forms.items() if form == OURS_CHANNELS_LAST]
    pairs = [(plain, last) for plain, last in pairs if plain]
    if not pairs:
        return ""
    rows = [row for pair in pairs for row in pair]
    saved = [1 - last["median"] / plain["median"] for plain, last in pairs]
    taps, fan = report["kernel"] ** 2, report["scale"] ** 2
    channels = rows[0]["shape"][1]
    text = _LIMITS.format(
        matmul=_shares(row["share_of_matmul"] for row in rows),
        copy=_shares(row["share_of_copy"] for row in rows),
        saved=_shares(saved),
        fan=fan,
        taps=taps,
        channels=channels,
        flop=fan * taps * channels,
        kernel=report["kernel"],
    )
    return "\n\n" + textwrap.fill(" ".join(text.split()), 120)


def _shares(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{100 * found[0]:.0f} to {100 * found[-1]:.0f} %"


def _detector_table(report: Content) -> str:
    """The detectors: one row a model and mode; the ratio is to plain."""
    width, height = report["size"]
    header = (f"Mask R-CNN, {width} x {height}, batch 1", "median s", "min to max", "GFLOP")
    header += ("of matmul peak", "peak MB", "times faster")
    names = {"plain": "R50-FPN, mmdet's plain settings", "ours": "R50 CARAFE-FPN, ours"}
    rows = []
    for key, row in report["rows"].items():
        name, mode = key.split()
        rows.append((
            f"{mode}: {names[name]}",
            f"{row['median']:.2f}",
            _range(row),
            f"{row['gigaflop']:.0f}",
            f"{row['share_of_peak']:.0%}",
            _megabytes(row),
            f"{1 / row.get('ratio', 1):.2f}",
        ))  # fmt: skip
    peak = f"Peak measured in the same run: {report['matmul_peak_gflops']:.0f} GFLOP/s in a float32 matrix product."
    return markdown.table(header, rows, left=header[:1]) + f"\n\n{peak} {_machine(report)}"


def _tryon_table(report: Content) -> str:
    """Try-on: one row a task and form; the ratio is to the published form of the same task."""
    height, width = report["image_size"]
    header = (f"try-on, {height} x {width}, batch {report['batch']}", "form", "median ms", "min to max")
    shares = any("share_of_peak" in row for row in report["rows"])  # reports of before have none
    header += ("times faster", *(("of matmul peak",) if shares else ()), "peak MB")
    rows = [
        (
            row["task"],
            row["form"],
            _figure(1e3 * row["median"]),
            _range(row, 1e3),
            f"{row['speedup']:.2f}",
            *((f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else "-",) if shares else ()),
            _megabytes(row),
        )
        for row in report["rows"] + [{"task": "inputs of one item", **row} for row in report["data"]["rows"]]
    ]
    peak = f"Peak measured in the same run: {report['matmul_peak_gflops']:.0f} GFLOP/s in a float32 matrix product. "
    return markdown.table(header, rows, left=header[:2]) + f"\n\n{peak if shares else ''}{_machine(report)}"


def _data_table(report: Content) -> str:
    """Data pipelines: one row a task and form; the ratio is to the first form of the same task."""
    header = (f"data, {report['workers']} workers", "form", "items/s", "min to max", "times faster", "worker grew MB")
    rows = [
        (
            row["task"],
            row["form"],
            f"{row['items_per_second']:.0f}",
            f"{1 / row['max']:.0f} to {1 / row['min']:.0f}",
            f"{row['speedup']:.2f}",
            _megabytes(row),
        )
        for row in report["rows"]
    ]
    return markdown.table(header, rows, left=header[:2]) + f"\n\n{_DATA_NOTE} {_machine(report)}"


def _evaluation_table(report: Content) -> str:
    """COCO's average precision: one row a form; the ratio is to pycocotools."""
    header = ("AP of boxes and masks", "median s", "min to max", "times faster", "process grew MB")
    rows = [
        (row["form"], f"{row['median']:.2f}", _range(row), f"{row['speedup']:.1f}", _megabytes(row))
        for row in report["rows"]
    ]
    case = f"{report['images']} images of {report['instances']} instances in 15 classes."
    difference = report["largest_difference"]
    same = f"The twelve numbers {f'differ by at most {difference:.0e}' if difference else 'are the same'}."
    return markdown.table(header, rows, left=header[:1]) + f"\n\n{case} {same} {_machine(report)}"


def _range(row: Content, factor: float = 1.0) -> str:
    return " to ".join(_figure(factor * row[key]) for key in ("min", "max"))


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _megabytes(row: Content) -> str:
    return f"{row['peak_bytes'] / 1e6:.0f}" if "peak_bytes" in row else "-"


def _place(report: Content) -> str:
    return "GPU" if report["machine"]["gpu"] else "CPU"


def _machine(report: Content) -> str:
    machine = report["machine"]
    return f"Machine: {machine['gpu'] or machine['cpu']}, {cores(machine)}, torch {machine['torch']}."


def _reports(path: str | Path) -> Iterator[tuple[str, Content]]:
    """The reports of a file by the names of their benchmarks, in a fixed order."""
    content = read_json(path)
    if isinstance(content, dict) and "benchmarks" in content:
        order = SUITES["cpu"]
        for name in sorted(content["benchmarks"], key=order.index):
            yield name, content["benchmarks"][name]["report"]
    else:
        yield _kind(content, path), content


def _kind(content: Any, path: str | Path) -> str:
    """The name of the benchmark that wrote a report.

    Raises:
        UserError: it is of none.
    """
    keys = content.keys() if isinstance(content, dict) else ()
    if "benchmark" in keys:
        return content["benchmark"]
    for key, name in (("kernel", "ops"), ("image_size", "tryon"), ("matmul_peak_gflops", "detector")):
        if key in keys:
            return name
    raise UserError(f"{path} is not a report of benchmark.py or of a benchmark_NAME.py in tools/analysis")


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
    return "\n\n".join(_TABLES[name](report) for path in paths for name, report in _reports(path))


def benchmark_page(paths: Sequence[str | Path]) -> str:
    """A Markdown page: how to read benchmarks, and the tables of all reports under titles.

    Args:
        paths: as for `benchmark_tables`.

    Raises:
        UserError: as for `benchmark_tables`.
    """
    files = " ".join(map(str, paths))
    source = f"This page is made: `python {SCRIPT} {files} --page docs/benchmarks.md`"
    named = [each for path in paths for each in _reports(path)]
    no_gpu = "" if any(report["machine"]["gpu"] for _, report in named) else _NO_GPU
    parts = [f"{_INTRODUCTION}{no_gpu}\n{source}"]
    for name, report in named:
        where = report["machine"]["gpu"] or "CPU"
        limits = _ops_limits(report) if name == "ops" and where == "CPU" else ""
        parts.append(f"## {_TITLES[name]}, {where}\n\n{_TABLES[name](report)}{limits}")
    return "\n\n".join(parts) + "\n"


def write_page(paths: Sequence[str | Path], page: str | Path) -> None:
    """Writes `benchmark_page` to the file `page`; an earlier one there is replaced.

    Raises:
        UserError: as for `benchmark_tables`; or `page` is there and is none of this script's.
    """
    markdown.write_page(page, SCRIPT, benchmark_page(paths))
