# ruff: noqa: ANN001, N803  (what a kernel gets are Triton's, and capitals are what it is compiled for)
"""CARAFE on a GPU in three Triton kernels, for where mmcv has no compiled operator; importing this needs Triton.

The sum and the letters are those of `carafe_kernels`. Each program takes some pixels and some channels of one group and
gathers what they need tap by tap, so that nothing is unfolded, nothing is added atomically, and the same inputs give
the same bytes. Tensors are read where they lie, whatever their strides.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .carafe_kernels import empty_output

PIXELS = 32  # of a program
CHANNELS = 64  # of a program, at most


def forward(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor) -> Tensor:
    """The sums; arguments and result are those of `carafe_kernels.blocks_forward`."""
    output = empty_output(features, scale)
    pixels = len(output) * output.shape[2] * output.shape[3]
    settings = _settings(features, kernel, groups, scale, like)
    blocks = groups * triton.cdiv(settings["GROUP_CHANNELS"], settings["BLOCK_C"])
    strides = *features.stride(), *masks.stride(), *output.stride()
    with torch.cuda.device_of(features):
        grid = (triton.cdiv(pixels, PIXELS) * blocks,)
        _forward_kernel[grid](features, masks, output, pixels, *features.shape[2:], *strides, **settings)
    return output


def backward(
    grad: Tensor, features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of features and masks; arguments and result are those of `carafe_kernels.blocks_backward`."""
    grad_features, grad_masks = empty_output(features, 1), torch.empty_like(masks)
    size, settings = features.shape[2:], _settings(features, kernel, groups, scale, like)
    pixels = len(features) * size[0] * size[1]
    blocks = groups * triton.cdiv(settings["GROUP_CHANNELS"], settings["BLOCK_C"])
    with torch.cuda.device_of(features):
        grid = (triton.cdiv(pixels, PIXELS) * blocks,)
        strides = *grad.stride(), *masks.stride(), *grad_features.stride()
        _features_kernel[grid](grad, masks, grad_features, pixels, *size, *strides, **settings)
        grid = (triton.cdiv(pixels * scale**2, PIXELS) * groups * kernel**2,)
        strides = *grad.stride(), *features.stride(), *grad_masks.stride()
        _masks_kernel[grid](grad, features, grad_masks, pixels * scale**2, *size, *strides, **settings)
    return grad_features, grad_masks


def _settings(features: Tensor, kernel: int, groups: int, scale: int, like: Tensor) -> dict[str, Any]:
    """What the kernels are compiled for."""
    group_channels = features.shape[1] // groups
    return {
        "KERNEL": kernel,
        "GROUPS": groups,
        "SCALE": scale,
        "GROUP_CHANNELS": group_channels,
        "SUM": tl.float64 if like.dtype == torch.float64 else tl.float32,
        "BLOCK_P": PIXELS,
        "BLOCK_C": min(CHANNELS, triton.next_power_of_2(group_channels)),
    }


@triton.jit
def _forward_kernel(
    features, masks, output, pixels, height, width, f_n, f_c, f_y, f_x, m_n, m_c, m_y, m_x, o_n, o_c, o_y, o_x,
    KERNEL: tl.constexpr, GROUPS: tl.constexpr, SCALE: tl.constexpr, GROUP_CHANNELS: tl.constexpr, SUM: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
) -> None:  # fmt: skip
    """Output pixels (of all images in a row) by channels."""
    blocks = (GROUP_CHANNELS + BLOCK_C - 1) // BLOCK_C
    part = tl.program_id(0) % (GROUPS * blocks)
    group = part // blocks
    channel = (part % blocks) * BLOCK_C + tl.arange(0, BLOCK_C)
    channel_exists = channel < GROUP_CHANNELS
    channel = (group * GROUP_CHANNELS + channel).to(tl.int64)
    pixel = (tl.program_id(0) // (GROUPS * blocks)).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    exists = pixel < pixels
    x = pixel % (width * SCALE)
    y = pixel // (width * SCALE) % (height * SCALE)
    n = pixel // (width * SCALE) // (height * SCALE)
    total = tl.zeros((BLOCK_P, BLOCK_C), SUM)
    for tap in range(KERNEL * KERNEL):
        row = y // SCALE + tap // KERNEL - KERNEL // 2
        column = x // SCALE + tap % KERNEL - KERNEL // 2
        inside = exists & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        weight = masks + n * m_n + (group * KERNEL * KERNEL + tap) * m_c + y * m_y + x * m_x
        weight = tl.load(weight, mask=exists, other=0.0).to(SUM)
        value = features + (n * f_n + row * f_y + column * f_x)[:, None] + (channel * f_c)[None, :]
        value = tl.load(value, mask=inside[:, None] & channel_exists[None, :], other=0.0).to(SUM)
        total += value * weight[:, None]
    target = output + (n * o_n + y * o_y + x * o_x)[:, None] + (channel * o_c)[None, :]
    tl.store(target, total.to(output.dtype.element_ty), mask=exists[:, None] & channel_exists[None, :])


@triton.jit
def _features_kernel(
    grad, masks, grad_features, pixels, height, width, g_n, g_c, g_y, g_x, m_n, m_c, m_y, m_x, o_n, o_c, o_y, o_x,
    KERNEL: tl.constexpr, GROUPS: tl.constexpr, SCALE: tl.constexpr, GROUP_CHANNELS: tl.constexpr, SUM: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
) -> None:  # fmt: skip
    """Source pixels by channels: all outputs whose windows hold the pixel give their gradients to it."""
    blocks = (GROUP_CHANNELS + BLOCK_C - 1) // BLOCK_C
    part = tl.program_id(0) % (GROUPS * blocks)
    group = part // blocks
    channel = (part % blocks) * BLOCK_C + tl.arange(0, BLOCK_C)
    channel_exists = channel < GROUP_CHANNELS
    channel = (group * GROUP_CHANNELS + channel).to(tl.int64)
    pixel = (tl.program_id(0) // (GROUPS * blocks)).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    exists = pixel < pixels
    column = pixel % width
    row = pixel // width % height
    n = pixel // width // height
    total = tl.zeros((BLOCK_P, BLOCK_C), SUM)
    for tap in range(KERNEL * KERNEL):
        center_y = row - tap // KERNEL + KERNEL // 2
        center_x = column - tap % KERNEL + KERNEL // 2
        inside = exists & (center_y >= 0) & (center_y < height) & (center_x >= 0) & (center_x < width)
        for fan in range(SCALE * SCALE):
            y = center_y * SCALE + fan // SCALE
            x = center_x * SCALE + fan % SCALE
            weight = masks + n * m_n + (group * KERNEL * KERNEL + tap) * m_c + y * m_y + x * m_x
            weight = tl.load(weight, mask=inside, other=0.0).to(SUM)
            value = grad + (n * g_n + y * g_y + x * g_x)[:, None] + (channel * g_c)[None, :]
            value = tl.load(value, mask=inside[:, None] & channel_exists[None, :], other=0.0).to(SUM)
            total += value * weight[:, None]
    target = grad_features + (n * o_n + row * o_y + column * o_x)[:, None] + (channel * o_c)[None, :]
    tl.store(target, total.to(grad_features.dtype.element_ty), mask=exists[:, None] & channel_exists[None, :])


@triton.jit
def _masks_kernel(
    grad, features, grad_masks, pixels, height, width, g_n, g_c, g_y, g_x, f_n, f_c, f_y, f_x, o_n, o_c, o_y, o_x,
    KERNEL: tl.constexpr, GROUPS: tl.constexpr, SCALE: tl.constexpr, GROUP_CHANNELS: tl.constexpr, SUM: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
) -> None:  # fmt: skip
    """Output pixels at one tap of one group: the product of gradient and features, summed over the channels."""
    entry = tl.program_id(0) % (GROUPS * KERNEL * KERNEL)
    group = entry // (KERNEL * KERNEL)
    tap = entry % (KERNEL * KERNEL)
    pixel = (tl.program_id(0) // (GROUPS * KERNEL * KERNEL)).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    exists = pixel < pixels
    x = pixel % (width * SCALE)
    y = pixel // (width * SCALE) % (height * SCALE)
    n = pixel // (width * SCALE) // (height * SCALE)
    row = y // SCALE + tap // KERNEL - KERNEL // 2
    column = x // SCALE + tap % KERNEL - KERNEL // 2
    inside = exists & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    total = tl.zeros((BLOCK_P,), SUM)
    for start in range(0, GROUP_CHANNELS, BLOCK_C):
        channel = start + tl.arange(0, BLOCK_C)
        channel_exists = channel < GROUP_CHANNELS
        channel = (group * GROUP_CHANNELS + channel).to(tl.int64)
        value = features + (n * f_n + row * f_y + column * f_x)[:, None] + (channel * f_c)[None, :]
        value = tl.load(value, mask=inside[:, None] & channel_exists[None, :], other=0.0).to(SUM)
        slope = grad + (n * g_n + y * g_y + x * g_x)[:, None] + (channel * g_c)[None, :]
        slope = tl.load(slope, mask=exists[:, None] & channel_exists[None, :], other=0.0).to(SUM)
        total += tl.sum(value * slope, axis=1)
    target = grad_masks + n * o_n + entry * o_c + y * o_y + x * o_x
    tl.store(target, total.to(grad_masks.dtype.element_ty), mask=exists)
