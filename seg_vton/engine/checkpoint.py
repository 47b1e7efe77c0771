"""Checkpoints as untrusted input: weights only, an explicit allow-list, no other way in.

mmengine's loaders end in `torch.load`, and one release unpickles everything when the weights-only attempt fails.
`install` replaces the loaders that mmengine's `CheckpointLoader` finds by address, so that `load_from`, `--resume`,
`init_cfg` and the inference APIs all read through `load_checkpoint_file`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint

from seg_vton.errors import UserError

_LOG_STATISTICS = ("min", "max", "current", "mean")


def _history_buffer_statistic(owner: type, name: str) -> Callable[..., float]:
    """Stands in for `getattr` while a checkpoint is read: only mmengine's four log statistics can be reached.

    `HistoryBuffer` pickles its class's functions as `getattr(HistoryBuffer, 'mean')`; the real `getattr` would let a
    file walk from any allowed object to any other.
    """
    if owner is not HistoryBuffer or name not in _LOG_STATISTICS:
        raise pickle.UnpicklingError(f"the file asks for getattr({owner!r}, {name!r}), which is not allowed")
    return getattr(HistoryBuffer, name)


# torch's unpickler finds allowed globals by module and name (which of the two names depends on its version).
_history_buffer_statistic.__module__ = "builtins"
_history_buffer_statistic.__name__ = _history_buffer_statistic.__qualname__ = "getattr"


def allowed_globals() -> list[Any]:
    """What a checkpoint may hold beside tensors and plain containers: numpy numbers, slices, mmengine's log history."""
    reconstruct, reconstruct_args = np.empty(0).__reduce__()[:2]
    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.uint32, np.bool_)}
    return [
        HistoryBuffer,
        _history_buffer_statistic,
        reconstruct,
        reconstruct_args[0],
        scalar,
        np.dtype,
        slice,
        *dtypes,
    ]


def load_checkpoint_file(path: str | Path, map_location: Any = None) -> Any:
    """Reads a local checkpoint without running anything it holds.

    Args:
        path: a file written by `torch.save`: a state dict, or mmengine's dict with `state_dict`, `meta`, `message_hub`.
        map_location: as in `torch.load`.

    Returns:
        The unpickled object.

    Raises:
        UserError: the file is missing, cut off, or asks for a global outside the allow-list; the message names it.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist or is not a file")
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0].removeprefix("Weights only load failed. ")
        offender = next((line for line in str(error).split("\n") if "GLOBAL" in line or "getattr" in line), reason)
        raise UserError(
            f"checkpoint {path} was refused: it holds more than tensors and plain data ({offender.strip()}). "
            "Loading it would run code from the file; ask its author for a plain state dict"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"checkpoint {path} cannot be read ({error}): it may be cut off; copy or download it again"
        ) from error


def _load_from_http(filename: str, map_location: Any = None, model_dir: str | None = None, **_: Any) -> Any:
    """Downloads once into torch's hub folder (the name's hash is checked), then reads as any local file."""
    folder = Path(model_dir or Path(torch.hub.get_dir()) / "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / Path(filename.split("?")[0]).name
    if not target.exists():
        found = torch.hub.HASH_REGEX.search(target.name)
        torch.hub.download_url_to_file(filename, str(target), found.group(1) if found else None)
    return load_checkpoint_file(target, map_location)


def install() -> None:
    """Puts the safe loaders where mmengine looks for its own; calling it again changes nothing.

    Storage clients that only some clusters have (Petrel, Ceph, Pavi) unpickle on their own and are taken out.
    """
    loader = mmengine_checkpoint.CheckpointLoader
    for scheme in [name for name in loader._schemes if any(word in name for word in ("pavi", "s3", "petrel"))]:
        del loader._schemes[scheme]
    torch.serialization.add_safe_globals(allowed_globals())
    mmengine_checkpoint.load_from_local = load_checkpoint_file
    mmengine_checkpoint.load_from_http = _load_from_http
    loader.register_scheme("", load_checkpoint_file, force=True)
    loader.register_scheme(["http://", "https://"], _load_from_http, force=True)
