"""Training in several processes with channels-last weights."""

from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from torch import nn


@MODEL_WRAPPERS.register_module()
class ChannelsLastDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper for several processes around a model with channels-last (NHWC) weights.

    torch lays its gradient buckets out as the weights are when it wraps the model. Weights converted later meet buckets
    of the old layout in the first iteration, whose gradients come back with their values in the wrong places, without
    a word (torch 2.11). So the weights are converted first.

    Args:
        module: the model; its 4-D weights are converted in place.
        args, kwargs: as in `MMDistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(module.to(memory_format=torch.channels_last), *args, **kwargs)
