"""RoIAlign on the CPU as two small matrix products for each RoI.

RoIAlign (He et al., Mask R-CNN, ICCV 2017, section 3) averages bilinear samples on a regular grid in each bin. The
grid, the bilinear weights and the rule for samples outside are all products of something in y and something in x, so a
RoI's output is ``weights_y @ window @ weights_x.T`` for each channel, where the window is the part of the features that
the RoI touches. In channels-last memory both products have the channels as their long side, the first one reads the
window where it lies, and the backward pass adds its product to the gradient in place. Sampling gathers four values for
each of the samples instead, and torchvision's backward scatters as many on one thread.

Shapes: features (N, H, W, C) contiguous, RoIs (K, 5) with the image's index and x1, y1, x2, y2, bins p (rows) x q
(columns).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pooling:
    """What RoIAlign is asked for, in mmcv's words."""

    size: tuple[int, int]  # bins: rows, columns
    spatial_scale: float  # feature pixels in an image pixel
    sampling_ratio: int  # samples along each side of a bin; 0 takes as many as feature pixels, rounded up
    aligned: bool  # whether pixel centers lie at half-integers


@torch.autocast("cpu", enabled=False)
def forward(features: Tensor, rois: Tensor, pooling: Pooling) -> Tensor:
    """Pools each RoI.

    Args:
        features: (N, C, H, W), float32 or float64, any memory format (channels-last is read in place).
        rois: (K, 5), same dtype.
        pooling: the settings.

    Returns:
        (K, C, p, q) in channels-last memory. A RoI with a coordinate that is not finite gives NaN.
    """
    source = features.permute(0, 2, 3, 1).contiguous()
    channels = source.shape[3]
    output = source.new_empty(len(rois), *pooling.size, channels)
    for k, (image, rows, columns, by_row, by_column) in enumerate(_windows(rois, source.shape, pooling)):
        window = _flat_rows(source[image, rows, columns])
        partial = torch.mm(by_row, window).view(pooling.size[0], -1, channels)
        torch.matmul(by_column, partial, out=output[k])
    output[~rois.isfinite().all(1)] = torch.nan
    return output.permute(0, 3, 1, 2)


@torch.autocast("cpu", enabled=False)
def backward(grad: Tensor, rois: Tensor, shape: tuple[int, int, int, int], pooling: Pooling) -> Tensor:
    """The gradient of the features, (N, C, H, W) in channels-last memory.

    Args:
        grad: (K, C, p, q), the output's gradient.
        rois: as in `forward`.
        shape: (N, C, H, W) of the features.
        pooling: as in `forward`.
    """
    n, channels, height, width = shape
    grad = grad.permute(0, 2, 3, 1).contiguous()
    total = grad.new_zeros(n, height, width, channels)
    for k, (image, rows, columns, by_row, by_column) in enumerate(_windows(rois, total.shape, pooling)):
        partial = torch.matmul(by_column.t(), grad[k])
        _flat_rows(total[image, rows, columns]).addmm_(by_row.t(), partial.flatten(1))
    return total.permute(0, 3, 1, 2)


def _flat_rows(window: Tensor) -> Tensor:
    """(h, w, C) with whole pixels side by side in memory as (h, w * C), a view."""
    h, w, channels = window.shape
    return window.as_strided((h, w * channels), (window.stride(0), 1))


def _windows(rois: Tensor, shape: torch.Size, pooling: Pooling) -> list[tuple[int, slice, slice, Tensor, Tensor]]:
    """For each RoI its image, its window's rows and columns, and the weights (p, h) and (q, w) on them."""
    corners = rois[:, 1:].nan_to_num(0, 0, 0) * pooling.spatial_scale - (0.5 if pooling.aligned else 0.0)
    sizes = corners[:, 2:] - corners[:, :2]
    if not pooling.aligned:
        sizes = sizes.clamp(min=1)
    rows, by_row = _axis(corners[:, 1], sizes[:, 1], pooling.size[0], shape[1], pooling.sampling_ratio)
    columns, by_column = _axis(corners[:, 0], sizes[:, 0], pooling.size[1], shape[2], pooling.sampling_ratio)
    parts = zip(rois[:, 0].long().tolist(), rows, columns, by_row, by_column, strict=True)
    return [(n, y, x, wy[:, : y.stop - y.start], wx[:, : x.stop - x.start]) for n, y, x, wy, wx in parts]


def _axis(start: Tensor, size: Tensor, bins: int, length: int, ratio: int) -> tuple[list[slice], Tensor]:
    """Along one axis: which pixels each RoI touches, and their weights in each bin.

    Args:
        start: (K,) where the RoIs begin, in feature pixels.
        size: (K,) how long they are.
        bins: number of bins.
        length: pixels of the feature map.
        ratio: samples a bin, 0 for one each pixel.

    Returns:
        K slices, and (K, bins, pixels of the longest slice + 1) with zeros after each RoI's own pixels.
    """
    if not len(start):
        return [], start.new_zeros(0, bins, 1)
    position, weight = _samples(start, size, bins, length, ratio)
    position = position.clamp(0, length - 1)
    low = position.floor().clamp(max=max(length - 2, 0))
    fraction, low = position - low, low.long()
    # The window spans the samples that count; the others are moved into it, where their weight of zero does nothing.
    first = low.masked_fill(weight == 0, length - 1).flatten(1).amin(1)
    last = torch.maximum(low.masked_fill(weight == 0, 0).flatten(1).amax(1), first)
    index = torch.minimum(torch.maximum(low, first[:, None, None]), last[:, None, None]) - first[:, None, None]
    weights = size.new_zeros(len(start), bins, int((last - first).max()) + 2)
    weights.scatter_add_(2, index, weight * (1 - fraction))
    weights.scatter_add_(2, index + 1, weight * fraction)
    stops = (last + 2).clamp(max=length)
    return [slice(a, b) for a, b in zip(first.tolist(), stops.tolist(), strict=True)], weights


def _samples(start: Tensor, size: Tensor, bins: int, length: int, ratio: int) -> tuple[Tensor, Tensor]:
    """Where the samples lie, and their shares in their bins: (K, bins, samples) each, in feature pixels and in [0, 1].

    A sample more than one pixel outside the features has no share, and a RoI with fewer samples than others some that
    have none; one of no extent (with ``ratio`` 0) has none at all.
    """
    counts = (size.new_full(size.shape, ratio) if ratio > 0 else (size / bins).ceil().clamp(min=0))[:, None]
    number, divisor = torch.arange(max(int(counts.max()), 1), dtype=size.dtype), counts.clamp(min=1)
    offsets = torch.arange(bins)[:, None] + ((number + 0.5) / divisor)[:, None]  # in bins, (K, bins, samples)
    position = start[:, None, None] + offsets * (size / bins)[:, None, None]
    counted = (number < counts)[:, None] & (position >= -1) & (position <= length)
    return position, counted / divisor[:, None]
