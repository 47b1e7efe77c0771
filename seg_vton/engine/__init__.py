"""What both halves share around a run: safe checkpoints, hooks, launching, result files.

Importing it closes mmengine's full unpickling and registers the hooks and the optimiser wrapper.
"""

from seg_vton.engine import checkpoint, hooks, optim

checkpoint.install()

__all__ = ["checkpoint", "hooks", "optim"]
