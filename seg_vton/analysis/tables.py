"""Markdown tables of results, of benchmarks and of the fault suite's records, printed or put into documents."""

import argparse
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seg_vton.analysis import paper
from seg_vton.analysis.contrast import change_table
from seg_vton.analysis.results import (
    Content,
    class_numbers,
    decoder_weights,
    form,
    is_comparable,
    paper_order,
    published,
    read_runs,
)
from seg_vton.errors import UserError
from seg_vton.files import read_json, write_text

KINDS = ("bbox", "segm", "boundary")
METRICS = {
    "segmentation": [
        *(f"{kind} {name}" for kind in KINDS for name in ("AP", "AP50", "AP75")),
        *("M parameters", "GFLOP an image", "s a step", "test images/s", "box-head train accuracy %"),
    ],
    "parsing": [
        *("mIoU", "mIoU_foreground", "boundary_mIoU", "pixel_accuracy", "foreground_accuracy", "mean_accuracy")
    ],
    "tom": ["FID", "KID", "LPIPS", "SSIM", "MS-SSIM", "PSNR", "mIoU", "warped-mask IoU"],
    "gmm": ["mIoU", "warped-mask IoU", "warped-garment L1"],
}
_KNOWN = {name for names in METRICS.values() for name in names}  # any other is a metric of a researcher's own
CHANGES = {
    "segmentation": [f"{kind} {name}" for kind in KINDS for name in ("AP", "AP50")],
    "parsing": METRICS["parsing"],
    "tom": ["FID", "SSIM", "MS-SSIM", "PSNR"],
    "gmm": ["warped-mask IoU", "warped-garment L1"],
}
NOTES = {
    "segmentation": "AP is COCO's, from 0 to 1; boundary AP is that of Cheng et al. (CVPR 2021), 2 % of the diagonal. "
    "Seconds depend on the machine and on what else ran there, so they cannot be compared.",
    "parsing": "IoU and accuracies are from 0 to 1, over all images' pixels; means are over the classes in the truth.",
    "tryon": "mIoU is that of the stage's own auxiliary decoder, warped-mask IoU that of the GMM's warp.",
}


def cell(runs: pd.DataFrame, name: str) -> str:
    """A number of a row: that of its one run, or mean [min, max] over its runs; '-' where a run has none."""
    if name not in runs or runs[name].isna().any():
        return "-"
    write = form(name)
    text = write(runs[name].mean())
    return text if runs[name].nunique() == 1 else f"{text} [{write(runs[name].min())}, {write(runs[name].max())}]"


def without_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of texts without the columns that have nothing but '-'."""
    return frame.loc[:, [name for name in frame if (frame[name] != "-").any()]]


def markdown(frame: pd.DataFrame) -> str:
    """A Markdown table; columns that have nothing but '-' are left out, numbers stand to the right."""
    frame = without_empty(frame).map(lambda text: str(text).replace("|", r"\|"))
    number = re.compile(r"-|\[.*\]|[-+]?[\d.,]+%?( \[.*\]| m?s| to [\d.]+)?")
    sides = ["right" if all(map(number.fullmatch, frame[name])) else "left" for name in frame]
    return frame.to_markdown(index=False, disable_numparse=True, colalign=sides)


# ---- rows


def _first_columns(run: Content) -> dict[str, str]:
    """What a row is, before its numbers."""
    facts = run["row"]
    if run["task"] == "parsing":
        how = run["convention"]
        which = "best of each class" if how["one_per_class"] else "all instances"
        holes = "filled" if how["fill_holes"] else "kept"
        instances, made_of = f"{which}, score {how['score_thr']:g}", how.get("map", "instances")
        text = {"instances": f"{instances}, holes {holes}", "fused": f"semantic map, accessories: {instances}"}
        return {"label maps from": text.get(made_of, "semantic map")}
    if run["task"] == "tryon":
        return {"GMM": facts.get("warper", run["config"]), "TOM": run["config"] if run["stage"] == "tom" else "-"}
    if facts["epochs"] is None:
        length = _of(run, "iterations", facts["iterations"]) + " iterations"
    else:
        length = _of(run, "epoch", facts["epochs"])
    return {"optimizer": facts["optimizer"], "lr": f"{facts['learning_rate']:g}", "epochs": length}


def _of(run: Content, unit: str, planned: int | None) -> str:
    """The training's length, `2`, or `1 of 2` where a checkpoint of an unfinished one was tested."""
    done = run["training"].get(unit)
    return f"{planned}" if done in (None, planned) else f"{done} of {planned}"


def _last_columns(runs: pd.DataFrame) -> dict[str, str]:
    """Data, training and test of a row, after its numbers."""
    run = runs["content"].iloc[0]
    facts, numbers = run["row"], published(run)
    columns = {"paper": _listed(numbers)}
    if numbers and not is_comparable(run):
        where = "VITON" if run["task"] == "tryon" else "DeepFashion"
        columns["paper"] += f" on {where}: other images, not comparable"
    data = f"{run['dataset']} {run['split'].partition('-label-map')[0]}, {run['images']} images"
    if run["task"] == "tryon":
        head, (loss, weights) = facts["aux_head"] or {}, decoder_weights(facts)
        own, space = facts["aux"] if isinstance(facts["aux"], str) else None, head.get("label_space")
        names = list(filter(None, (own, space))) or ["AuxSegHead"]
        text = ", ".join([*names, *(f"{name} x{x:g}" for name, x in weights.items())])
        columns["auxiliary decoder"] = text + ("" if loss is None else f"; loss x{loss:g}") if head else "-"
        data += f" of {run['image_size'][0]} x {run['image_size'][1]}, {run['pairs']}"
        columns["trained with"] = "-"  # results of before it was noted lack it
        if "maps" in facts:
            maps = "the segmenter's maps" if facts["maps"] == "predicted" else "the labels' maps"
            columns["trained with"] = f"{maps}, {'known warps, ' if facts['known_warps'] else ''}{facts['precision']}"
        columns["iterations"] = _of(run, "iterations", facts["iterations"])
    elif run["task"] == "segmentation":
        columns["trained in"] = facts["precision"]
        data += ", resized to fit {}x{}".format(*facts["image_scale"]) if facts["image_scale"] else ""
    seeds = ", ".join("unknown" if pd.isna(seed) else str(int(seed)) for seed in runs["seed"])
    return columns | {
        "data": data,
        "seeds": seeds if len(runs) == 1 else f"{seeds} (n = {len(runs)})",
        "tested on": ", ".join(dict.fromkeys(map(machine, runs["content"]))),
        "date": ", ".join(dict.fromkeys(run["date"] for run in runs["content"])),
    }


def machine(run: Content) -> str:
    """The class of machine that something ran on."""
    found = run["machine"]
    cores = "1 core" if found["cores"] == 1 else f"{found['cores']} cores"
    return found["gpu"] or f"{cores}, {found['cpu'].replace('(R)', '').replace('(TM)', '')}"


def _listed(numbers: dict[str, float]) -> str:
    return ", ".join(f"{name} {form(name)(x)}" for name, x in numbers.items()) or "-"


def row_table(runs: pd.DataFrame, all_rows: bool = False, metrics: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of one task and stage, as texts.

    `all_rows` also lists the paper's rows that were not run; `metrics` shows these numbers alone, beside only what
    tells the rows apart.
    """
    task, stage = runs[["task", "stage"]].iloc[0]
    others = (name for run in runs["content"] for name, value in run["metrics"].items() if not isinstance(value, dict))
    spaces = (name for name in runs if name.startswith("mIoU in "))
    names = metrics or [*METRICS[stage or task], *dict.fromkeys(x for x in others if x not in _KNOWN), *spaces]
    lines = []  # with what they are sorted by
    for number, group in runs.groupby("#"):
        run = group["content"].iloc[0]
        key = paper_order(run["row"], run["dataset"], run["split"] != "val") if task == "segmentation" else ()
        first = {"#": str(number), "row": group["row"].iloc[0], **_first_columns(run)}
        lines.append((key, first | {name: cell(group, name) for name in names} | _last_columns(group)))
    columns = list(lines[0][1])
    lines += _rows_not_run(runs, task, stage) if all_rows else []
    lines.sort(key=lambda line: line[0])
    frame = pd.DataFrame([cells for _, cells in lines], columns=columns).fillna("-")
    if metrics:
        told = frame.where(frame != "-")  # rows without a decoder are told apart by their name already
        beside = {"#", "row", "GMM", "TOM", *metrics, "paper", "seeds", "tested on", "date"}
        kept = ["row", *(x for x in told if x not in beside and told[x].nunique() > 1), *metrics, "seeds"]
        frame = frame[kept] if "data" in kept else frame[kept].rename(columns={"row": f"row, on {frame['data'][0]}"})
    return without_empty(frame)


def _rows_not_run(runs: pd.DataFrame, task: str, stage: str | None) -> list[tuple[tuple[Any, ...], dict[str, str]]]:
    """Sort keys and cells of the paper's rows that `runs` lack, of segmentation those on the validation images."""
    found: list[tuple[tuple[Any, ...], dict[str, str], dict[str, float]]] = []
    if task == "segmentation":
        data = f"{paper.DATASET} val, {paper.IMAGES['val']} images"
        for row in (row for row in paper.SEGMENTATION_ROWS if row.split == "val"):
            recipe = {"optimizer": row.optimizer, "lr": f"{row.learning_rate:g}", "epochs": str(row.epochs)}
            key = paper_order(row._asdict(), paper.DATASET, False)
            found.append((key, {"row": row.neck, **recipe, "data": data}, row.numbers))
    elif stage == "tom":
        data = "{} test, {} images of {} x {}".format(paper.TRYON_DATASET, paper.TRYON_IMAGES, *paper.TRYON_SIZE)
        found = [((), {"row": row.name, "data": data}, row.numbers) for row in paper.TRYON_ROWS.values()]
    ours = [published(run) for run in runs["content"] if is_comparable(run)]
    return [
        (key, {"#": "-", **cells, "paper": _listed(numbers), "seeds": "not run here"})
        for key, cells, numbers in found
        if numbers not in ours
    ]


# ---- what stands below the rows


def class_tables(runs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Titles and tables by class, one for each truth: the same data, classes and counts. Some rows have no classes."""
    truths: dict[tuple[Any, ...], list[pd.DataFrame]] = {}
    for _, group in runs.groupby("#"):
        run = group["content"].iloc[0]
        counts = tuple((name, each.get("instances", each.get("pixels"))) for name, each in run["per_class"].items())
        split = re.sub("(-label-map)-.*", r"\1", run["split"])  # what a map is made of: the truth is the same
        truths.setdefault((run["dataset"], split, counts), []).append(group)
    tables = []
    for (dataset, split, counts), groups in truths.items():
        unit = "instances" if runs["task"].iloc[0] == "segmentation" else "pixels"
        frame = pd.DataFrame({"class": [name for name, _ in counts], unit: [str(count) for _, count in counts]})
        for group in groups:
            entries = group["content"].iloc[0]["per_class"].values()
            numbers = dict.fromkeys(name for entry in entries for name in class_numbers(entry))
            for number in numbers:
                cells = [cell(group, f"{name} {number}") for name, _ in counts]
                frame[f"#{group['#'].iloc[0]} {number}"] = cells
        if counts:
            tables.append((f"By class, {dataset} {split}", without_empty(frame)))
    return tables


def conventions(runs: pd.DataFrame) -> str:
    """How each try-on metric was computed, and why one is missing, as the runs wrote it."""
    parts = []
    for title, key in (("Convention", "convention"), ("Not reported", "not_reported")):
        texts: dict[tuple[str, str], list[str]] = {}
        for number, group in runs.groupby("#"):
            run = group["content"].iloc[0]
            for name, text in run[key].items():
                if name in METRICS[run["stage"]] or name not in _KNOWN:
                    texts.setdefault((name, text), []).append(f"#{number}")
        lines = [f"- {name} ({', '.join(numbers)}): {text}" for (name, text), numbers in texts.items()]
        parts += [f"{title}:\n\n" + "\n".join(lines)] if lines else []
    return "\n\n".join(["<details><summary>How the numbers were computed</summary>", *parts, "</details>"])


def sources(runs: pd.DataFrame) -> str:
    """Config, checkpoints, code and commands of every run, by the rows' numbers."""
    lines = []
    for number, run in zip(runs["#"], runs["content"], strict=True):
        text = f"`{run['config']}` (sha256 {run['config_sha256'][:12]}), {_file(run)}"
        if warper := run.get("warper"):
            text += f", warped by `{warper['config']}`, {_file(warper)}"
        text += f": `{run['command']}`" + (f" (code {run['code']})" if run.get("code") else "")
        training = run["training"]
        if training.get("command"):
            text += f"; trained on {training['date']} by `{training['command']}` (code {training['code']})"
        lines.append(f"- #{number}, seed {training.get('seed', 'unknown')}: {text}")
    return "\n".join(["<details><summary>Where each number comes from</summary>", "", *lines, "", "</details>"])


def _file(tested: Content) -> str:
    return f"`{tested['checkpoint']}` (sha256 {tested['checkpoint_sha256'][:12]})"


def result_tables(runs: pd.DataFrame, all_rows: bool = False, per_class: bool = False) -> str:
    """All about runs: a table for each task and stage, notes, classes if asked for, and where numbers come from."""
    parts = []
    for task, same in runs.groupby("task", sort=False):
        for _, rows in same.groupby("stage", sort=False, dropna=False):
            parts.append(markdown(row_table(rows, all_rows)))
        parts.append(NOTES[task] + " Several seeds: mean [min, max]." * (same["#"].nunique() < len(same)))
        parts += [conventions(same)] if task == "tryon" else []
        parts += [f"{name}:\n\n{markdown(table)}" for name, table in class_tables(same)] if per_class else []
        parts.append(sources(same))
    return "\n\n".join(parts)


# ---- the fault suite


def fault_table(records: pd.DataFrame) -> str:
    """What the fault suite promises, how it is tried, how often and how often in vain; what rows share stands once."""

    def figures(each: Content) -> str:
        texts = {name: " ".join(map(str, x)) if isinstance(x, list) else x for name, x in each.items()}
        return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in texts.items())

    frame = records.rename(columns={"tried": "trials"})
    frame[["trials", "lost"]] = frame[["trials", "lost"]].map("{:,}".format)
    frame["figures"] = frame["figures"].map(figures)
    shared = {key: frame.pop(key).iloc[0] for key in ("promise", "form", "date") if frame[key].nunique() == 1}
    columns = ("name", "promise", "how", "trials", "lost", "figures", "form", "date")
    table = markdown(frame[[name for name in columns if name in frame]].replace("", "-"))
    lead = [f"Promise: {shared.pop('promise')}"] if "promise" in shared else []
    note = [f"All rows: {', '.join(f'{key} {value}' for key, value in shared.items())}."] if shared else []
    return "\n\n".join([*lead, table, *note])


def score_table(names: Iterable[str], reports: Iterable[Content], where: Iterable[str] = ()) -> str:
    """Numbers that `tools/score.py` wrote: a row for each method, beside the name of its file."""
    lines = []
    for name, report in zip(names, reports, strict=True):
        size = "{} x {}".format(*report["image_size"])
        for method in report["methods"]:
            shown = {number: form(number)(value) for number, value in method["metrics"].items()}
            for number, ends in method["intervals"].items():
                shown[number] += f" [{', '.join(map(form(number), ends))}]"
            facts = {"size": size, "pairs": report["pairs"], "images": method["images"]}
            lines.append({"protocol": name, "pictures": Path(method["results"]).name, **facts, **shown})
    return markdown(_select(pd.DataFrame(lines).fillna("-"), where))


# ---- what tools/benchmark.py measured


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
    return "\n\n".join(_benchmark_table(name, found) for name in (only or found))


def _benchmark_table(name: str, found: dict[str, Content]) -> str:
    facts, report = found[name], found[name]["report"]
    # A machine's speed drifts, and the few products of one process may all fall into a slow minute. So shares are of
    # the best product that any benchmark of the file found on the machine.
    same = [each["report"] for each in found.values() if each["report"]["machine"] == report["machine"]]
    peak = max((each.get("matmul_peak_gflops", 0) for each in same), default=0)
    rows = report["rows"] + [{"task": "inputs of one item", **row} for row in report.get("data", {}).get("rows", [])]
    frame = pd.DataFrame([_benchmark_cells(row, peak, report.get("copy_peak_gbytes")) for row in rows])
    return f"{markdown(frame.fillna('-'))}\n\n{_benchmark_note(facts, report, peak)}"


def _benchmark_cells(row: Content, peak: float, copy_peak: float | None) -> dict[str, str]:
    case = row.get("task")
    if "place" in row:
        both = "forward + backward" if row["pass"] == "both" else "forward"
        case = f"{row['place']} {'x'.join(map(str, row['shape']))}, {both}"
    ratios, median = row["speedup"], row["median"]
    cells = {"case": case, "form": row["form"]}
    cells["median"] = f"{median:.2f} s" if median >= 0.9995 else f"{1e3 * median:.3g} ms"
    cells["times faster"] = _ratio(ratios["median"])
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


def _benchmark_note(facts: Content, report: Content, peak: float) -> str:
    parts = []
    for name, times in report.get("time_beside_fpn", {}).items():
        ratios = " and ".join(f"{_ratio(each['median'])} ({_range(each)}) for {task}" for task, each in times.items())
        parts.append(f"{name}: takes R50-FPN's time in the same settings times {ratios}.")
    if "matmul_peak_gflops" in report:
        parts.append(f"Peak: {peak:.0f} GFLOP/s in a float32 matrix product.")
    if "copy_peak_gbytes" in report:
        parts.append(f"{report['copy_peak_gbytes']:.0f} GB/s in a copy.")
    machine = report["machine"]
    parts.append(f"{machine['gpu'] or machine['cpu']}, {machine['cores']} cores, torch {machine['torch']};")
    parts.append(f"{facts['rounds']} rounds{', quick' if facts['quick'] else ''}, started {facts['started']},")
    parts.append(f"{facts['seconds'] / 60:.1f} minutes, load before {facts['load_average'][0]:.2f},")
    return " ".join([*parts, f"code {facts['code']}: `{facts['command']}`"])


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _range(ratios: Content) -> str:
    return f"{_ratio(ratios['min'])} to {_ratio(ratios['max'])}"


# ---- the command line, which is also what stands in a document's markers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which files, and what of them."""
    results = "work dirs or results of tools/test.py, a JSON of tools/benchmark.py, a folder of JSONs of tools/score.py"
    parser.add_argument("paths", nargs="+", metavar="PATH", help=results)
    parser.add_argument("--where", nargs="+", default=[], metavar="KEY=VALUE", help="only these lines: stage=gmm")
    parser.add_argument("--metrics", nargs="+", default=[], metavar="NAME", help="a small table of these: 'segm AP'")
    changes = "the difference between two configs' rows, over the seeds and over the test images"
    parser.add_argument("--changes", nargs="+", default=[], metavar="[NAME=]CONFIG:CONFIG", help=changes)
    parser.add_argument("--all-rows", action="store_true", help="add the papers' rows that were not run")
    parser.add_argument("--per-class", action="store_true", help="add AP or IoU of every class")


def render(args: argparse.Namespace, root: Path = Path()) -> str:
    """The tables that the arguments of `add_arguments` ask for; paths are relative to `root`.

    `UserError` where a file is missing, broken or of another kind, an option has no meaning there, or nothing is left
    to show.
    """
    paths = [root / path for path in args.paths]
    if (text := _other_tables(paths, args.where)) is not None:
        if args.metrics or args.changes or args.all_rows or args.per_class:
            raise UserError(f"{paths[0]} has no results of tools/test.py, so --where alone can choose what to show")
        return text
    if (args.per_class and (args.metrics or args.changes)) or (args.all_rows and args.changes):
        raise UserError("--per-class goes with neither --metrics nor --changes, and --all-rows not with --changes")
    runs = _select(read_runs(paths), args.where)
    groups = [rows for _, rows in runs.groupby(["task", "stage"], sort=False, dropna=False)]
    if unknown := set(args.metrics) - set(runs):
        raise UserError(f"no run has {', '.join(sorted(unknown))}")
    if args.changes:
        names = args.metrics or list(
            dict.fromkeys(n for r in groups for n in CHANGES[r["stage"].iloc[0] or r["task"].iloc[0]])
        )
        return markdown(change_table(runs, args.changes, names))
    if args.metrics:
        return "\n\n".join(markdown(row_table(rows, args.all_rows, args.metrics)) for rows in groups)
    return result_tables(runs, args.all_rows, args.per_class)


def _other_tables(paths: Sequence[Path], where: Sequence[str]) -> str | None:
    """Tables of what other tools than tools/test.py wrote; None of anything else."""
    content = read_json(paths[0]) if len(paths) == 1 and paths[0].suffix == ".json" else None
    if isinstance(content, dict) and "benchmarks" in content:
        return benchmark_tables(paths[0], [value.removeprefix("benchmark=") for value in where])
    files = [file for path in paths if path.is_dir() for file in sorted(path.glob("*.json"))]
    records = list(map(read_json, files))
    if records and all(isinstance(record, dict) and "promise" in record for record in records):
        return fault_table(_select(pd.DataFrame(records), where))
    if records and all(isinstance(record, dict) and record.get("task") == "score" for record in records):
        return score_table([file.stem for file in files], records, where)
    return None


def _select(frame: pd.DataFrame, where: Iterable[str]) -> pd.DataFrame:
    for condition in where:
        key, _, value = condition.partition("=")
        if key not in frame:
            raise UserError(f"--where {condition}: there is no {key} to choose by")
        frame = frame[frame[key].astype(str) == value]
    if frame.empty:
        raise UserError(f"--where {' '.join(where)}: no row matches")
    return frame


_MARKED = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- /table -->)", re.DOTALL)


def fill(path: str | Path) -> None:
    """Puts tables between the markers of a Markdown file; the rest of the file stays.

    A table stands between `<!-- table: ARGUMENTS -->` and `<!-- /table -->`; the arguments are those of
    `tools/analysis/ablation_table.py`, with paths relative to the file. A file without markers is a `UserError`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8: save it as such") from None
    if not _MARKED.search(text) or text.count("<!-- table:") != text.count("<!-- /table -->"):
        raise UserError(f"{path} needs the lines <!-- table: ARGUMENTS --> and <!-- /table --> in pairs")
    write_text(path, filled(text, path.parent), overwrite=True)


def filled(text: str, root: Path) -> str:
    """The text of a document in `root` with the tables that its markers ask for."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    def table(found: re.Match[str]) -> str:
        try:
            arguments = parser.parse_args(shlex.split(found[2]))
        except (ValueError, SystemExit) as error:  # of open quotes; of arguments, which argparse has told by then
            raise UserError(f"in {root}: {found[1].strip()}: these arguments cannot be read ({error})") from None
        return f"{found[1]}\n{render(arguments, root)}\n\n{found[3]}"

    return _MARKED.sub(table, text)
