"""Networks that a model uses but does not train: the warper of TOM, the VGG of the perceptual loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Frozen(nn.Module):
    """Holds a network that follows its owner to a device, type and memory format, and in nothing else.

    The network is in eval mode and stays there; its tensors are in no state dict and among no parameters, so that an
    owner's checkpoint holds what was trained, and optimisers and distributed wrappers do not see it.

    Args:
        network: any module; it gets frozen.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # Past nn.Module's own `__setattr__`, which would register it as a child.
        object.__setattr__(self, "network", network.eval().requires_grad_(False))

    def _apply(self, function: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Frozen:
        """What `to`, `cuda`, `half` and the like call on each module."""
        self.network._apply(function, recurse)
        return super()._apply(function, recurse)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The network's forward; gradients of its inputs flow, unless the caller forbids it."""
        return self.network(*args, **kwargs)
