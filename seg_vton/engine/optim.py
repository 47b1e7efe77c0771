"""Optimizer wrappers that mmengine lacks, and what they are called."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

_PRECISIONS = {"AmpOptimWrapper": "float16", "BFloat16OptimWrapper": "bfloat16"}


def precision_of(config: Config) -> str:
    """What a config trains in, as tables name it: 'float32', 'float16' or 'bfloat16'."""
    return _PRECISIONS.get(config.optim_wrapper.get("type"), "float32")


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Mixed precision in bfloat16: weights, gradients and optimizer state stay float32, and no loss scale is needed.

    Works on the CPU, where mmengine's `AmpOptimWrapper` refuses to start, and on GPUs that have bfloat16.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Runs the forward pass under autocast."""
        with super().optim_context(model), torch.autocast(get_device(), dtype=torch.bfloat16):
            yield
