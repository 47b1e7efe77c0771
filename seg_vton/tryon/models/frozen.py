"""Networks that a model uses but does not train: the warper of TOM, the VGG of the perceptual loss."""

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def freeze(network: Network) -> Network:
    """Turns all tensors of a network into buffers of no state dict, in place, and puts it into eval mode.

    So an owner's checkpoint holds what was trained, and optimizers and distributed wrappers see nothing of the network,
    which follows its owner to a device, a type and a memory format all the same. The owner has to keep it in eval mode.
    """
    for module in network.modules():
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            delattr(module, name)
            module.register_buffer(name, tensor.detach(), persistent=False)
        if isinstance(module, nn.BatchNorm2d):
            # In eval mode the statistics are used all the same; with True, loading a state dict of before PyTorch 0.4.1
            # would look for this layer's counter in the owner's checkpoint.
            module.track_running_stats = False
    return network.eval()


def fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies a state dict into a frozen network; of each tensor that the network has, where it has one."""
    for name, buffer in network.named_buffers():
        if name in state:
            buffer.copy_(state[name])
