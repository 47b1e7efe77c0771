"""A stand-in for `mmcv._ext`, the compiled operators of mmcv, where mmcv was installed without them.

The models here need three of mmcv's hundred operators: nms and roi_align, which torchvision has, and CARAFE, which is
in this package, as is a faster roi_align for the CPU. mmcv looks all of them up when `mmcv.ops` is imported, so every
other name resolves as well, to a function that raises when it is called.
"""

import functools
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import astuple
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

import torch
from mmengine.logging import print_log
from torch import Tensor

from seg_vton.ops import roi_align_kernels
from seg_vton.ops.roi_align_kernels import Pooling

NAME = "mmcv._ext"
ADVICE = (
    "To install mmcv with its compiled operators (needs a C++ compiler and, for a GPU, FORCE_CUDA=1 and the CUDA "
    "toolkit; takes up to an hour): pip install --no-deps --force-reinstall --no-cache-dir --no-binary onedl-mmcv "
    "--no-build-isolation onedl-mmcv==2.3.6"
)


class StandInLoader(Loader):
    """Marks `mmcv._ext` as ours and fills it; mmcv takes a module without a loader for a missing one."""

    def exec_module(self, module: ModuleType) -> None:
        """Puts the operators into ``module``."""
        vars(module).update(OPERATORS, __doc__=__doc__, __getattr__=_missing_operator)


def install() -> None:
    """Makes `mmcv._ext` importable where mmcv has no compiled operators; where it has some, makes roi_align safe.

    It is an `ImportError` where mmdet's models were imported before: they have decided to do without the operators.
    """
    if has_compiled_ops():
        accept_any_layout(importlib.import_module(NAME))
    elif importlib.util.find_spec(NAME) is None:
        if any(name.startswith("mmdet.models") for name in sys.modules):
            raise ImportError("mmdet.models was imported without operators; import seg_vton.ops before it")
        spec = ModuleSpec(NAME, StandInLoader())
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[NAME] = sys.modules["mmcv"]._ext = module
        print_log(
            "mmcv has no compiled operators: seg_vton.ops stands in for carafe and, on the CPU, roi_align, torchvision "
            "for nms and, on a GPU, roi_align",
            logger="current",
        )


def accept_any_layout(compiled: ModuleType) -> None:
    """Makes the ``roi_align_forward`` of mmcv's compiled extension read features of any memory format.

    It takes every memory for (N, C, H, W) in that order: from channels-last features it silently pools garbage, and a
    training diverges within some forty iterations.
    """
    forward = compiled.roi_align_forward

    @functools.wraps(forward)
    def roi_align_forward(input: Tensor, *args: Any, **kwargs: Any) -> None:
        forward(input.contiguous(), *args, **kwargs)

    compiled.roi_align_forward = roi_align_forward


def has_compiled_ops() -> bool:
    """Whether mmcv's operators are its own, compiled ones."""
    spec = importlib.util.find_spec(NAME)
    return spec is not None and not isinstance(spec.loader, StandInLoader)


def _missing_operator(name: str) -> Callable[..., NoReturn]:
    if name.startswith("__"):
        raise AttributeError(f"module {NAME!r} has no attribute {name!r}")

    def operator(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"mmcv was installed without its compiled operators, and seg_vton.ops stands in for nms, roi_align and "
            f"carafe only, not for {name!r}. {ADVICE}"
        )

    return operator


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that are kept, by falling score; ``offset`` 1 counts pixels (width x2 - x1 + 1)."""
    from torchvision.ops import nms  # here, since torchvision takes a second to import and try-on does without

    dtype = torch.promote_types(boxes.dtype, torch.float32)
    boxes, scores = boxes.to(dtype), scores.to(dtype)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return nms(boxes, scores, iou_threshold)


def _pooling(
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool
) -> Pooling:
    if pool_mode != 1:
        raise NotImplementedError(
            f"roi_align with pool_mode='max' is not in torchvision, which stands in for mmcv's compiled operators; "
            f"use pool_mode='avg'. {ADVICE}"
        )
    return Pooling((aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)


def _roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, **settings: Any
) -> None:
    """Fills ``output`` (K, C, aligned_height, aligned_width); the argmax buffers belong to max pooling."""
    pooling, dtype = _pooling(**settings), torch.promote_types(input.dtype, torch.float32)
    features, rois = input.to(dtype), rois.to(dtype)
    if input.is_cuda:
        import torchvision  # noqa: F401  # brings its operators

        # Not torchvision.ops.roi_align, which compiles a slow form of its own under deterministic algorithms.
        size, scale, *rest = astuple(pooling)
        pooled = torch.ops.torchvision.roi_align(features, rois, scale, *size, *rest)
    else:
        pooled = roi_align_kernels.forward(features, rois, pooling)
    output.copy_(pooled)


def _roi_align_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor, **settings: Any
) -> None:
    """Fills ``grad_input`` (N, C, H, W)."""
    pooling, dtype = _pooling(**settings), torch.promote_types(grad_output.dtype, torch.float32)
    grad_output, rois = grad_output.to(dtype), rois.to(dtype)
    if grad_output.is_cuda:
        # torchvision has no public name for its backward pass, and through autograd it would need the features.
        size, scale, *rest = astuple(pooling)
        grad = torch.ops.torchvision._roi_align_backward(grad_output, rois, scale, *size, *grad_input.shape, *rest)
    else:
        grad = roi_align_kernels.backward(grad_output, rois, grad_input.shape, pooling)
    if grad.dtype == grad_input.dtype:
        grad_input.set_(grad)  # mmcv's buffer takes over the memory and its layout instead of a transposing copy
    else:
        grad_input.copy_(grad)


def _carafe_forward(features: Tensor, masks: Tensor, *buffers: Tensor, **settings: int) -> None:
    """Fills the last buffer with the output; of several, the first keeps the features for mmcv's backward pass."""
    from .carafe_function import carafe

    *kept, output = buffers
    for buffer in kept[:1]:
        buffer.copy_(features)
    output.copy_(carafe(features, masks, **settings))


def _carafe_backward(grad_output: Tensor, features: Tensor, masks: Tensor, *buffers: Tensor, **settings: int) -> None:
    """Fills the last two buffers with the gradients of features and masks."""
    from .carafe_function import carafe

    with torch.enable_grad():
        inputs = features.detach().requires_grad_(), masks.detach().requires_grad_()
        output = carafe(*inputs, **settings)
    for buffer, grad in zip(buffers[-2:], torch.autograd.grad(output, inputs, grad_output), strict=True):
        buffer.copy_(grad)


OPERATORS = {
    "nms": _nms,
    "roi_align_forward": _roi_align_forward,
    "roi_align_backward": _roi_align_backward,
    "carafe_forward": _carafe_forward,
    "carafe_backward": _carafe_backward,
    "carafe_naive_forward": _carafe_forward,
    "carafe_naive_backward": _carafe_backward,
}
