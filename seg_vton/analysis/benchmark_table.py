"""Markdown tables of the JSONs that `tools/benchmark.py` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seg_vton.errors import UserError
from seg_vton.files import read_json

Content = dict[str, Any]


def benchmark_tables(path: str | Path, only: Sequence[str] = ()) -> str:
    """The tables of a JSON of `tools/benchmark.py`, each with when, where and how it was measured.

    `only` names benchmarks; without it all of the file are shown. `UserError` where the file is missing, broken, of
    something else, or lacks one of the names.
    """
    content = read_json(path)
    found = content.get("benchmarks") if isinstance(content, dict) else None
    if not found:
        raise UserError(f"{path} is not a report of tools/benchmark.py")
    if missing := set(only) - set(found):
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}: it has {', '.join(found)}")
    return "\n\n".join(_table(name, found) for name in (only or found))


def _table(name: str, found: dict[str, Content]) -> str:
    facts, report = found[name], found[name]["report"]
    # A machine's speed drifts, and the few products of one process may all fall into a slow minute. So shares are of
    # the best product that any benchmark of the file found on the machine.
    same = [each["report"] for each in found.values() if each["report"]["machine"] == report["machine"]]
    peak = max((each.get("matmul_peak_gflops", 0) for each in same), default=0)
    rows = report["rows"] + [{"task": "inputs of one item", **row} for row in report.get("data", {}).get("rows", [])]
    frame = pd.DataFrame([_cells(row, peak, report.get("copy_peak_gbytes")) for row in rows]).fillna("-")
    frame = frame.loc[:, [column for column in frame if (frame[column] != "-").any()]]
    sides = ["left" if column in ("case", "form") else "right" for column in frame]
    table = frame.to_markdown(index=False, disable_numparse=True, colalign=sides)
    return f"{table}\n\n{_note(facts, report, peak)}"


def _cells(row: Content, peak: float, copy_peak: float | None) -> dict[str, str]:
    case = row.get("task")
    if "place" in row:
        both = "forward + backward" if row["pass"] == "both" else "forward"
        case = f"{row['place']} {'x'.join(map(str, row['shape']))}, {both}"
    ratios, median = row["speedup"], row["median"]
    cells = {"case": case, "form": row["form"]}
    cells["median"] = f"{median:.2f} s" if median >= 1 else f"{1e3 * median:.3g} ms"
    cells["times faster"] = ratio(ratios["median"])
    cells["min to max"] = "-" if ratios["min"] == ratios["max"] == 1 else _range(ratios)
    if "items" in row:
        cells["items/s"] = f"{1 / median:.0f}"
    if "gigaflop" in row:
        cells["GFLOP"] = f"{row['gigaflop']:.3g}" if row["gigaflop"] < 10 else f"{row['gigaflop']:.0f}"
        if peak and not row["form"].endswith("(--amp)"):  # a float32 product is no measure of mixed precision
            cells["of matmul peak"] = f"{row['gigaflop'] / median / peak:.0%}"
    if "gigabyte" in row and copy_peak:
        cells["of copy peak"] = f"{row['gigabyte'] / median / copy_peak:.0%}"
    if "peak_bytes" in row:
        cells["peak MB"] = f"{row['peak_bytes'] / 1e6:.0f}"
    if "peak_over_output" in row:
        cells["memory / output"] = f"{row['peak_over_output']:.1f}"
    return cells


def _note(facts: Content, report: Content, peak: float) -> str:
    parts = []
    if carafe := report.get("carafe_speedup"):
        ratios = "; ".join(f"{task} {ratio(each['median'])} ({_range(each)})" for task, each in carafe.items())
        parts.append(f"In the same settings CARAFE-FPN is this many times faster than R50-FPN: {ratios}.")
    if "matmul_peak_gflops" in report:
        parts.append(f"Peak: {peak:.0f} GFLOP/s in a float32 matrix product.")
    if "copy_peak_gbytes" in report:
        parts.append(f"{report['copy_peak_gbytes']:.0f} GB/s in a copy.")
    machine = report["machine"]
    parts.append(f"{machine['gpu'] or machine['cpu']}, {machine['cores']} cores, torch {machine['torch']};")
    parts.append(f"{facts['rounds']} rounds{', quick' if facts['quick'] else ''}, started {facts['started']},")
    parts.append(f"{facts['seconds'] / 60:.1f} minutes, load before {facts['load_average'][0]:.2f},")
    return " ".join([*parts, f"code {facts['code']}: `{facts['command']}`"])


def ratio(value: float) -> str:
    """How many times faster."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _range(ratios: Content) -> str:
    return f"{ratio(ratios['min'])} to {ratio(ratios['max'])}"
