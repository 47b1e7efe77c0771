"""The end of work that several processes share."""

from __future__ import annotations

import torch.distributed


def leave_process_group() -> None:
    """Ends this process's share of distributed work, when all processes have come so far; does nothing in a single one.

    The threads of gloo must not outlive it: a process that exits while they run is aborted now and then ("terminate
    called without an active exception"), and torchrun then counts a finished training as failed.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
