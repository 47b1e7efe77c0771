"""Forms of plain layers that are faster on the CPU."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seg_vton.ops.winograd import WinogradConv2d

WINOGRAD_CHANNELS = 128
"""Fewest channels with which Winograd's way is the faster one."""


def use_cpu_forms(model: nn.Module) -> None:
    """Puts fast forms in the place of a model's plain layers, as far as these lie on the CPU; frozen networks included.

    A 3 x 3 convolution of stride 1 and many channels takes Winograd's way where that is faster (`WinogradConv2d`). A
    bilinear `nn.Upsample` (to a size, or by 2) and the 3 x 3 convolution after it in an `nn.Sequential` become one step
    (`resize_conv3x3`). Subclasses with a `forward` of their own are left alone.
    Results are the same up to rounding. Each layer stays the object that it is, with its parameters and their names:
    only its class changes, so that checkpoints, optimizers and wrappers see no difference. A second call does nothing.
    """
    for module in model.modules():
        if type(module).forward is nn.Sequential.forward:
            for resize, conv in pairwise(module):
                resizes = type(resize) in (nn.Upsample, UpsampleTo) and resize.mode == "bilinear"
                # By 1.5 a side of 5 becomes 7, of which torch then takes places 1 / 1.5 apart and not 5 / 7.
                fits = resizes and not resize.align_corners and resize.scale_factor in (None, 2)
                if fits and _is_plain_3x3(conv) and conv.bias is not None:
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


class _ShiftedSum(torch.autograd.Function):
    """Adds three maps, the first moved by one pixel towards the end, the third towards the start, zeros moved in.

    `(B, 3 * C, H, W)` to `(B, C, H, W)` in channels-last memory. Written out because autograd's own backward of sums of
    slices fills a whole map with zeros for each slice.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, dim: int) -> Tensor:
        """Sums along `dim`, 2 or 3."""
        ctx.dim, last = dim, maps.shape[dim] - 1
        before, here, after = maps.chunk(3, dim=1)
        total = torch.empty_like(here, memory_format=torch.channels_last).copy_(here)
        total.narrow(dim, 1, last).add_(before.narrow(dim, 0, last))
        total.narrow(dim, 0, last).add_(after.narrow(dim, 1, last))
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """The gradient of the three maps: each is the sum's, moved the other way."""
        dim, last = ctx.dim, grad.shape[ctx.dim] - 1
        n, c, h, w = grad.shape
        grads = torch.empty((n, 3 * c, h, w), dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last)
        before, here, after = grads.chunk(3, dim=1)
        here.copy_(grad)
        before.narrow(dim, 0, last).copy_(grad.narrow(dim, 1, last))
        before.narrow(dim, last, 1).zero_()
        after.narrow(dim, 1, last).copy_(grad.narrow(dim, 0, last))
        after.narrow(dim, 0, 1).zero_()
        return grads, None


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def resize_conv3x3(x: Tensor, weight: Tensor, bias: Tensor, size: tuple[int, int]) -> Tensor:
    """`conv2d(interpolate(x, size, mode='bilinear'), weight, bias, padding=1)`, up to rounding.

    Resizing treats all channels alike and so changes places with the convolution's mixing of channels. The nine taps
    are applied to the small map as one matrix product, and their results are resized, moved by the tap's offset and
    added, first along the width, then along the height. For a factor of 2 that is a quarter of the multiplications, and
    the large map of the input's channels is never made.

    Args:
        x: `(B, C_in, h, w)`; fastest in channels-last memory.
        weight: `(C_out, C_in, 3, 3)`.
        bias: `(C_out,)`.
        size: height and width to resize to, (H, W).

    Returns:
        `(B, C_out, H, W)` in channels-last memory.
    """
    out = len(weight)
    taps = weight.permute(3, 2, 0, 1).flatten(0, 2)  # (3 columns * 3 rows * C_out, C_in)
    # The middle tap never reaches over the border and resizing keeps a constant: the bias rides along with it.
    maps = F.linear(x.permute(0, 2, 3, 1), taps, F.pad(bias, (4 * out, 4 * out))).permute(0, 3, 1, 2)
    maps = _ShiftedSum.apply(_resize(maps, (x.shape[2], size[1])), 3)  # (B, 3 rows * C_out, h, W)
    return _ShiftedSum.apply(_resize(maps, size), 2)


class UpsampleTo(nn.Upsample):
    """Resizes to a given size, for U-Nets whose images are not divisible by 2 at every level.

    Such sizes (96 at the sixth) round down on the way down; on the way up features are resized to what they meet there.
    """

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """`(B, C, h, w)` to `(B, C, *size)`."""
        return F.interpolate(x, size, mode=self.mode)


class DeferredUpsample(nn.Upsample):
    """Leaves the resizing to the `ResizeConv2d` that follows it. `use_cpu_forms` makes such pairs."""

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> tuple[Tensor, tuple[int, int]]:
        """The images `(B, C, h, w)` as they are, and the size for which they are meant."""
        if size is None:
            picture = torch.empty(1, 1, *x.shape[2:], device="meta")
            size = F.interpolate(picture, self.size, self.scale_factor).shape[2:]
        return x, tuple(size)


class ResizeConv2d(nn.Conv2d):
    """The 3 x 3 convolution after a `DeferredUpsample`."""

    def forward(self, resized: tuple[Tensor, tuple[int, int]]) -> Tensor:
        """What `DeferredUpsample` gives to `(B, C_out, H, W)`."""
        x, size = resized
        return resize_conv3x3(x, self.weight, self.bias, size)
