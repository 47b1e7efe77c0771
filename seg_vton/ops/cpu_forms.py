"""Forms of plain layers that are faster on the CPU."""

from itertools import pairwise

from torch import nn

from seg_vton.ops.resize_conv import DeferredUpsample, ResizeConv2d
from seg_vton.ops.winograd import WinogradConv2d

WINOGRAD_CHANNELS = 128
"""Fewest channels with which Winograd's way is the faster one."""


def use_cpu_forms(model: nn.Module) -> None:
    """Puts fast forms in the place of a model's plain layers, as far as these lie on the CPU; frozen networks included.

    A 3 x 3 convolution of stride 1 and many channels takes Winograd's way where that is faster (`WinogradConv2d`). A
    bilinear `nn.Upsample` and the 3 x 3 convolution after it in an `nn.Sequential` become one step (`resize_conv3x3`).
    Results are the same up to rounding. Each layer stays the object that it is, with its parameters and their names:
    only its class changes, so that checkpoints, optimizers and wrappers see no difference. A second call does nothing.
    """
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            for resize, conv in pairwise(module):
                bilinear = isinstance(resize, nn.Upsample) and resize.mode == "bilinear" and not resize.align_corners
                if bilinear and _is_plain_3x3(conv) and conv.bias is not None:
                    resize.__class__, conv.__class__ = DeferredUpsample, ResizeConv2d
        elif _is_plain_3x3(module) and min(module.in_channels, module.out_channels) >= WINOGRAD_CHANNELS:
            module.__class__ = WinogradConv2d


def _is_plain_3x3(layer: nn.Module) -> bool:
    """Whether a layer is an `nn.Conv2d` itself, on the CPU, that keeps the size of its images."""
    return (
        type(layer) is nn.Conv2d
        and layer.weight.device.type == "cpu"
        and (layer.kernel_size, layer.stride, layer.dilation) == ((3, 3), (1, 1), (1, 1))
        and (layer.padding, layer.padding_mode, layer.groups) == ((1, 1), "zeros", 1)
    )
