"""Reading a config: what the command line may change in it, and the classes of a segmenter."""

import inspect
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import mmengine.registry
from mmengine import list_from_file
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.hooks import DistSamplerSeedHook, IterTimerHook, LoggerHook, ParamSchedulerHook, RuntimeInfoHook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import DATASETS, Registry, build_functions
from mmengine.runner import LogProcessor, Runner, set_random_seed
from torch.utils.data import DataLoader
from yaml import YAMLError

from seg_vton.errors import UserError

# What takes a dict of a config that has no `type`, and what the Runner reads beyond its own arguments.
_TAKERS: dict[str, tuple[Callable[..., Any], ...]] = {
    "": (Runner,),
    "optim_wrapper": (OptimWrapper,),
    "randomness": (set_random_seed,),
    "log_processor": (LogProcessor,),
    "val_evaluator": (Evaluator,),
    "test_evaluator": (Evaluator,),
    **{f"{name}_dataloader": (DataLoader,) for name in ("train", "val", "test")},
    "default_hooks.timer": (IterTimerHook,),
    "default_hooks.logger": (LoggerHook,),
    "default_hooks.param_scheduler": (ParamSchedulerHook,),
    "default_hooks.sampler_seed": (DistSamplerSeedHook,),
    "default_hooks.runtime_info": (RuntimeInfoHook,),
}
_ALSO = {
    "": ("runner_type", "model_wrapper_cfg", "find_unused_parameters", "tta_model", "tta_pipeline", "classes"),
    **{f"{name}_dataloader": ("num_batch_per_epoch",) for name in ("train", "val", "test")},
}

_LEAST = {"batch_size": 1, "num_workers": 0, "max_epochs": 1, "max_iters": 1, "val_interval": 1, "lr": 0, "seed": 0}
"""The least values of some keys, wherever they stand; whole numbers, but for the learning rate."""

# Keys of mmdet 2.x, and what they are called since.
_OLD_KEYS = {
    "data.samples_per_gpu": "train_dataloader.batch_size",
    "data.workers_per_gpu": "train_dataloader.num_workers",
    **{f"data.{name}.img_prefix": f"{name}_dataloader.dataset.data_prefix.img" for name in ("train", "val", "test")},
    **{f"data.{name}.classes": f"{name}_dataloader.dataset.metainfo.classes" for name in ("train", "val", "test")},
    **{f"data.{name}.samples_per_gpu": f"{name}_dataloader.batch_size" for name in ("val", "test")},
    **{f"data.{name}_dataloader.samples_per_gpu": f"{name}_dataloader.batch_size" for name in ("train", "val", "test")},
    **{f"data.{name}": f"{name}_dataloader.dataset" for name in ("train", "val", "test")},
    "runner": "train_cfg",
    "total_epochs": "train_cfg.max_epochs",
    "optimizer": "optim_wrapper.optimizer",
    "optimizer_config.grad_clip": "optim_wrapper.clip_grad",
    "optimizer_config": "optim_wrapper",
    "lr_config": "param_scheduler",
    "momentum_config": "param_scheduler",
    "img_norm_cfg": "model.data_preprocessor",
    "auto_resume": "resume",
    "evaluation.interval": "train_cfg.val_interval",
    "evaluation.save_best": "default_hooks.checkpoint.save_best",
    "evaluation.metric": "val_evaluator.iou_types",
    "evaluation": "val_evaluator",
    "checkpoint_config": "default_hooks.checkpoint",
    "log_config": "default_hooks.logger",
    "dist_params": "env_cfg.dist_cfg",
    "cudnn_benchmark": "env_cfg.cudnn_benchmark",
    "seed": "randomness.seed",
    "resume_from": "load_from",
}


class LoadedConfig(Config):
    """A config whose text is set once. mmengine asks yapf for it four times at a start, and again for a checkpoint."""

    @property
    def pretty_text(self) -> str:
        """The config as Python."""
        content = repr(self)
        if _TEXT.get("of") != content:
            try:
                text = super().pretty_text
            except (EOFError, UnpicklingError):  # a process beside this one writes the cache of yapf's first import
                time.sleep(2)
                text = super().pretty_text
            _TEXT.update(of=content, text=text)
        return _TEXT["text"]


_TEXT: dict[str, str] = {}


def load_config(
    path: str | Path, options: dict[str, Any] | None = None, work_dir: str | None = None, launcher: str = "none"
) -> Config:
    """Reads a config and applies what the command line changes.

    All heads of a segmenter get the number of the data set's classes, see `set_classes`.

    Args:
        path: the file.
        options: `--cfg-options` as a flat dict with dotted keys, see `_check_option`.
        work_dir: output folder; None takes the config's, and without one `work_dirs/<config name>`.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        UserError: the file does not exist or is no config, or an option does not fit it. What the config's own Python
            or a module that it imports raises passes as it is.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"config {path} does not exist: configs are under configs/segmentation and configs/tryon")
    try:
        config = Config.fromfile(path)
        object.__setattr__(config, "__class__", LoadedConfig)  # a plain assignment would set a key
    except SyntaxError as error:
        raise UserError(_syntax_fault(path, error)) from error
    except Exception as error:
        if _comes_from_code(error):
            raise
        raise UserError(f"config {path} cannot be read: {type(error).__name__}: {error}") from error
    if options:
        for key, value in options.items():
            _check_option(config, key, value, options)
            _refuse_unread(config, key)
        config.merge_from_dict(options)
    set_classes(config, options or {})
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        loader = config.get(name) or {}
        if loader.get("num_workers") == 0:
            loader.persistent_workers = False  # torch refuses to keep workers that there are none of
    config.launcher = launcher
    if work_dir is not None:
        config.work_dir = work_dir
    elif config.get("work_dir") is None:
        config.work_dir = str(Path("work_dirs") / path.stem)
    return config


def _syntax_fault(path: Path, error: SyntaxError) -> str:
    """Names file and line; mmengine parses configs without their names, but its frames know what it was reading."""
    file, first = str(path), error
    if error.filename and Path(error.filename).is_file():
        file = error.filename
    else:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            name = frame.f_locals.get("filename")
            file = name if isinstance(name, str) and name.endswith(".py") else file
        first = error.__context__ if isinstance(error.__context__, SyntaxError) else error
    return f'SyntaxError in file "{file}", line {first.lineno}: {first.msg}: {(first.text or "").strip()}'


def _comes_from_code(error: BaseException | None) -> bool:
    """Whether an error went through Python code other than the readers': a config's own, or a module's."""
    if isinstance(error, YAMLError):
        return False
    while error is not None:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        if not all(file == __file__ or _is_of(file, "mmengine") for file in files):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_of(file: str, *packages: str) -> bool:
    """Whether a file with code is of Python's own library, or of packages that are imported by now."""
    folders = [f"{Path(sys.modules[name].__file__).parent}/" for name in packages if name in sys.modules]
    own = file.startswith((sysconfig.get_path("stdlib"), "<frozen")) and "site-packages" not in file
    return own or file.startswith(tuple(folders))


@contextmanager
def blamed_on_config(config: Config) -> Iterator[None]:
    """What goes wrong in the body while a library builds what the config names is a `UserError` that says so.

    A value that its class does not take, say, or a type that nobody has registered. What went through any other code,
    a researcher's class for one, passes as it is.
    """
    try:
        yield
    except Exception as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        files = [frame.f_code.co_filename for frame in frames]
        builds = [index for index, file in enumerate(files) if file == build_functions.__file__]
        libraries = ("mmengine", "mmcv", "mmdet", "torch")
        if (
            not builds
            or isinstance(error, UserError)
            or not all(_is_of(file, "seg_vton", *libraries) for file in files[builds[0] :])
            or not all(_is_of(file, *libraries) for file in files[builds[-1] :])
        ):
            raise
        kind, said = frames[builds[-1]].f_locals.get("obj_type"), error.args[0] if error.args else error
        raise UserError(f"{config.filename}: type={kind!r} cannot be built: {type(error).__name__}: {said}") from error


def _check_option(config: Config, key: str, value: Any, options: Mapping[str, Any]) -> None:
    """Raises `UserError` where one of `--cfg-options` is of no use, with the nearest known key.

    A key is known if the config has it, if the constructor of the `type` beside it takes it, or if it is in a dict that
    a constructor takes whole (`metainfo`, say) and no misspelling of what stands there. A value must be of the kind
    that the config has: a number, text, True or False, a list, a dict; or None.
    """
    parts, node, open_below = key.split("."), dict(config.items()), False
    for depth, part in enumerate(parts):
        above = ".".join(parts[:depth])
        if isinstance(node, list):
            if not part.isdecimal() or int(part) >= len(node):
                raise UserError(f"--cfg-options {key}: {above} of {config.filename} is a list of {len(node)} entries")
            node, open_below = node[int(part)], False
            continue
        if node is None and f"{above}._delete_" in options:
            node = {}  # what `_delete_` replaces, mmengine's way to put a dict where there is none
        if not isinstance(node, Mapping):
            hint = f"; {above}._delete_=True {above}.type=TYPE puts a dict there" if node is None else ""
            raise UserError(f"--cfg-options {key}: {above} of {config.filename} is {node!r} and has no keys{hint}")
        if part in node:
            # A dict without a type in one with a type is one of its constructor's arguments.
            node, open_below = node[part], depth > 0 and ("type" in node or open_below)
        else:
            kind = options.get(f"{above}.type") or node.get("type")
            takers = built_by(kind) if kind else _TAKERS.get(above, ())
            taken = [arguments(taker) for taker in takers]
            known = [*node, *_ALSO.get(above, ()), *(name for names, _ in taken for name in names)]
            if part in known or part == "_delete_":
                _check_value(config, key, value, None)
                return
            takes_any = (kind and not takers) or any(more for _, more in taken) or above == "default_hooks"
            if not (takes_any or (open_below and "type" not in node)) or get_close_matches(part, known, 1, 0.8):
                raise UserError(_unknown(config, key, above, part, known))
            return
    if isinstance(value, Mapping) and isinstance(node, Mapping) and not value.get("_delete_"):
        for name, inner in value.items():
            _check_option(config, f"{key}.{name}", inner, options | {f"{key}.{n}": v for n, v in value.items()})
        return
    _check_value(config, key, value, node)


def _refuse_unread(config: Config, key: str) -> None:
    """Raises `UserError` where an option changes a variable of the config's text, whose value others have by now."""
    name, _, below = key.partition(".")
    if name not in config or name in {*arguments(Runner)[0], *_ALSO[""], "metainfo"}:
        return
    value = config[name]
    whole = isinstance(value, list | Mapping) and bool(value)
    users = [
        place
        for place, there in _dotted(dict(config.items()))
        if "." in place and there == value and (whole or place.rpartition(".")[2] == name)
    ]
    if users:
        raise UserError(
            f"--cfg-options {key}: {name} is a variable of {config.filename}, which has been read already: set "
            + " and ".join(f"{place}.{below}".rstrip(".") for place in users[:3])
        )


def _check_value(config: Config, key: str, value: Any, there: Any) -> None:
    """Raises `UserError` where an option's value cannot take the place of what the config has there."""
    part, wanted, found = key.rpartition(".")[2], _kind(there), _kind(value)
    if wanted and found and wanted != found:
        hint = f": write {key}=[{value}]" if wanted == "list" else ""
        raise UserError(
            f"--cfg-options {key}: {config.filename} has a {wanted} there ({_short(there)}), and {_short(value)} is a "
            f"{found}{hint}"
        )
    if part == "type" and wanted == "text" and built_by(there) and not built_by(value):
        names = {name for root in _roots() for one in (root, *root.children.values()) for name in one.module_dict}
        nearest = get_close_matches(value, names, 1, 0.0)[0]
        raise UserError(f"--cfg-options {key}: nothing is registered as {value}; the nearest name is {nearest}")
    least = _LEAST.get(part) if found == "number" else None
    if least is not None and (value < least or (isinstance(value, float) and part != "lr")):
        whole = "" if part == "lr" else "a whole number from "
        raise UserError(f"--cfg-options {key}: expected {whole}{least} on, found {value}")


def built_by(name: Any) -> list[Callable[..., Any]]:
    """What mmengine's registries have under a name, in any scope; a config does not say which one will be asked."""
    if not isinstance(name, str):
        return [name]
    scopes = ("mmdet", "seg_vton", "mmengine")
    names = [name] if "." in name else [f"{scope}.{name}" for scope in scopes]
    return [found for registry in _roots() for scoped in names if (found := registry.get(scoped)) is not None]


def _roots() -> list[Registry]:
    return [registry for registry in vars(mmengine.registry).values() if isinstance(registry, Registry)]


def arguments(function: Callable[..., Any]) -> tuple[list[str], bool]:
    """The names of a constructor's or function's arguments, inherited ones too, and whether it takes any others."""
    names: list[str] = []
    owners = [k.__init__ for k in function.__mro__[:-1] if "__init__" in vars(k)] if inspect.isclass(function) else []
    for owner in owners or [function]:
        parameters = inspect.signature(owner).parameters.values()
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return [name for name in names if name != "self"], False
    return [name for name in names if name != "self"], bool(owners) or not inspect.isclass(function)


def _unknown(config: Config, key: str, above: str, part: str, known: Sequence[str]) -> str:
    """Says that a key is unknown: today's name of one of mmdet 2.x, or the nearest one."""
    for old, new in _OLD_KEYS.items():
        if key == old or key.startswith(f"{old}."):
            return f"--cfg-options {key} is a key of mmdet 2.x: it is called {new}{key[len(old) :]} now"
    everywhere = [place for place, _ in _dotted(dict(config.items()))]
    same = [other for other in everywhere if other.rpartition(".")[2] == part]
    prefix = f"{above}." if above else ""
    beside = get_close_matches(part, known, 1, 0.0 if above and not same else 0.6)
    nearest = f"{prefix}{beside[0]}" if beside else (same or get_close_matches(key, everywhere, 1, 0.0) or [""])[0]
    return f"--cfg-options {key}: {config.filename} has no {prefix}{part}; the nearest known key is {nearest}"


def _dotted(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All keys of a config and their values, the shallow ones first."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    items = [(f"{prefix}{key}", value) for key, value in items]
    yield from items
    for key, value in items:
        yield from _dotted(value, f"{key}.")


def _kind(value: Any) -> str:
    """What an option's value must be to take the place of another; empty for what may be anything."""
    kinds = {bool: "bool", (int, float): "number", str: "text", (list, tuple): "list", Mapping: "dict"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def set_classes(config: Config, options: Mapping[str, Any]) -> None:
    """Makes a segmenter's data sets and heads agree on the classes, which a config names once.

    The list is one of the command line; or else that of the data sets' `metainfo` and of a variable `metainfo` or
    `classes` of the config; or else the data set class's own. All data sets get it, and each head with a `num_classes`
    gets their number, with a line in the log; a loss's class weights for another number are left out, and the log says
    where others stay. The options are merged already. `UserError` where two lists differ, a name is no text or comes
    twice.
    """
    heads = list(heads_of(config.get("model")))
    sets = [d for name in ("train", "val", "test") for d in data_sets(config.get(f"{name}_dataloader") or {})]
    if not heads or not sets:
        return
    on_command_line = [value for key, value in options.items() if key.rpartition(".")[2] == "classes"]
    in_sets = [(dataset.get("metainfo") or {}).get("classes") for dataset in sets]
    variables = [(config.get("metainfo") or {}).get("classes"), config.get("classes")]
    lists = next(
        (found for source in (on_command_line, in_sets + variables) if (found := list(filter(None, source)))), []
    )
    lists = [list_from_file(found) if isinstance(found, str) and Path(found).is_file() else found for found in lists]
    if named := [found for found in lists if isinstance(found, str)]:
        raise UserError(
            f"{config.filename}: classes must be a list of names or a file with one per line, found {named[0]!r}"
        )
    if not lists:
        own = DATASETS.get(f"mmdet.{sets[0].type}") if isinstance(sets[0].get("type"), str) else sets[0].get("type")
        classes = tuple(getattr(own, "METAINFO", {}).get("classes") or ())
    else:
        classes = tuple(lists[0])
        if any(tuple(other) != classes for other in lists):
            raise UserError(f"{config.filename}: {_short(classes)} and {_short(lists[-1])} are both named as classes")
        if len(set(classes)) != len(classes) or not all(isinstance(name, str) for name in classes):
            raise UserError(f"{config.filename}: classes must be names that differ, found {_short(classes)}")
        for dataset in sets:
            metainfo = dict(dataset.get("metainfo") or {})
            if metainfo.get("classes") != classes and len(metainfo.get("palette", ())) != len(classes):
                from mmdet.visualization.palette import get_palette  # here, since try-on needs no mmdet

                metainfo["palette"] = get_palette("random", len(classes))
            dataset.metainfo = {**metainfo, "classes": classes}
    wrong = [place for place, head in heads if classes and head["num_classes"] != len(classes)]
    for _, head in heads:
        head["num_classes"] = len(classes) or head["num_classes"]
    for place, head in heads:
        for key, loss in head.items():
            weights = loss.get("class_weight") if isinstance(loss, Mapping) else None
            if not isinstance(weights, list | tuple):
                continue
            if place in wrong and len(weights) != len(classes) + 1:
                loss["class_weight"] = None  # they were meant for other classes
                print_log(f"{place}.{key}.class_weight is for {len(weights) - 1} classes: left out", logger="current")
            elif lists:  # the row may have them from one of other classes
                print_log(f"{place}.{key}.class_weight is taken for the classes {_short(classes)}", logger="current")
    if wrong:
        print_log(f"{len(classes)} classes: num_classes of {', '.join(wrong)} set to it", logger="current")


def data_sets(node: Mapping[str, Any]) -> Iterator[Any]:
    """The data sets of a loader, taken out of wrappers such as `RepeatDataset` and `ConcatDataset`."""
    inner = [node["dataset"]] if "dataset" in node else node.get("datasets", [])
    for dataset in inner if isinstance(inner, list) else []:
        if isinstance(dataset, Mapping):
            yield from [dataset] if not {"dataset", "datasets"} & set(dataset) else data_sets(dataset)


def heads_of(node: Any, place: str = "model") -> Iterator[tuple[str, Any]]:
    """The dicts of a model with a number of classes, by their places; an RPN knows objects only."""
    if isinstance(node, Mapping):
        if "num_classes" in node and not place.endswith("rpn_head"):
            yield place, node
        for key, value in node.items():
            yield from heads_of(value, f"{place}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from heads_of(value, f"{place}.{index}")
