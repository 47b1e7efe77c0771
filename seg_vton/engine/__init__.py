"""What both halves share around a run: safe checkpoints, hooks, loops, launching, result files.

Importing it closes mmengine's full unpickling, makes its writes atomic, and registers hooks, loops, a sampler, and
wrappers of optimizers and models.
"""

from seg_vton.engine import checkpoint, folding, hooks, iterations, loading, optim, parallel, samples, saving, storage

checkpoint.install()
storage.install()

__all__ = [
    "checkpoint",
    "folding",
    "hooks",
    "iterations",
    "loading",
    "optim",
    "parallel",
    "samples",
    "saving",
    "storage",
]
