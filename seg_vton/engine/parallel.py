"""Training in several processes with channels-last weights."""

from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from torch import nn


@MODEL_WRAPPERS.register_module()
class ChannelsLastDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper for several processes around a model whose 4-D weights it converts to channels-last (NHWC).

    torch lays its gradient buckets out as the weights are when it wraps the model. Weights converted later meet buckets
    of the old layout in the first iteration, whose gradients come back with their values in the wrong places, without a
    word (torch 2.11). So the weights are converted first. Arguments are those of `MMDistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(module.to(memory_format=torch.channels_last), *args, **kwargs)
