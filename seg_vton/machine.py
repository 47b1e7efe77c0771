"""The class of machine, the state of the code and the command that a number was measured with."""

import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_vton.errors import UserError

if TYPE_CHECKING:
    import torch

_CODE = ("seg_vton", "configs", "tools")


def _cpu_info(field: str) -> str:
    """A field of Linux's list of processors, of the first one; empty elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; elsewhere it is emulated and slower than float32."""
    flags = _cpu_info("flags").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def describe() -> dict[str, Any]:
    """CPU model, usable cores, instruction set, GPU and versions; no name that tells one machine from its twin."""
    import torch  # here, since tools that compute nothing ask for the version of the code

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu_info("model name") or platform.processor() or platform.machine(),
        "cores": cores,
        "instructions": torch.backends.cpu.get_cpu_capability() + (" bfloat16" if has_bfloat16() else ""),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def usable_device(device: "str | torch.device | None") -> "torch.device":
    """The device wanted, None for the GPU where there is one; `UserError` where it is not there."""
    import torch
    from mmengine.device import get_device

    wanted = device or get_device()
    try:
        usable = torch.device(wanted)
        torch.ones(1, device=usable)  # computed there: torch may be too new for a GPU that it sees
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch was built without CUDA
        raise UserError(f"device {wanted} cannot be used: {str(error).splitlines()[0]}") from None
    return usable


def command_line() -> str:
    """This process's command, to be typed again."""
    return shlex.join(["python", *sys.argv])


def code_version() -> str:
    """The commit of this repository: 12 digits, with `-dirty` where package, configs or tools differ; else 'unknown'.

    It is unknown without git, and where the package was installed apart from its repository.
    """
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # else it may lie in a folder of another repository
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", *(f":/{folder}" for folder in _CODE))
        return f"{commit}-dirty" if changed else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
