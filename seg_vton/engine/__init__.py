"""What both halves share around a run: safe checkpoints, hooks, loops, launching, result files.

Importing it closes mmengine's full unpickling, makes its writes atomic, and registers hooks, loops, a sampler, and
wrappers of optimizers and models.
"""

import mmengine  # noqa: F401  # first: it imports this package, none of whose modules may be half done then

from seg_vton.engine import checkpoint, hooks, iterations, optim, saving

checkpoint.install()

__all__ = ["hooks", "iterations", "optim", "saving"]
