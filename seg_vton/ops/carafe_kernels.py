"""How CARAFE's sums are computed: row by row on the CPU, kernel position by kernel position elsewhere.

CARAFE (Wang et al., ICCV 2019, equation 4) gives every output pixel the sum of the k x k features around its source
pixel, weighted by the k x k weights that are predicted for it::

    output[c, s*i + dy, s*j + dx] = sum over ky, kx of
        masks[group(c), ky, kx, s*i + dy, s*j + dx] * features[c, i + ky - k//2, j + kx - k//2]

Neither form here ever holds the k*k-fold unfolded features. Shapes below: n images, c channels in g groups, h x w
source pixels, scale s, kernel size k; ``masks`` is (n, g*k*k, h*s, w*s) with the group outermost.

The row form (`rows_forward`, `rows_backward`). The s*s output pixels of one source pixel share one k x k window, so
they are a matrix product (s*s x k*k) by (k*k x c), and a row of source pixels is one batched product. A window is a
single matrix in memory, without a copy, because features are kept in a line of c-vectors in which padded row y of
column x has the position ``x*k + y``:

* the window of column x at row y, taken column by column, is the k*k consecutive positions from ``x*k + y`` on;
* going down one row moves all windows by one position, and each new vector lands where the row that has just left
  the window of the next column was.

So a row is read once, written once and used k*k times from cache. The gradient of the features is accumulated in such a
line too. Small images lie side by side in one line, with k//2 columns of zeros between them that serve both neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

PIXELS_PER_PRODUCT = 512  # source pixels that one batched product should have at least, if there are as many


@dataclass(frozen=True)
class Geometry:
    """Sizes of one CARAFE call; ``n`` is how many images lie side by side in a line."""

    kernel: int
    groups: int
    scale: int
    n: int
    c: int
    h: int
    w: int

    @property
    def radius(self) -> int:
        """Zeros on each side of an image."""
        return self.kernel // 2

    @property
    def pitch(self) -> int:
        """Columns from the left edge of one image to the left edge of the next one."""
        return self.w + self.radius

    @property
    def pixels(self) -> int:
        """Windows in a row of the line; of each pitch the last ``radius`` belong to no image."""
        return self.n * self.pitch

    @property
    def columns(self) -> int:
        """Columns in the line, the zeros at both ends included."""
        return self.pixels + 2 * self.radius

    @property
    def taps(self) -> int:
        """Weights of one output pixel."""
        return self.kernel**2

    @property
    def fan(self) -> int:
        """Output pixels of one source pixel."""
        return self.scale**2

    @property
    def group_channels(self) -> int:
        """Channels that share their weights."""
        return self.c // self.groups


class _Line:
    """The line of c-vectors of the module's docstring."""

    def __init__(self, geometry: Geometry, like: Tensor) -> None:
        self.geometry = geometry
        length = geometry.columns * geometry.kernel + geometry.h + 2 * geometry.radius
        self.vectors = like.new_zeros(length, geometry.c)

    def _row(self, y: int) -> Tensor:
        """The vectors of padded row ``y``, (columns, c)."""
        k = self.geometry.kernel
        return self.vectors[y : y + self.geometry.columns * k : k]

    def _images(self, row: Tensor) -> Tensor:
        return row[: self.geometry.pixels].unflatten(0, (self.geometry.n, self.geometry.pitch))

    def load(self, y: int, features: Tensor) -> None:
        """Puts padded row ``y`` of ``features`` (n, h, w, c) into the line."""
        row, radius = self._row(y), self.geometry.radius
        if not radius <= y < self.geometry.h + radius:
            row.zero_()
            return
        images = self._images(row)
        images[:, :radius].zero_()
        images[:, radius:].copy_(features[:, y - radius])
        row[self.geometry.pixels :].zero_()

    def unload(self, y: int, features: Tensor) -> None:
        """Moves padded row ``y`` out of the line into ``features`` (n, h, w, c)."""
        row, radius = self._row(y), self.geometry.radius
        if radius <= y < self.geometry.h + radius:
            features[:, y - radius].copy_(self._images(row)[:, radius:])
        row.zero_()

    def windows(self, y: int, group: int) -> Tensor:
        """The windows of row ``y``, (pixels, k*k, c/g), kernel columns outermost."""
        g = self.geometry
        return self._view(y, group, (g.pixels, g.taps, g.group_channels))

    def columns(self, y: int, group: int) -> Tensor:
        """The k rows under the windows of row ``y``, column by column, (columns, k, c/g)."""
        g = self.geometry
        return self._view(y, group, (g.columns, g.kernel, g.group_channels))

    def _view(self, y: int, group: int, size: tuple[int, int, int]) -> Tensor:
        g = self.geometry
        return self.vectors.as_strided(size, (g.kernel * g.c, g.c, 1), y * g.c + group * g.group_channels)


class _Weights:
    """One row of masks, (g, pixels, s*s, k*k), with k - 1 pixels of zeros at both ends."""

    def __init__(self, geometry: Geometry, like: Tensor) -> None:
        g = self.geometry = geometry
        margin = g.kernel - 1
        self.padded = like.new_zeros(g.groups, g.pixels + 2 * margin, g.fan, g.taps)
        self.pixels = self.padded[:, margin : margin + g.pixels]
        split = self.pixels.view(g.groups, g.n, g.pitch, g.scale, g.scale, g.kernel, g.kernel)
        self.images = split[:, :, : g.w]
        self.by_column = like.new_empty(g.columns, g.kernel, g.kernel, g.fan)

    def load(self, row: Tensor) -> None:
        """Takes one row (n, g, ky, kx, dy, w, dx) of the masks."""
        self.images.copy_(row.permute(1, 0, 5, 4, 6, 3, 2))

    def to_columns(self, group: int) -> Tensor:
        """The same weights as seen from a column of features, (columns, k, k*s*s).

        A column lies in the windows of the k pixels around it: as kernel column k - 1 of the first, 0 of the last.
        """
        g, k = self.geometry, self.geometry.kernel
        strides = (g.fan * g.taps, 1, g.fan * g.taps - k, g.taps)
        start = self.padded[group].storage_offset() + (k - 1) * k
        self.by_column.copy_(self.padded.as_strided((g.columns, k, k, g.fan), strides, start))
        return self.by_column.flatten(2)


class _Gradients:
    """One row of output gradients, (pixels, s*s, c), with k - 1 pixels of zeros at both ends."""

    def __init__(self, geometry: Geometry, like: Tensor) -> None:
        g = self.geometry = geometry
        margin = g.kernel - 1
        self.padded = like.new_zeros(g.pixels + 2 * margin, g.fan, g.c)
        self._inner = self.padded[margin : margin + g.pixels]
        self._images = self._inner.view(g.n, g.pitch, g.scale, g.scale, g.c)[:, : g.w]

    def load(self, row: Tensor) -> None:
        """Takes one row (n, dy, w, dx, c) of the gradient."""
        self._images.copy_(row.permute(0, 2, 1, 3, 4))

    def pixels(self, group: int) -> Tensor:
        """(pixels, s*s, c/g)."""
        width = self.geometry.group_channels
        return self._inner[:, :, group * width : (group + 1) * width]

    def columns(self, group: int) -> Tensor:
        """The gradients of the k pixels whose windows hold a column, (columns, k*s*s, c/g)."""
        g = self.geometry
        size = (g.columns, g.kernel * g.fan, g.group_channels)
        return self.padded.as_strided(size, (g.fan * g.c, g.c, 1), group * g.group_channels)


def _split_masks(masks: Tensor, g: Geometry) -> Tensor:
    """(n, g*k*k, h*s, w*s) as (n, g, ky, kx, h, dy, w, dx)."""
    return masks.view(-1, g.groups, g.kernel, g.kernel, g.h, g.scale, g.w, g.scale)


def _split_output(output: Tensor, g: Geometry) -> Tensor:
    """(n, c, h*s, w*s) as (n, h, dy, w, dx, c)."""
    return output.permute(0, 2, 3, 1).unflatten(1, (g.h, g.scale)).unflatten(3, (g.w, g.scale))


def _lines(features: Tensor, kernel: int, groups: int, scale: int) -> list[tuple[slice, Geometry]]:
    """Which images share a line."""
    n, c, h, w = features.shape
    side_by_side = max(1, PIXELS_PER_PRODUCT // (w + kernel // 2))
    starts = range(0, n, side_by_side)
    parts = [slice(start, min(n, start + side_by_side)) for start in starts]
    return [(part, Geometry(kernel, groups, scale, part.stop - part.start, c, h, w)) for part in parts]


def rows_forward(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor) -> Tensor:
    """The row form.

    Args:
        features: (n, c, h, w).
        masks: (n, g*k*k, h*s, w*s).
        kernel: Kernel size k, odd.
        groups: Groups g.
        scale: Scale s.
        like: A tensor of the type to compute in.

    Returns:
        (n, c, h*s, w*s) of the type and memory format of ``features``.
    """
    n, c, h, w = features.shape
    size, like_features = (n, c, h * scale, w * scale), {"dtype": features.dtype, "device": features.device}
    output = torch.empty(size, **like_features, memory_format=memory_format_of(features))
    pixels = features.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    for part, geometry in _lines(features, kernel, groups, scale):
        _line_forward(pixels[part], masks[part], output[part], geometry, like)
    return output


def _line_forward(features: Tensor, masks: Tensor, output: Tensor, g: Geometry, like: Tensor) -> None:
    line, weights = _Line(g, like), _Weights(g, like)
    products = like.new_empty(g.groups, g.pixels, g.fan, g.group_channels)
    sums = products.view(g.groups, g.n, g.pitch, g.scale, g.scale, g.group_channels)[:, :, : g.w]
    sums = sums.permute(1, 3, 2, 4, 0, 5)
    mask_rows = _split_masks(masks, g)
    output_rows = _split_output(output, g).unflatten(5, (g.groups, g.group_channels))
    for y in range(g.radius, 2 * g.radius):
        line.load(y, features)
    for y in range(g.h):
        line.load(y + g.kernel - 1, features)
        weights.load(mask_rows[:, :, :, :, y])
        for group in range(g.groups):
            torch.bmm(weights.pixels[group], line.windows(y, group), out=products[group])
        output_rows[:, y].copy_(sums)


def rows_backward(
    grad: Tensor, features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of the row form with respect to features and masks; ``grad`` is the output's."""
    grad_features = torch.empty_like(features, memory_format=memory_format_of(features))
    grad_masks = torch.empty_like(masks, memory_format=torch.contiguous_format)
    pixels = features.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    for part, geometry in _lines(features, kernel, groups, scale):
        grads = (grad_features[part].permute(0, 2, 3, 1), grad_masks[part])
        _line_backward(grad[part], pixels[part], masks[part], grads, geometry, like)
    return grad_features, grad_masks


def _line_backward(
    grad: Tensor, features: Tensor, masks: Tensor, results: tuple[Tensor, Tensor], g: Geometry, like: Tensor
) -> None:
    line, sums, weights, gradients = _Line(g, like), _Line(g, like), _Weights(g, like), _Gradients(g, like)
    products = like.new_empty(g.pixels, g.fan, g.taps)
    split = products.view(g.n, g.pitch, g.scale, g.scale, g.kernel, g.kernel)[:, : g.w].permute(0, 5, 4, 2, 1, 3)
    mask_rows, grad_rows, grad_mask_rows = _split_masks(masks, g), _split_output(grad, g), _split_masks(results[1], g)
    for y in range(g.radius, 2 * g.radius):
        line.load(y, features)
    for y in range(g.h):
        line.load(y + g.kernel - 1, features)
        weights.load(mask_rows[:, :, :, :, y])
        gradients.load(grad_rows[:, y])
        for group in range(g.groups):
            sums.columns(y, group).baddbmm_(weights.to_columns(group), gradients.columns(group))
            torch.bmm(gradients.pixels(group), line.windows(y, group).transpose(1, 2), out=products)
            grad_mask_rows[:, group, :, :, y].copy_(split)
        sums.unload(y, results[0])
    for y in range(g.h, g.h + g.radius):
        sums.unload(y, results[0])


def shifts_forward(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor) -> Tensor:
    """The same sum, accumulated over the k*k shifted views of the features; arguments as `rows_forward`'s."""
    n, c, h, w = features.shape
    padded = _shifted_source(features.to(like.dtype), kernel, groups)
    weights = masks.view(n, groups, 1, kernel * kernel, h, scale, w, scale)
    output = features.new_zeros((n, c, h * scale, w * scale), dtype=like.dtype)
    sums = output.view(n, groups, c // groups, h, scale, w, scale)
    for tap in range(kernel * kernel):
        y, x = divmod(tap, kernel)
        sums.addcmul_(padded[..., y : y + h, :, x : x + w, :], weights[:, :, :, tap].to(like.dtype))
    return output.to(features.dtype, memory_format=memory_format_of(features))


def shifts_backward(
    grad: Tensor, features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of `shifts_forward`; arguments as `rows_backward`'s."""
    n, c, h, w = features.shape
    padded = _shifted_source(features.to(like.dtype), kernel, groups)
    grad_padded = torch.zeros_like(padded)
    weights = masks.view(n, groups, 1, kernel * kernel, h, scale, w, scale)
    grad_masks = torch.empty_like(masks, memory_format=torch.contiguous_format)
    grad_weights = grad_masks.view(n, groups, kernel * kernel, h, scale, w, scale)
    grad = grad.to(like.dtype).contiguous().view(n, groups, c // groups, h, scale, w, scale)
    for tap in range(kernel * kernel):
        y, x = divmod(tap, kernel)
        window = (..., slice(y, y + h), slice(None), slice(x, x + w), slice(None))
        grad_weights[:, :, tap] = (grad * padded[window]).sum(2)
        grad_padded[window] += (grad * weights[:, :, :, tap].to(like.dtype)).sum((4, 6), keepdim=True)
    radius = kernel // 2
    grad_features = grad_padded[..., radius : radius + h, 0, radius : radius + w, 0].reshape(n, c, h, w)
    return grad_features.to(features.dtype, memory_format=memory_format_of(features)), grad_masks


def _shifted_source(features: Tensor, kernel: int, groups: int) -> Tensor:
    """Padded features (n, g, c/g, h + k - 1, 1, w + k - 1, 1), ready to be broadcast over the s x s output pixels."""
    padded = F.pad(features.contiguous(), [kernel // 2] * 4)
    return padded.unflatten(1, (groups, -1)).unsqueeze(-2).unsqueeze(-1)


def composite_forward(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
    """The same sum from plain differentiable operators that every exporter and compiler knows; arguments as above."""
    n, c, h, w = features.shape
    source = F.interpolate(F.pad(features, [kernel // 2] * 4), scale_factor=float(scale), mode="nearest")
    source = source.reshape(n, groups, c // groups, (h + kernel - 1) * scale, (w + kernel - 1) * scale)
    weights = masks.reshape(n, groups, 1, kernel * kernel, h * scale, w * scale)
    output = torch.zeros_like(source[..., : h * scale, : w * scale])
    for tap in range(kernel * kernel):
        y, x = (scale * shift for shift in divmod(tap, kernel))
        output = output + source[..., y : y + h * scale, x : x + w * scale] * weights[:, :, :, tap]
    return output.reshape(n, c, h * scale, w * scale).to(features.dtype)


def memory_format_of(tensor: Tensor) -> torch.memory_format:
    """Channels-last if ``tensor`` is so and not contiguous too, else contiguous."""
    channels_last = tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last and not tensor.is_contiguous() else torch.contiguous_format
