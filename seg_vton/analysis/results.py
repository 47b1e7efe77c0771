"""Results that `tools/test.py` and `tools/analysis/label_map_iou.py` wrote, as a data frame with a line a run."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from seg_vton.analysis import paper
from seg_vton.errors import UserError
from seg_vton.files import read_json

Content = dict[str, Any]

COST_SCHEMA = 1
COST_FILE = "model-cost.json"
"""What `seg_vton.analysis.model_cost` writes: costs are taken from files of this name among the results."""
COST_FACTS = ("neck", "backbone", "image_scale")
"""What a result's row must share with a cost beside the config's name, which `--cfg-options` may have made untrue."""

TASKS = ("segmentation", "parsing", "tryon")
_TEXTS = ("config", "config_sha256", "checkpoint", "checkpoint_sha256", "command", "date", "dataset", "split")
_REQUIRED = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(("machine", "training", "metrics", "per_class", "row"), dict),
    "images": int,
}
_REQUIRED_OF = {
    "parsing": dict.fromkeys(("convention", "converted"), dict),
    "tryon": {"stage": str, "pairs": str, "image_size": list, "convention": dict, "not_reported": dict},
}
_FACTS = (
    *("optimizer", "learning_rate", "epochs", "iterations", "precision", "image_scale", "detector_weights"),
    "test_time_augmentation",
)
_FACTS_OF = {"tryon": ("stage", "aux", "aux_head", "iterations")}
_SAME_TEST = ("config", "dataset", "split", "pairs", "images", "image_size", "row", "convention")
_FORMS = {
    "KID": "{:.5f}",
    **dict.fromkeys(("FID", "PSNR", "s a step", "test images/s"), "{:.2f}"),
    **{"warped-garment L1": "{:.4f}", "M parameters": "{:.1f}", "GFLOP an image": "{:.0f}"},
    "box-head train accuracy %": "{:.1f}",
}
_NECK_ORDER = (
    "FPN",
    "FPN + conv P6 (nearest)",
    "CARAFE, neck only",
    "CARAFE, mask head only",
    "CARAFE-FPN",
    "panoptic FPN",
)


def read_runs(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Reads result files, of folders those at any depth.

    Returns:
        A line a run: `task`, `#` (the number of its row in the task's table; runs that differ in the seed alone share
        it), `row` (the row's name), `config`, `dataset`, `split`, `pairs`, `stage`, `images`, `seed`, every number
        under its name (`segm AP50`, `SSIM`, `skin IoU`, `M parameters`), None where the run has none, and `content`,
        the file's. Rows come in the papers' order. Of a checkpoint that was tested twice in the same way the latest
        test counts.

    Raises:
        UserError: a path is missing, a file is broken or of another schema or task, or there is no result at all.
    """
    paths = [Path(path) for path in paths]
    costs, found = _read_costs(paths), {}
    for file in _result_files(paths):
        content = read_json(file)
        if file not in paths and not (isinstance(content, dict) and "schema" in content):
            continue  # predictions, or another tool's file, that is called like a result
        content = _checked(content, file)
        models = content["checkpoint_sha256"], (content.get("warper") or {}).get("checkpoint_sha256")
        key = repr([*models, *(content.get(name) for name in _SAME_TEST)])
        if key not in found or found[key]["date"] <= content["date"]:
            found[key] = content
    if not found:
        searched = ", ".join(map(str, paths))
        raise UserError(f"no result file in {searched}: tools/test.py writes them, as CHECKPOINT.DATASET-SPLIT.json")
    contents = sorted(found.values(), key=lambda run: (_order(run), _row_key(run), run["training"].get("seed") or 0))
    runs = pd.DataFrame([_line(run, costs) for run in contents], dtype=object)  # so that seeds stay whole numbers
    keys = pd.Series([_row_key(run) for run in contents])
    # What one TOM gives with several GMMs are rows of their own, whose mean would not be over seeds.
    several = (keys + pd.Series([run["checkpoint_sha256"] for run in contents])).duplicated(keep=False)
    warpers = pd.Series([str(run.get("warper")) for run in contents])
    keys = keys.mask(several.groupby(keys).transform("any"), keys + warpers)
    runs.insert(0, "#", keys.groupby(runs["task"]).transform(lambda column: pd.factorize(column)[0] + 1))
    return runs.where(runs.notna(), None)


def _result_files(paths: Iterable[Path]) -> list[Path]:
    files: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} does not exist: give work dirs or result files that tools/test.py wrote")
        # The names are those of seg_vton.engine.results.result_path: CHECKPOINT.DATASET-SPLIT.json.
        for file in [path] if path.is_file() else sorted(path.rglob("*.*-*.json")):
            if file.name != COST_FILE:
                files.setdefault(file.resolve(), file)
    return list(files.values())


def _checked(content: Any, path: Path) -> Content:
    """A result with its task, or `UserError`."""
    from seg_vton.engine.results import SCHEMA  # here, since the help of tables needs none of the engine

    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise UserError(
            f"{path} is not a result file of schema {SCHEMA} (its schema: {schema}): test the checkpoint again with "
            "tools/test.py"
        )
    content = {"task": "segmentation", **content}
    if content["task"] not in TASKS:
        raise UserError(f"{path} is a result of the task {content['task']!r}; there are tables of {', '.join(TASKS)}")
    kinds = _REQUIRED | _REQUIRED_OF.get(content["task"], {})
    missing = [key for key, kind in kinds.items() if not isinstance(content.get(key), kind)]
    if not missing:
        missing = [f"per_class.{name}" for name, entry in content["per_class"].items() if not isinstance(entry, dict)]
        # "optimiser" is how results of before November 2026 spell it.
        row = {("optimizer" if key == "optimiser" else key): value for key, value in content["row"].items()}
        missing += [f"row.{fact}" for fact in _FACTS_OF.get(content["task"], _FACTS) if fact not in row]
        content["row"] = row
    if missing:
        raise UserError(
            f"{path} lacks {', '.join(missing)} or has something else there: test the checkpoint again with "
            "tools/test.py"
        )
    return content


def _read_costs(paths: Iterable[Path]) -> dict[str, Content]:
    """What `tools/analysis/model_cost.py` wrote, by the configs' names."""
    costs = {}
    for path in paths:
        for file in [path] if path.name == COST_FILE else sorted(path.rglob(COST_FILE)):
            content = read_json(file)
            if not isinstance(content, dict) or content.get("schema") != COST_SCHEMA or "rows" not in content:
                raise UserError(f"{file} is not what tools/analysis/model_cost.py writes: make it again")
            costs.update(content["rows"])
    return costs


def _row_key(run: Content) -> str:
    """What runs of one row share: all but the seed, and the warper's seed of a TOM."""
    training = run["training"]
    # A try-on test's config has the warper's checkpoint in it, which differs from seed to seed; `row` has its recipe.
    trained = [training.get("iterations")] if run["task"] == "tryon" else [run["config_sha256"], training.get("epoch")]
    return repr([*(run.get(name) for name in _SAME_TEST), *trained])


def _order(run: Content) -> tuple[Any, ...]:
    """Sorts as the papers' tables do, a task after the other."""
    facts, where = run["row"], (run["dataset"], run["split"] != "val", run["split"])
    if run["task"] == "tryon":
        decoders = bool(facts.get("warper_aux")), bool(facts["aux"])
        loss, by_class = decoder_weights(facts)
        return 2, facts["stage"] != "tom", *where, *decoders, run["config"], (loss or 1, *by_class.values())
    return int(run["task"] == "parsing"), *paper_order(facts, *where)


def decoder_weights(facts: Mapping[str, Any]) -> tuple[float | None, dict[str, float]]:
    """A decoder's factor of the loss and its weights by class, without what is no number: a user's own may have any."""
    head = facts["aux_head"] or {}
    loss, weights = head.get("loss_weight"), head.get("class_weight")
    by_class = weights if isinstance(weights, Mapping) else {}
    numbers = {name: x for name, x in by_class.items() if isinstance(x, int | float)}
    return loss if isinstance(loss, int | float) else None, numbers


def paper_order(facts: Mapping[str, Any], *where: Any) -> tuple[Any, ...]:
    """A segmentation row's place: data, architecture, optimizer, falling learning rate, epochs."""
    neck = facts.get("neck")
    rank = _NECK_ORDER.index(neck) if neck in _NECK_ORDER else len(_NECK_ORDER)
    return *where, rank, facts["optimizer"], -facts["learning_rate"], facts["epochs"] or 0


def _line(run: Content, costs: dict[str, Content]) -> dict[str, Any]:
    names = ("task", "config", "dataset", "split", "pairs", "stage", "images")
    line = {"row": row_name(run), **{name: run.get(name) for name in names}, "seed": run["training"].get("seed")}
    for name, value in run["metrics"].items():
        numbers = {f"{name} {part}": x for part, x in value.items()} if isinstance(value, dict) else {name: value}
        line |= {part: x for part, x in numbers.items() if isinstance(x, int | float)}  # one's own metric may be a text
    for space, converted in run.get("converted", {}).items():
        line[f"mIoU in {space}"] = converted["metrics"]["mIoU"]
    for name, entry in run["per_class"].items():
        line |= {f"{name} {key}": value for key, value in class_numbers(entry).items()}
    cost = costs.get(run["config"])
    # `--cfg-options` may have made another model of the config.
    if cost and all(run["row"].get(key) == cost["row"][key] for key in COST_FACTS):
        line |= {"M parameters": cost["parameters"] / 1e6, "GFLOP an image": cost["gigaflop"]}
    line["s a step"] = run["training"].get("seconds_per_iteration")
    line["test images/s"] = run.get("images_per_second")
    line["box-head train accuracy %"] = run["training"].get("train_accuracy")
    return {**line, "content": run}


def class_numbers(entry: Content) -> dict[str, float | None]:
    """AP by kind, or IoU, of an entry of `per_class`."""
    numbers = {f"{kind} {name}": x for kind, v in entry.items() if isinstance(v, dict) for name, x in v.items()}
    if "IoU" in entry or "iou" in entry:  # try-on's metrics and the label maps' spell it so
        numbers["IoU"] = entry.get("IoU", entry.get("iou"))
    return numbers


def row_name(run: Content) -> str:
    """What the paper calls the row, or would."""
    facts = run["row"]
    if run["task"] != "tryon":
        name = facts.get("neck", run["config"])
        name += f", from {facts['detector_weights']}" if facts["detector_weights"] else ""
        name += ", flip TTA" if facts["test_time_augmentation"] else ""
        name += ", weighted classes" if facts.get("class_weight") else ""
        masks = facts.get("instance_masks")
        name += "" if masks is None else f", masks: {masks if isinstance(masks, str) else 'by class'}"
        return ", ".join([name, *facts.get("augmentation", ())])
    if found := paper.find_tryon_row(facts):
        return found.name
    own = (isinstance(decoder, str) for decoder in (facts["aux"], facts.get("warper_aux")))
    if facts["stage"] not in ("gmm", "tom") or any(own):
        return run["config"]
    if facts.get("person_channels"):
        return f"person representation of {facts['person_channels']} channels" + (", decoder" if facts["aux"] else "")
    if facts["stage"] == "gmm":
        return "auxiliary learning in GMM" if facts["aux"] else paper.TRYON_ROWS[False, False].name
    if facts["warper_aux"]:
        return "auxiliary learning in GMM"
    return f"TOM on {facts['warper']}" + (", decoder" if facts["aux"] else "")


def form(name: str) -> Callable[[float], str]:
    """How a number is written: fractions as papers do, .602."""
    if name in _FORMS:
        return _FORMS[name].format
    return lambda value: f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.3f}"


def published(run: Content) -> dict[str, float]:
    """The paper's numbers for the row of the same recipe, by their names here; empty where it has none."""
    facts = run["row"]
    planned = {"epoch": facts["epochs"]} if facts.get("epochs") else {"iterations": facts.get("iterations")}
    finished = all(run["training"].get(key) in (None, end) for key, end in planned.items())  # as far as it is known
    if run["task"] == "parsing" or not finished:
        return {}
    if run["task"] == "tryon":
        found = paper.find_tryon_row(facts)
    else:
        found = paper.find_row(facts, run["dataset"], run["split"])
    return found.numbers if found else {}


def is_comparable(run: Content) -> bool:
    """Whether a number was measured on the very images that the paper measured on."""
    if run["task"] == "tryon":
        same = (run["dataset"], run["images"], run["image_size"], run["pairs"])
        return same == (paper.TRYON_DATASET, paper.TRYON_IMAGES, paper.TRYON_SIZE, "paired")
    return run["dataset"] == paper.DATASET and run["images"] == paper.IMAGES.get(run["split"])
