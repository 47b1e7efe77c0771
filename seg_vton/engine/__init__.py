"""What both halves share around a run: safe checkpoints, hooks, loops, launching, result files.

Importing it closes mmengine's full unpickling, makes its writes atomic, and registers hooks, wrappers of
optimisers and models, and the loop and sampler of trainings counted in iterations.
"""

from seg_vton.engine import checkpoint, folding, hooks, iterations, optim, parallel, storage

checkpoint.install()
storage.install()

__all__ = ["checkpoint", "folding", "hooks", "iterations", "optim", "parallel", "storage"]
