"""The end of work that several processes share."""

import gc

import torch.distributed


def leave_process_group() -> None:
    """Ends this process's share of distributed work, when all processes have come so far; does nothing in a single one.

    The threads of gloo must not live on: one that wants Python's lock while the interpreter ends aborts the process
    now and then ("terminate called without an active exception"), and torchrun then counts a finished training as
    failed. They end with the last reference to the group; a wrapped model holds one, and is part of a cycle.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        # The last reference must be this one: it gives up Python's lock while it waits for the threads, of which one
        # may still want the lock for a tensor. The model's reference would wait with the lock held, for ever.
        group = torch.distributed.group.WORLD
        torch.distributed.destroy_process_group()
        gc.collect()
        del group
