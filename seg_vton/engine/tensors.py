"""Checkpoints as safetensors files: tensors and text, in a format that has no way to hold code.

Format: https://github.com/huggingface/safetensors.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from seg_vton.errors import DamagedFileError, UserError
from seg_vton.files import atomic_path

SUFFIX = ".safetensors"
_META = "seg_vton.meta"
_KEPT = ("cfg", "dataset_meta", "seed", "epoch", "iter", "origin")


def read(path: Path, map_location: Any = None) -> dict[str, Any]:
    """Reads a safetensors file onto a device (None: the CPU): `state_dict`, and `meta` with what `write` kept of it."""
    try:
        with safe_open(path, "pt", device=str(map_location or "cpu")) as content:
            state = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118  no dict
            meta = json.loads((content.metadata() or {}).get(_META, "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise DamagedFileError(f"{path} cannot be read as safetensors ({error}): get it again") from None
    return {"state_dict": state, "meta": meta if isinstance(meta, dict) else {}}


def write(path: Path, content: dict[str, Any], overwrite: bool = False) -> None:
    """Writes what `load_checkpoint_file` returned: weights, and of the `meta` what says how they were trained."""
    state, meta = content.get("state_dict", content), content.get("meta", {})
    odd = [key for key, value in state.items() if not hasattr(value, "contiguous")]
    if odd:
        raise UserError(f"{path} cannot be written: {', '.join(map(str, odd[:3]))} of the checkpoint are no tensors")
    # Weights that share memory, or whose channels come last, are written each for itself and row by row.
    weights = {key: value.detach().clone().contiguous() for key, value in state.items()}
    kept = {key: meta[key] for key in _KEPT if key in meta}
    with atomic_path(path, overwrite) as temporary:
        # The library's own way to write a file lets its owner alone read it. One entry, since it shuffles several.
        temporary.write_bytes(save(weights, {_META: json.dumps(kept)}))
