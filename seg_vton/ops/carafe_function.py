"""The CARAFE operator: content-aware reassembly of features (Wang et al., ICCV 2019)."""

import os
import shutil
import sysconfig
from collections.abc import Callable
from functools import cache, reduce
from pathlib import Path
from typing import Any

import torch
from mmcv.ops.carafe import carafe as mmcv_carafe
from torch import Tensor
from torch.autograd.function import once_differentiable

from . import carafe_kernels as kernels
from .mmcv_ext import has_compiled_ops

MMCV_DTYPES = (torch.float16, torch.float32, torch.float64)  # what mmcv's CUDA kernels are compiled for


def carafe(features: Tensor, masks: Tensor, kernel_size: int, group_size: int = 1, scale_factor: int = 1) -> Tensor:
    """Upsamples features with weights of their own for every output pixel (equation 4 of the paper).

    The signature and the semantics are those of ``mmcv.ops.carafe``; features outside the map count as zero. Sums
    are taken in the wider type of features, masks and float32, also under autocast; mmcv's compiled operator, which is
    taken on a GPU where there is one, takes them in the features' type. Gradients have the type of what they are the
    gradient of. The operator can be differentiated once.

    Args:
        features: (N, C, H, W); N may be 0.
        masks: (N, group_size * kernel_size**2, H * scale_factor, W * scale_factor): the weights, groups outermost,
            then kernel rows, then kernel columns; already normalized (CARAFE takes the softmax over each kernel).
        kernel_size: Side of the reassembly kernel, odd.
        group_size: Number of groups of channels that have weights of their own; divides C.
        scale_factor: Upsampling factor, a whole number.

    Returns:
        (N, C, H * scale_factor, W * scale_factor), of the type and memory format of ``features``.

    Raises:
        ValueError: The kernel size is even, a factor is below 1 or the shapes do not fit; the message names both.
    """
    if not torch.jit.is_tracing():  # sizes are symbols there
        _check(features, masks, kernel_size, group_size, scale_factor)
    if torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling() or torch.jit.is_tracing():
        dtype = _sum_dtype(features, masks)
        output = kernels.composite_forward(features.to(dtype), masks.to(dtype), kernel_size, group_size, scale_factor)
        return output.to(features.dtype)
    if features.is_cuda and features.numel() and features.dtype in MMCV_DTYPES and has_compiled_ops():
        inputs = features.contiguous(), masks.to(features.dtype).contiguous()
        output = mmcv_carafe(*inputs, kernel_size, group_size, scale_factor)
        return output.contiguous(memory_format=kernels.memory_format_of(features))
    return _Carafe.apply(features, masks, kernel_size, group_size, scale_factor)


def _check(features: Tensor, masks: Tensor, kernel_size: int, group_size: int, scale_factor: int) -> None:
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"carafe: kernel_size must be odd and positive, but is {kernel_size}")
    if group_size < 1 or scale_factor < 1:
        raise ValueError(f"carafe: {group_size=} and {scale_factor=} must be at least 1")
    if features.dim() != 4 or masks.dim() != 4:
        raise ValueError(_mismatch(features, masks, "both must have four dimensions"))
    n, c, h, w = features.shape
    if c % group_size:
        raise ValueError(_mismatch(features, masks, f"the {c} channels cannot be split into {group_size} groups"))
    expected = (n, group_size * kernel_size**2, h * scale_factor, w * scale_factor)
    if tuple(masks.shape) != expected:
        settings = f"{kernel_size=}, {group_size=}, {scale_factor=}"
        raise ValueError(_mismatch(features, masks, f"with {settings} the masks must be {expected}"))


def _mismatch(features: Tensor, masks: Tensor, fault: str) -> str:
    return f"carafe: features {tuple(features.shape)} and masks {tuple(masks.shape)} do not fit: {fault}"


class _Carafe(torch.autograd.Function):
    """Keeps features and masks for the backward pass, and no sum or window."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
        """The sums, (N, C, H * scale, W * scale); arguments as `carafe` has checked them."""
        ctx.save_for_backward(features, masks)
        ctx.settings = kernel, groups, scale
        if not features.numel():
            n, c, h, w = features.shape
            return features.new_empty(n, c, h * scale, w * scale)
        form = gpu_forms()[0] if features.is_cuda else kernels.blocks_forward
        with torch.autocast(features.device.type, enabled=False):
            return form(features, masks, kernel, groups, scale, _sum_like(features, masks))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of features and masks, recomputing the windows; None for the three settings."""
        features, masks = ctx.saved_tensors
        if not features.numel():
            return torch.zeros_like(features), torch.zeros_like(masks), None, None, None
        form = gpu_forms()[1] if features.is_cuda else kernels.blocks_backward
        with torch.autocast(features.device.type, enabled=False):
            grads = form(grad, features, masks, *ctx.settings, _sum_like(features, masks))
        return *grads, None, None, None


@cache
def gpu_forms() -> tuple[Callable[..., Tensor], Callable[..., tuple[Tensor, Tensor]]]:
    """Forward and backward on a GPU for what mmcv has no compiled operator for.

    Triton's kernels where Triton is installed and finds what it builds its launchers with, a C compiler and Python's
    headers (no CUDA toolkit); else sums of shifted views in PyTorch.
    """
    try:
        import triton  # noqa: F401
    except ImportError:
        return kernels.shifts_forward, kernels.shifts_backward
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or not Path(sysconfig.get_path("include", "posix_prefix"), "Python.h").is_file():
        return kernels.shifts_forward, kernels.shifts_backward
    from . import carafe_triton

    return carafe_triton.forward, carafe_triton.backward


def _sum_like(features: Tensor, masks: Tensor) -> Tensor:
    """An empty tensor of the type and device to take sums in."""
    return features.new_empty(0, dtype=_sum_dtype(features, masks))


def _sum_dtype(features: Tensor, masks: Tensor) -> torch.dtype:
    return reduce(torch.promote_types, (features.dtype, masks.dtype, torch.float32))
