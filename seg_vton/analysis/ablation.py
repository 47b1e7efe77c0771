"""The ablation tables, made from the result files that test runs leave beside their checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from seg_vton.analysis import model_cost, parsing_table, segmentation_table, tryon_table
from seg_vton.analysis.result_rows import REQUIRED_KEYS, Content
from seg_vton.engine.results import SCHEMA
from seg_vton.errors import UserError
from seg_vton.files import read_json
from seg_vton.segmentation.rows import describe_row

CONFIG_ROOT = Path("configs")


def _result_files(path: Path) -> Iterator[tuple[Path, bool]]:
    """Files of results that `path` may mean, and whether the user named the file itself."""
    if path.is_file():
        if path.name != model_cost.FILE_NAME:
            yield path, True
    elif path.is_dir():
        # seg_vton.engine.results.result_path: CHECKPOINT.DATASET-SPLIT.json
        yield from ((found, False) for found in sorted(path.rglob("*.*-*.json")))
    else:
        raise UserError(f"{path} does not exist: give work dirs or result files that tools/test.py wrote")


def _check(content: Any, path: Path) -> None:
    """Raises `UserError` unless `content` is a result of this schema and a task with a table."""
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise UserError(
            f"{path} is not a result file of schema {SCHEMA} (its schema: {schema}): test the checkpoint again with "
            "tools/test.py"
        )
    task = content.get("task", "segmentation")
    if task not in TABLES:
        raise UserError(f"{path} is a result of the task {task!r}; there are tables of {', '.join(TABLES)}")
    missing = [key for key in TABLES[task].required_keys if key not in content]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}: test the checkpoint again with tools/test.py")


def _costs(paths: Iterable[Path]) -> dict[str, Content]:
    """`model_cost` by the configs' names, of all files of its name that `paths` may mean."""
    name, costs = model_cost.FILE_NAME, {}
    for path in paths:
        for file in [path] if path.name == name else sorted(path.rglob(name)):
            content = read_json(file)
            if not isinstance(content, dict) or content.get("schema") != model_cost.SCHEMA or "rows" not in content:
                raise UserError(f"{file} is not what tools/analysis/model_cost.py writes: make it again")
            costs.update(content["rows"])
    return costs


def _cost_of(content: Content, costs: dict[str, Content]) -> Content | None:
    """The cost of a result's config, unless options have made another model of it."""
    cost = costs.get(content["config"])
    same = cost is not None and all(content["row"].get(key) == cost["row"][key] for key in model_cost.ROW_FACTS)
    return cost if same else None


def _row_from_config(content: Content, path: Path) -> dict[str, Any]:
    """The row's facts for a result written without them: the config file of that name has them."""
    found = sorted(CONFIG_ROOT.rglob(f"{content['config']}.py"))
    if not found:
        raise UserError(
            f"{path} does not say what its row is, and no file under {CONFIG_ROOT} is called {content['config']}.py: "
            "run from the repository's root, or test the checkpoint again with tools/test.py"
        )
    return describe_row(Config.fromfile(found[0], import_custom_modules=False))


def collect(paths: Iterable[str | Path]) -> list[Content]:
    """Reads result files.

    Args:
        paths: result files, or folders that are searched for them to any depth.

    Returns:
        The files' contents, each with its `row`, `task` and `cost` (of `model_cost`; None where it was not counted); a
        file or checkpoint found twice comes once, by its latest test.

    Raises:
        UserError: a path is missing, a file is broken or of another schema or task, or there is no result at all.
    """
    paths = [Path(path) for path in paths]
    costs = _costs(paths)
    files = {file.resolve(): (file, named) for path in paths for file, named in _result_files(path)}
    results: dict[tuple[str, ...], Content] = {}
    for file, named in files.values():
        content = read_json(file)
        if not named and not (isinstance(content, dict) and "schema" in content):
            continue  # predictions, or another tool's file, that is called like a result
        _check(content, file)
        content = {"task": "segmentation", **content}
        content.setdefault("row", None)
        content["row"] = content["row"] or _row_from_config(content, file)
        content["cost"] = _cost_of(content, costs)
        key = (content["checkpoint_sha256"], content["dataset"], content["split"], repr(content["row"]))
        if key not in results or results[key]["date"] <= content["date"]:
            results[key] = content
    if not results:
        searched = ", ".join(map(str, paths))
        raise UserError(f"no result file in {searched}: tools/test.py writes them, as CHECKPOINT.DATASET-SPLIT.json")
    return list(results.values())


@dataclass(frozen=True)
class TaskTable:
    """How the results of a task become a table.

    Attributes:
        required_keys: what a result file of the task must have.
        render: from results, `all_rows` and `per_class` to Markdown.
    """

    required_keys: tuple[str, ...]
    render: Callable[[list[Content], bool, bool], str]


TABLES = {
    "segmentation": TaskTable(REQUIRED_KEYS, segmentation_table.render),
    "parsing": TaskTable(parsing_table.REQUIRED_KEYS, parsing_table.render),
    "tryon": TaskTable(tryon_table.REQUIRED_KEYS, tryon_table.render),
}
"""By a result's `task`; a result without one is of segmentation."""


def render(results: Iterable[Content], all_rows: bool = False, per_class: bool = False) -> str:
    """Markdown tables of results, one for each task; arguments as for `ablation_table`."""
    by_task: dict[str, list[Content]] = {}
    for result in results:
        by_task.setdefault(result["task"], []).append(result)
    tables = [table.render(by_task[task], all_rows, per_class) for task, table in TABLES.items() if task in by_task]
    return "\n\n".join(tables) + "\n"


def ablation_table(paths: Iterable[str | Path], all_rows: bool = False, per_class: bool = False) -> str:
    """Markdown tables of all results in `paths`, one for each task.

    Args:
        paths: result files and folders with them.
        all_rows: also list the paper's rows that were not run.
        per_class: add a table of AP, or for try-on of IoU, by class.

    Raises:
        UserError: see `collect`.
    """
    return render(collect(paths), all_rows, per_class)
