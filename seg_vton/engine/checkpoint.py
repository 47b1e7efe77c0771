"""Checkpoints as untrusted input: weights only, an explicit allow-list, no other way in.

mmengine's loaders end in `torch.load`, and one of its releases unpickles everything when the weights-only attempt
fails. `install` replaces the loaders that mmengine's `CheckpointLoader` finds by address, so that `load_from`,
`--resume`, `init_cfg` and the inference APIs all read through `load_checkpoint_file`.
"""

import io
import json
import pickle
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_rank
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import checkpoint as mmengine_checkpoint
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from seg_vton.engine.pickled import allowed_globals
from seg_vton.errors import DamagedFileError, UserError
from seg_vton.files import atomic_path, refuse_existing

SAFETENSORS = ".safetensors"
"""Suffix of files of tensors and text that have no way to hold code: https://github.com/huggingface/safetensors."""

_META = "seg_vton.meta"
_WRAPPERS = re.compile(r"^((module|_orig_mod)\.)+")  # how DataParallel's and torch.compile's names of weights begin
_KEPT = ("cfg", "dataset_meta", "CLASSES", "seed", "epoch", "iter", "origin")


def load_checkpoint_file(path: str | Path, map_location: Any = None) -> dict[str, Any]:
    """Reads a local checkpoint without running anything it holds.

    Args:
        path: a file written by `torch.save`: a state dict, or mmengine's dict with `state_dict`, `meta`, `message_hub`;
            or one of safetensors, by its suffix. A state dict under another key, `model` say, comes as `state_dict`;
            names of weights come without what DataParallel and torch.compile put before them, and without the copies
            that mmcv 1 keeps beside averaged weights.
        map_location: as in `torch.load`.

    Raises:
        DamagedFileError: the file is cut off or no checkpoint.
        UserError: the file is missing, holds no dict or several state dicts, or asks for a global outside the
            allow-list, which is named.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist or is not a file")
    if path.suffix == SAFETENSORS:
        return _unwrapped(_read_safetensors(path, map_location), path)
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # of any type: what torch raises depends on where the bytes go wrong
        message = str(error) or type(error).__name__
        if isinstance(error, pickle.UnpicklingError):
            if named := re.search(r"GLOBAL ([\w.]+)|asks for (.*), which", message):
                raise UserError(
                    f"checkpoint {path} was refused: it asks for {named[1] or named[2]}, and a checkpoint may hold "
                    "tensors and plain data only. Loading it would run code from the file; ask its author for a plain "
                    "state dict"
                ) from error
            message = message.partition("WeightsUnpickler error:")[2] or message
        reason = message.strip().split("\n")[0].split(". ")[0].rstrip(".")
        raise DamagedFileError(
            f"{path} cannot be read as a checkpoint ({reason}): it may be cut off or another kind of file; get it again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"checkpoint {path} has no state dict: expected a dict, found {type(content).__name__}")
    if isinstance(content.get("meta"), dict):
        # mmengine's `Runner.resume` runs this field of mmcv 1's checkpoints as Python; nothing reads it since.
        content["meta"].pop("config", None)
    return _unwrapped(content, path)


def _unwrapped(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Puts the weights of a file where `load_checkpoint_file` has them, under the model's own names; in place."""
    if "state_dict" not in content:
        dicts = {key: d for key, d in content.items() if isinstance(d, dict) and "." in "".join(map(str, d))}
        found = [key for key, d in dicts.items() if all(isinstance(value, torch.Tensor) for value in d.values())]
        if len(found) > 1:
            raise UserError(
                f"checkpoint {path} holds several state dicts ({', '.join(map(str, found))}): save the one that is "
                "meant in a file of its own"
            )
        if found:
            content["state_dict"] = content.pop(found[0])
    state = content.get("state_dict", content)
    names = [name for name in state if isinstance(name, str)] if isinstance(state, dict) else []
    for name in names:
        own = _WRAPPERS.sub("", name)
        if own != name:
            state[own] = state.pop(name)
        # mmcv 1 keeps a second copy of each weight beside the averaged ones, which have the model's names.
        state.pop(f"ema_{own.replace('.', '_')}", None)
    return content


def _read_safetensors(path: Path, map_location: Any = None) -> dict[str, Any]:
    """A safetensors file on a device (None: the CPU): `state_dict`, and `meta` with what `write_safetensors` kept."""
    try:
        with safe_open(path, "pt", device=str(map_location or "cpu")) as content:
            state = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118  no dict
            meta = json.loads((content.metadata() or {}).get(_META, "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path} cannot be read as safetensors ({error}): get it again") from None
    return {"state_dict": state, "meta": meta if isinstance(meta, dict) else {}}


def state_of(content: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """The weights by name in what `load_checkpoint_file` returned for `path`; `UserError` where it has none."""
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        raise UserError(f"checkpoint {path} has no state dict: expected a dict, found {type(state).__name__}")
    return {str(key): value for key, value in state.items()}


def checkpoint_meta(content: Mapping[str, Any]) -> dict[str, Any]:
    """The `meta` of what `load_checkpoint_file` returned; empty where it has none or something else of that name."""
    meta = content.get("meta")
    return meta if isinstance(meta, dict) else {}


def trained_classes(content: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The class names that a checkpoint says it knows; None where it names none."""
    meta = checkpoint_meta(content)
    data = meta.get("dataset_meta")
    # In capitals in mmdet 2.x, and in the first releases of 3.0.
    classes = data.get("classes", data.get("CLASSES")) if isinstance(data, dict) else meta.get("CLASSES")
    named = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    return tuple(classes) if named and classes else None


def convert(source: str | Path, target: str | Path, overwrite: bool = False) -> None:
    """Writes a checkpoint's weights and `meta` in the format of the target's suffix, `.safetensors` or `.pth`."""
    target = Path(target)
    if target.suffix not in (SAFETENSORS, ".pth"):
        raise UserError(f"{target}: the name must end in {SAFETENSORS} or .pth")
    refuse_existing(target, overwrite)
    content = load_checkpoint_file(source, "cpu")
    state, meta = state_of(content, source), checkpoint_meta(content)
    if target.suffix == SAFETENSORS:
        write_safetensors(target, state, meta, overwrite)
        return
    stream = io.BytesIO()  # on a full disk torch's own writer raises a RuntimeError that does not say so
    torch.save({"state_dict": state, "meta": meta}, stream)
    with atomic_path(target, overwrite) as temporary:
        temporary.write_bytes(stream.getbuffer())


def write_safetensors(path: Path, state: Mapping[str, Any], meta: Mapping[str, Any], overwrite: bool = False) -> None:
    """Writes weights, and of a checkpoint's `meta` what says how they were trained."""
    odd = [key for key, value in state.items() if _shape(value) == "no tensor"]
    if odd:
        raise UserError(f"{path} cannot be written: {_first(odd)} of the checkpoint are no plain tensors")
    # Weights that share memory, or whose channels come last, are written each for itself and row by row.
    weights = {key: value.detach().clone().contiguous() for key, value in state.items()}
    kept = {key: meta[key] for key in _KEPT if key in meta}
    with atomic_path(path, overwrite) as temporary:
        # The library's own way to write a file lets its owner alone read it. One entry, since it shuffles several.
        text = json.dumps(kept, default=lambda value: value.tolist())  # NumPy's numbers and arrays
        temporary.write_bytes(save(weights, {_META: text}))


def check_fits(model: nn.Module, checkpoint: Mapping[str, Any], path: str | Path, partly: bool = False) -> None:
    """Refuses a checkpoint that is not this model's; mmengine would load what fits and go on with the rest at random.

    `checkpoint` is what `load_checkpoint_file` returned for `path`; `model` may be wrapped for several processes or for
    test-time augmentation. It is a `UserError` where tensors are missing, left over or of another shape;
    `num_batches_tracked` of batch norms may be missing: checkpoints of other libraries lack it, and it has no use at a
    fixed momentum. With `partly` it is one where nothing fits.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    found = {key: _shape(value) for key, value in state_of(checkpoint, path).items()}
    wanted = {key: _shape(value) for key, value in model.state_dict().items()}
    faults = {
        "missing": [key for key in wanted if key not in found and not key.endswith("num_batches_tracked")],
        "unexpected": [key for key in found if key not in wanted],
        "of another shape": [
            f"{key} {found[key]} instead of {shape}"
            for key, shape in wanted.items()
            if key in found and found[key] != shape
        ],
    }
    if any(faults.values()) and not (partly and any(found.get(key) == shape for key, shape in wanted.items())):
        listed = "; ".join(f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in faults.items() if keys)
        prefix = next((name.removesuffix(key) for name in found for key in wanted if name.endswith(f".{key}")), None)
        named = prefix and sum(name.removeprefix(prefix) in wanted for name in found) > len(found) / 2
        advice = f"Take {prefix!r} off its names" if named else "Use the config it was trained with"
        raise UserError(f"checkpoint {path} does not fit the model of the config ({listed}). {advice}")


def usable_state(model: nn.Module, checkpoint: Mapping[str, Any], path: str | Path) -> dict[str, torch.Tensor]:
    """The state dict in a checkpoint for a model that is used, not trained; arguments as of `check_fits`.

    Also a `UserError` where a weight is NaN or infinite, of which a model makes pictures all the same.
    """
    check_fits(model, checkpoint, path)
    state = state_of(checkpoint, path)
    if broken := not_finite(state):
        raise UserError(
            f"checkpoint {path} holds NaN or infinity in {_first(broken)} ({len(broken)} of {len(state)} tensors): its "
            "training diverged, take an earlier checkpoint"
        )
    return state


def load_weights(model: nn.Module, checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Fills a model that is used, not trained, from a checkpoint; see `usable_state`."""
    # Not strict for batch norms' counters alone: `check_fits` has checked all else.
    model.load_state_dict(usable_state(model, checkpoint, path), strict=False)


def not_finite(state: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of the weights and buffers of a state dict that are not finite numbers throughout."""
    return [key for key, value in state.items() if value.is_floating_point() and not value.isfinite().all()]


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")


def _shape(value: Any) -> str:
    """A tensor's shape as text; one that is sparse, quantized or complex is none here."""
    plain = isinstance(value, torch.Tensor) and value.layout is torch.strided
    if not plain or value.is_quantized or value.is_complex():
        return "no tensor"
    return "x".join(map(str, value.shape)) or "scalar"


# The names of the three loaders show in mmengine's log, less their first ten letters.
def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """`load_checkpoint_file` under the name and signature that mmengine's log and callers expect."""
    return load_checkpoint_file(filename, map_location)


def load_from_http(filename: str, map_location: Any = None, model_dir: str | None = None, **_: Any) -> dict[str, Any]:
    """Downloads once into torch's hub folder, the first process before the others, then reads as any local file."""
    folder = Path(model_dir or Path(torch.hub.get_dir()) / "checkpoints")
    target = folder / Path(filename.split("?")[0]).name
    found = torch.hub.HASH_REGEX.search(target.name)
    for rank in (0, get_rank()):  # again for machines that do not see the first one's disk
        if get_rank() == rank and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            print_log(f"downloading {filename} to {target}", "current")
            patience = socket.getdefaulttimeout()
            socket.setdefaulttimeout(60)  # between two packets: torch itself waits for a dead server forever
            try:  # the file gets its name only when it is whole and its name's hash is right
                torch.hub.download_url_to_file(filename, str(target), found.group(1) if found else None)
            except (OSError, RuntimeError) as error:
                raise UserError(
                    f"{filename} could not be downloaded ({error}): try again, or get it elsewhere and put it at "
                    f"{target}"
                ) from error
            finally:
                socket.setdefaulttimeout(patience)
        barrier()
    return load_checkpoint_file(target, map_location)


def load_from_openmmlab(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Reads `open-mmlab://NAME`: mmengine's list of names has an address or a file under `MMENGINE_HOME` for each."""
    name = filename.split("://", 1)[1]
    name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
    addresses = mmengine_checkpoint.get_external_models()
    if name not in addresses:
        raise UserError(f"{filename}: OpenMMLab has no weights of this name; it has {', '.join(sorted(addresses))}")
    if re.match("https?://", addresses[name]):
        return load_from_http(addresses[name], map_location)
    # mmengine keeps no public name for this folder; its own list of names above is read from there too.
    return load_checkpoint_file(Path(mmengine_checkpoint._get_mmengine_home()) / addresses[name], map_location)


def _load_weights_only(file: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
    """Stands in for the maintained fork's `_safe_torch_load`, which unpickles everything where this refuses."""
    if isinstance(file, str | Path):
        return load_checkpoint_file(file, map_location)
    return torch.load(file, map_location=map_location, weights_only=True)


def install() -> None:
    """Puts the safe loaders where mmengine looks for its own; calling it again changes nothing."""
    torch.serialization.add_safe_globals(list(allowed_globals()))
    mmengine_checkpoint._safe_torch_load = _load_weights_only
    loaders = {
        # The storage of some clusters (Pavi, Ceph, Petrel), whose clients unpickle on their own, is read as no file.
        load_from_local: ["", "pavi://", r"(\S+\:)?s3://", r"(\S+\:)?petrel://"],
        load_from_http: ["http://", "https://"],
        load_from_openmmlab: ["open-mmlab://", "openmmlab://"],
    }
    for function, schemes in loaders.items():
        setattr(mmengine_checkpoint, function.__name__, function)
        mmengine_checkpoint.CheckpointLoader.register_scheme(schemes, function, force=True)
