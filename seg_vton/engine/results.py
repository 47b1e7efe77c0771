"""The JSON that a test run leaves beside its checkpoint; every table in the repo is made from these."""

import ast
import datetime
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table

from seg_vton import machine
from seg_vton.engine.checkpoint import checkpoint_meta, load_checkpoint_file
from seg_vton.files import sha256, write_json

SCHEMA = 1
ORIGIN = "origin"
"""Key of a checkpoint's `meta`: what `origin` was in the process that saved it."""


def origin() -> dict[str, str]:
    """Commit, command and date of this process."""
    date = datetime.date.today().isoformat()
    return {"code": machine.code_version(), "command": machine.command_line(), "date": date}


def config_hash(config: Config) -> str:
    """SHA-256 of the resolved config without what does not change a result: output folder, launcher, resume.

    It is taken of sorted JSON: mmengine's own text of a config is set by yapf, whose versions differ.
    """
    resolved = {key: value for key, value in config.to_dict().items() if key not in ("work_dir", "launcher", "resume")}
    return hashlib.sha256(json.dumps(resolved, sort_keys=True, default=repr).encode()).hexdigest()


class _DictCalls(ast.NodeTransformer):
    """Turns `dict(a=1)` and `dict({'a': 1})` into `{'a': 1}`, so that a config's text is made of literals alone."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """The call of `dict` as a literal; any other call as it is."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id != "dict":
            return node
        if node.args:
            return node.args[0] if len(node.args) == 1 and not node.keywords else node
        keys = [keyword.arg and ast.Constant(keyword.arg) for keyword in node.keywords]
        return ast.Dict(keys=keys, values=[keyword.value for keyword in node.keywords])


def parse_config_text(text: str) -> Config | None:
    """Reads mmengine's `pretty_text` of a config without running it; None where it is not literals all through."""
    try:
        statements = ast.parse(text).body
        return Config({s.targets[0].id: ast.literal_eval(_DictCalls().visit(s.value)) for s in statements})
    except (SyntaxError, ValueError, AttributeError, TypeError, KeyError, RecursionError, MemoryError):
        return None


def trained_config(checkpoint_path: Path) -> Config | None:
    """The resolved config, options included, that a checkpoint was trained with; None where it has none."""
    meta = checkpoint_meta(load_checkpoint_file(checkpoint_path, map_location="cpu"))
    config = parse_config_text(meta["cfg"]) if isinstance(meta.get("cfg"), str) else None
    complete = config is not None and {"model", "optim_wrapper", "train_cfg", "train_dataloader"} <= set(config)
    return config if complete else None


def training_facts(checkpoint_path: Path) -> dict[str, Any]:
    """What the checkpoint knows of its training.

    Returns:
        `seed`, `epoch`, `iterations`; `code` (the commit), `command` and `date` of the process that saved it;
        `train_accuracy` (the box head's, percent, mean over the last 50 iterations) and `seconds_per_iteration`
        (median); None for what is not known. `records` of the data set, where it had some, say by which checkpoint and
        settings its files were made, by role. Empty for a bare state dict.
    """
    checkpoint = load_checkpoint_file(checkpoint_path, map_location="cpu")
    meta, hub = checkpoint_meta(checkpoint), checkpoint.get("message_hub")
    if hub is None and not {"seed", "epoch", "iter"} & set(meta):
        return {}
    scalars = hub["log_scalars"] if hub else {}
    trained = meta[ORIGIN] if isinstance(meta.get(ORIGIN), dict) else {}
    accuracy, time = scalars.get("train/acc"), scalars.get("train/time")
    data = meta.get("dataset_meta")
    records = data.get("records") if isinstance(data, dict) else None
    return {
        "seed": meta.get("seed"),
        "epoch": meta.get("epoch"),
        "iterations": meta.get("iter"),
        **{key: trained.get(key) for key in ("code", "command", "date")},
        "train_accuracy": None if accuracy is None else float(accuracy.mean(50)),
        "seconds_per_iteration": None if time is None else float(sorted(time.data[0])[len(time.data[0]) // 2]),
        **({"records": records} if records else {}),
    }


def log_tables(*tables: Table, width: int = 120) -> None:
    """Writes tables to the run's log, so many characters wide."""
    text = io.StringIO()
    Console(width=width, file=text).print(*tables)
    MMLogger.get_current_instance().info("\n" + text.getvalue())


def result_path(checkpoint: str | Path, dataset: str, split: str) -> Path:
    """Where the result of a checkpoint on a split is written: `epoch_2.pth` -> `epoch_2.ccp-val.json`."""
    checkpoint = Path(checkpoint)
    return checkpoint.with_name(f"{checkpoint.stem}.{dataset}-{split}.json")


def write_result(
    path: Path, report: dict[str, Any], config_facts: dict[str, Any], checkpoint: Path, overwrite: bool
) -> None:
    """Writes a metric's `report` with where it comes from: code, command, config, checkpoint, machine class, date.

    Args:
        path: where to, from `result_path`.
        report: with `dataset`, `split` and `metrics`.
        config_facts: the config's name and hash and the row it stands for, taken before the run changed it.
        checkpoint: the tested file.
        overwrite: whether an existing result may be replaced; else it is a `UserError`.
    """
    content = {
        "schema": SCHEMA,
        **config_facts,
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": sha256(checkpoint),
        **origin(),
        "machine": machine.describe(),
        "training": training_facts(checkpoint),
        **report,
    }
    write_json(path, content, overwrite=overwrite, indent=1)
