"""Markdown tables from the JSONs that the benchmarks write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seg_vton.analysis import markdown
from seg_vton.errors import UserError
from seg_vton.files import read_json

Content = dict[str, Any]
_PASSES = {"forward": "forward", "both": "forward + backward"}


def _ops_table(report: Content) -> str:
    """CARAFE: one row a form, place and pass; the ratio is to the first form."""
    header = ("CARAFE, CPU", "form", "median ms", "times faster", "memory / output", "of matmul peak", "of copy peak")
    rows = [
        (
            f"{row['place']} {'x'.join(map(str, row['shape']))}, {_PASSES[row['pass']]}",
            row["form"],
            f"{1e3 * row['median']:.0f}",
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


def _detector_table(report: Content) -> str:
    """The detectors: one row a model and mode; the ratio is ours to plain."""
    width, height = report["size"]
    header = (f"Mask R-CNN, {width} x {height}, batch 1", "median s", "GFLOP", "of matmul peak", "time / plain")
    names = {"plain": "R50-FPN, mmdet's plain settings", "ours": "R50 CARAFE-FPN, ours"}
    rows = []
    for key, row in report["rows"].items():
        name, mode = key.split()
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else "1"
        share = f"{row['share_of_peak']:.0%}"
        rows.append((f"{mode}: {names[name]}", f"{row['median']:.2f}", f"{row['gigaflop']:.0f}", share, ratio))
    peak = f"Peak measured in the same run: {report['matmul_peak_gflops']:.0f} GFLOP/s in a float32 matrix product."
    return markdown.table(header, rows, left=header[:1]) + f"\n\n{peak} {_machine(report)}"


def _tryon_table(report: Content) -> str:
    """Try-on: one row a task and form; the ratio is to the published form of the same task."""
    height, width = report["image_size"]
    header = (f"try-on, {height} x {width}, batch {report['batch']}", "form", "median ms", "times faster", "peak MB")
    rows = [
        (
            row["task"],
            row["form"],
            f"{1e3 * row['median']:.3g}",
            f"{row['speedup']:.2f}",
            f"{row['peak_bytes'] / 1e6:.0f}" if "peak_bytes" in row else "-",
        )
        for row in report["rows"] + [{"task": "inputs of one item", **row} for row in report["data"]["rows"]]
    ]
    return markdown.table(header, rows, left=header[:2]) + f"\n\n{_machine(report)}"


def _machine(report: Content) -> str:
    machine = report["machine"]
    return f"Machine: {machine['gpu'] or machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}."


def benchmark_tables(paths: Iterable[str | Path]) -> str:
    """The tables of all reports, in the order given.

    Args:
        paths: JSONs that `tools/analysis/benchmark_ops.py`, `benchmark_detector.py` or `benchmark_tryon.py` wrote.

    Raises:
        UserError: a file is missing, broken, or of none of the benchmarks.
    """
    tables = []
    for path in paths:
        report = read_json(path)
        keys = report.keys() if isinstance(report, dict) else ()
        if "kernel" in keys:
            tables.append(_ops_table(report))
        elif "image_size" in keys:
            tables.append(_tryon_table(report))
        elif "matmul_peak_gflops" in keys:
            tables.append(_detector_table(report))
        else:
            raise UserError(f"{path} is not a report of benchmark_ops.py, benchmark_detector.py or benchmark_tryon.py")
    return "\n\n".join(tables)
