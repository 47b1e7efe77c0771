"""What both halves share around a run: safe checkpoints, hooks, launching, result files.

Importing it closes mmengine's full unpickling, makes its writes atomic, and registers hooks and an optimiser wrapper.
"""

from seg_vton.engine import checkpoint, hooks, optim, storage

checkpoint.install()
storage.install()

__all__ = ["checkpoint", "hooks", "optim", "storage"]
