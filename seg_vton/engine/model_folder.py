"""A folder of trained models, which is loaded without running anything in it.

    model.json                   of each part: config as plain data, file and hash of weights, data, training, results
    segmenter.safetensors, ...   the weights
    README.md                    the model card, for readers and for model hubs

A config's Python may run; here only its resolved values are kept. They build registered classes alone and hold no text
that could name a file or be code, as mmdet evaluates some values and opens others.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, TASK_UTILS, TRANSFORMS, WEIGHT_INITIALIZERS

from seg_vton import __version__
from seg_vton.engine.checkpoint import SAFETENSORS, load_checkpoint_file, not_finite, state_of, write_safetensors
from seg_vton.engine.configs import data_sets
from seg_vton.engine.model_card import model_card
from seg_vton.engine.results import config_hash, training_facts
from seg_vton.errors import UserError
from seg_vton.files import atomic_folder, read_json, refuse_existing, sha256, write_json, write_text

FORMAT = 1
MODEL_JSON = "model.json"

PACKAGED = Path(__file__).parents[1] / "pretrained"
"""The model folder that comes with the package, if one does."""

_CONFIG_KEYS = ("default_scope", "model", "test_dataloader")
_RESULT_KEYS = ("task", "dataset", "split", "pairs", "images", "metrics", "per_class", "convention", "code", "date")
_TRAINING_KEYS = ("seed", "epoch", "iterations", "code", "date", "records")


@dataclass(frozen=True)
class Part:
    """One model of a folder."""

    config: Config  # `model`, `default_scope` and of the test data the pipeline and `image_size`
    weights: Path
    facts: dict[str, Any]  # all that `model.json` says of it

    def fact(self, key: str) -> Any:
        """What `model.json` says of the part under a key of `_FACTS`; `UserError` where it is missing or no such."""
        return _field(self.weights.with_name(MODEL_JSON), self.weights.stem, self.facts, key)


_FACTS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("weights", "sha256", "config_sha256"), ("a text", lambda value: isinstance(value, str))),
    **dict.fromkeys(("config", "data"), ("an object", lambda value: isinstance(value, dict))),
    "classes": ("a list of names", lambda v: isinstance(v, list) and all(isinstance(name, str) for name in v)),
    "score_thr": ("a number from 0 to 1", lambda value: isinstance(value, int | float) and 0 <= value <= 1),
}
"""What is read of a part: what it must be, in words and as a test."""


@contextmanager
def blamed_on_folder(*configs: str | Path | None) -> Iterator[None]:
    """Whatever goes wrong in the body is a `UserError` that names the first of these files that is a `model.json`.

    It is for what builds or first runs the model of such a file, which may have been forged with the right hashes: a
    value of another kind fails wherever some library uses it. What is of other configs, or lacks memory, passes.
    """
    file = next((str(name) for name in configs if name and Path(name).name == MODEL_JSON), None)
    try:
        yield
    except Exception as error:
        if file is None or isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
            raise
        if isinstance(error, UserError):
            if f"{Path(file).parent}/" in str(error):  # it names this file, or that of the weights
                raise
            raise UserError(f"{file}: {error}") from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(
            f"{file}: its description of the model cannot be used ({reason}): get the folder again, or export it again"
        ) from error


def packaged_folder() -> Path:
    """The model folder in the package; `UserError` where this installation has none."""
    if not (PACKAGED / MODEL_JSON).is_file():
        raise UserError(
            "this installation has no packaged model: give a model folder by --models DIR (tools/export.py writes one) "
            "or a trained model by CONFIG CHECKPOINT"
        )
    return PACKAGED


def read_parts(folder: str | Path) -> dict[str, dict[str, Any]]:
    """What `model.json` says of each part, by its name; `UserError` where the folder has none of this format."""
    path = Path(folder).expanduser() / MODEL_JSON
    if not path.is_file():
        raise UserError(f"{folder} is no model folder: there is no {MODEL_JSON} in it. tools/export.py writes one")
    content = read_json(path)
    content = content if isinstance(content, dict) else {}
    if content.get("format") != FORMAT:
        raise UserError(
            f"{path}: expected format {FORMAT}, which seg-vton {__version__} reads, found {content.get('format')!r} of "
            f"version {content.get('version')!r}: export the models again with this version, or install that one"
        )
    if not isinstance(content.get("parts"), dict):
        raise UserError(f"{path}: expected an object `parts`, found {content.get('parts')!r}: get the folder again")
    return content["parts"]


def read_part(folder: str | Path, name: str) -> Part:
    """Reads a part, such as 'segmenter', after checking that it is as it was exported.

    Raises:
        UserError: the folder, the part or a file of it is missing, damaged or of another format; or its config names
            a type that nothing here has registered.
    """
    path, parts = Path(folder).expanduser() / MODEL_JSON, read_parts(folder)
    if name not in parts:
        raise UserError(
            f"{path} has no {name}, only these parts: {', '.join(parts) or 'none'}. Give --{name} CONFIG CHECKPOINT "
            "or a folder that was exported with one"
        )
    with blamed_on_folder(path):
        weights, expected, config_sha256, plain = (
            _field(path, name, parts[name], key) for key in ("weights", "sha256", "config_sha256", "config")
        )
        config = {key: value for key, value in _restored(plain).items() if key in _CONFIG_KEYS}
        _check(config, f"{path}: {name}.config")
        if (found := config_hash(Config(config))) != config_sha256:
            raise UserError(_changed(path, f"the config of {name}", config_sha256, found))
        file = path.parent / Path(weights).name  # never a path that leads out of the folder
        if file.suffix != SAFETENSORS:
            raise UserError(
                f"{path}: {name}.weights is {weights[:60]!r}, expected a {SAFETENSORS} file, which cannot hold code"
            )
        if not file.is_file():
            raise UserError(
                f"{file} does not exist, and {path} names it as the weights of {name}: get the folder again"
            )
        if (found := sha256(file)) != expected:
            raise UserError(_changed(file, "the file", expected, found))
        return Part(Config(config, filename=str(path)), file, parts[name])


def chosen_parts(
    folder: str | Path | None, given: Mapping[str, Sequence[str | Path] | None]
) -> dict[str, tuple[str | Path | Config, str | Path]]:
    """Config and checkpoint by name of the part: those given, or else those of the folder (None: the packaged one).

    `UserError` that names all parts which are neither given nor in the folder, and as `read_part`.
    """
    wanted = [name for name, pair in given.items() if not pair]
    if wanted:
        folder = packaged_folder() if folder is None else folder
        if lacking := [name for name in wanted if name not in read_parts(folder)]:
            raise UserError(
                f"model folder {folder} has no {' and no '.join(lacking)}: give "
                f"{' '.join(f'--{name} CONFIG CHECKPOINT' for name in lacking)} too, or --models DIR with a folder "
                "that was exported with them"
            )
    found = {name: read_part(folder, name) for name in wanted}
    return {name: tuple(pair) if pair else (found[name].config, found[name].weights) for name, pair in given.items()}


def _changed(file: Path, what: str, expected: str, found: str) -> str:
    return (
        f"{file}: {what} was cut off or changed (expected SHA-256 {expected[:12]}..., found {found[:12]}...): get the "
        "folder again, or export it again"
    )


def _field(path: Path, name: str, part: Any, key: str) -> Any:
    value, (wanted, fits) = part.get(key) if isinstance(part, dict) else None, _FACTS[key]
    if not fits(value):
        raise UserError(
            f"{path}: {name}.{key} is {'missing' if value is None else repr(value)[:60]}, expected {wanted}: get the "
            "folder again, or export it again"
        )
    return value


def write_folder(
    out: str | Path,
    sources: Mapping[str, tuple[Config, str | Path, dict[str, Any]]],
    half: bool = False,
    results: Sequence[str | Path] = (),
    licenses: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Writes a model folder; it appears when it is whole.

    Args:
        out: the folder.
        sources: by name of the part its config, its checkpoint, which fits it, and more facts for `model.json`.
        half: weights of matrices and convolutions as float16; vectors stay as trained, since sums of squares in them
            may be too large.
        results: result files of these checkpoints, for the numbers in the card.
        licenses: of the data that the parts were trained on, in their order; a single one is of all.
        overwrite: replace a model folder at `out`; nothing else is ever replaced.

    Raises:
        UserError: `out` may not be replaced, a result is of another checkpoint, the numbers of licenses and parts
            differ, a config holds what plain data cannot, or weights are beyond float16.
    """
    out = Path(out)
    refuse_existing(out, overwrite)
    if out.exists() and not (out / MODEL_JSON).is_file():
        raise UserError(f"{out} is no model folder (it has no {MODEL_JSON}) and is not replaced: choose another --out")
    if len(licenses) not in (0, 1, len(sources)):
        raise UserError(
            f"--license names {len(licenses)}: give one for all parts, or one each for {', '.join(sources)}"
        )
    told = licenses if len(licenses) > 1 else [*licenses, None][:1] * len(sources)
    parts = {name: _describe(name, *source) for name, source in sources.items()}
    for part, license_name in zip(parts.values(), told, strict=True):
        part["data"]["license"] = license_name
    for path in results:
        _add_result(parts, Path(path))
    with atomic_folder(out) as folder:
        for name, (_, checkpoint, _) in sources.items():
            file = folder / parts[name]["weights"]
            classes = {"classes": sources[name][2].get("classes")}  # for who takes the file as a checkpoint
            write_safetensors(file, _state(checkpoint, half), {"dataset_meta": classes})
            parts[name]["sha256"] = sha256(file)
        write_json(folder / MODEL_JSON, {"format": FORMAT, "version": __version__, "parts": parts}, indent=1)
        write_text(folder / "README.md", model_card(parts, half))


def _describe(name: str, config: Config, checkpoint: str | Path, facts: dict[str, Any]) -> dict[str, Any]:
    """What `model.json` says of a part, but for the hash of its weights, which are yet to be written."""
    plain, training = _kept(config), training_facts(Path(checkpoint))
    restored = _restored(plain)
    _check(restored, f"config {config.filename}:")
    evaluator = config.get("test_evaluator") or {}
    evaluator = evaluator[0] if isinstance(evaluator, list) else evaluator
    return {
        "weights": name + SAFETENSORS,
        "sha256": "",
        **facts,
        "data": {"name": evaluator.get("dataset")},
        "training": {
            "config": Path(config.filename or "").stem,
            "checkpoint_sha256": sha256(checkpoint),
            **{key: training[key] for key in _TRAINING_KEYS if training.get(key) is not None},
        },
        "results": [],
        "config_sha256": config_hash(Config(restored)),
        "config": plain,
    }


def _state(checkpoint: str | Path, half: bool) -> dict[str, Any]:
    state = state_of(load_checkpoint_file(checkpoint, "cpu"), checkpoint)
    if half:
        state = {k: v.half() if v.is_floating_point() and v.dim() > 1 else v for k, v in state.items()}
        if broken := not_finite(state):
            raise UserError(f"checkpoint {checkpoint}: {broken[0]} is beyond float16: export without --half")
    return state


def _add_result(parts: dict[str, Any], path: Path) -> None:
    """Adds a result to the part whose checkpoint it is of."""
    result = read_json(path)
    found = result.get("checkpoint_sha256") if isinstance(result, dict) else None
    owners = [part for part in parts.values() if part["training"]["checkpoint_sha256"] == found]
    if not owners:
        raise UserError(f"--results {path} is of none of these checkpoints: give what tools/test.py wrote for them")
    owners[0]["results"].append({key: result[key] for key in _RESULT_KEYS if key in result})


def _kept(config: Config) -> dict[str, Any]:
    """What of a config a predictor needs, as JSON has it; `{"tuple": [...]}` is a tuple, which is no list to mmdet."""
    data = next(data_sets(config.get("test_dataloader") or {}), {})
    kept = {
        "default_scope": config.get("default_scope", "mmdet"),
        "model": config.model.to_dict(),
        "test_dataloader": {"dataset": {key: data[key] for key in ("pipeline", "image_size") if key in data}},
    }

    def plain(value: Any, place: str) -> Any:
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            if value.get("type") == "Pretrained":
                return None  # the weights are here
            return {key: plain(inner, f"{place}.{key}".lstrip(".")) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            items = [plain(inner, f"{place}.{index}") for index, inner in enumerate(value)]
            return {"tuple": items} if isinstance(value, tuple) else items
        if value is None or isinstance(value, str | int | float):
            return value
        raise UserError(f"config {config.filename}: {place} is {value!r}, and a model folder holds plain data only")

    return plain(kept, "")


def _restored(value: Any) -> Any:
    """A config's values as before they were written."""
    if isinstance(value, dict):
        if value.keys() == {"tuple"} and isinstance(value["tuple"], list):
            return tuple(map(_restored, value["tuple"]))
        return {key: _restored(inner) for key, inner in value.items()}
    return [_restored(inner) for inner in value] if isinstance(value, list) else value


_OPERATORS = ("RoIAlign", "RoIPool", "nms", "soft_nms")
"""What mmdet finds in `mmcv.ops` by `type`."""


def _check(config: dict[str, Any], where: str) -> None:
    """Raises `UserError` where a config names what is not registered, or holds a text that is more than a word."""
    import mmdet.registry  # noqa: F401  here, as in configs.py; mmdet's registries are among mmengine's children then

    trees, names, scopes = [MODELS, TASK_UTILS, TRANSFORMS, WEIGHT_INITIALIZERS], {*_OPERATORS}, set()
    for registry in trees:  # which grows
        registry.import_from_location()
        trees += registry.children.values()
        names.update(registry.module_dict)
        scopes.add(registry.scope)

    def look(node: Any, place: str) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            here = f"{place}.{key}"
            if isinstance(value, dict | list | tuple):
                look(value, here)
            elif not isinstance(value, str):
                continue
            elif key in ("type", "default_scope", "_scope_"):
                scope, _, name = value.rpartition(".")
                if not (scope in {"", *scopes} and name in names if key == "type" else value in scopes):
                    raise UserError(
                        f"{here} is {value[:60]!r}, which seg-vton {__version__} does not know: import the module that "
                        "registers it before, or use the version that wrote the folder"
                    )
            elif not re.fullmatch(r"[\w+\- ]*", value) or re.fullmatch(r"[+-]?\d[\d_e+-]*", value):
                raise UserError(
                    f"{here} is {value[:60]!r}: texts must be words, as others may name a file, be code or be meant as "
                    "a number"
                )

    look(config, where)
