"""How CARAFE's sums are computed: block by block on the CPU, kernel position by kernel position on a GPU.

On a GPU this is what is left where `carafe_triton` cannot run.

CARAFE (Wang et al., ICCV 2019, equation 4) gives every output pixel the sum of the k x k features around its source
pixel, weighted by k x k weights of its own::

    output[c, s*i + dy, s*j + dx] = sum over ky, kx of
        masks[group(c), ky, kx, s*i + dy, s*j + dx] * features[c, i + ky - k//2, j + kx - k//2]

No form here ever holds the k*k-fold unfolded features. Shapes below: n images, c channels in g groups, h x w source
pixels, scale s, kernel size k; ``masks`` is (n, g*k*k, h*s, w*s) with the group outermost.

The block form (`blocks_forward`, `blocks_backward`) takes a few rows of source pixels at a time, few enough for what
it works on to stay in cache. The s*s output pixels of a source pixel share one k x k window, so they are a matrix
product (s*s x k*k) by (k*k x c), and a block is one batched product. A window is a matrix in memory without a copy of
its own, because the block is laid out as columns: each source pixel with the k vectors (c features each) above, at and
below it. The k columns from a window's left edge on are its k*k vectors, and the next window starts one column later.
Between the rows of a block lie k//2 columns of zeros, which are the right margin of one row and the left margin of the
next one; the windows on them belong to no pixel, and their sums are dropped.

Backward, the gradient of the masks is a product on the same windows. The gradient of a column is the product of the
weights and output gradients of the k pixels whose windows hold it, which is again a window, over output gradients; the
k vectors of a column are then added to the rows they came from.
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK_BYTES = 2 * 2**20  # size of a block's columns; measured with 1 MiB of L2 cache a core: from 4 MiB on it is slower


class Geometry:
    """Sizes of one CARAFE call."""

    def __init__(self, kernel: int, groups: int, scale: int, channels: int, height: int, width: int) -> None:
        self.kernel, self.groups, self.scale = kernel, groups, scale
        self.channels, self.height, self.width = channels, height, width
        self.radius = kernel // 2  # rows or columns of zeros on each side of an image
        self.pitch = width + self.radius  # columns from one row of a block to the next one
        self.taps = kernel**2  # weights of one output pixel in one group
        self.fan = scale**2  # output pixels of one source pixel
        self.group_channels = channels // groups

    def group(self, index: int) -> slice:
        """The channels of a group."""
        return slice(index * self.group_channels, (index + 1) * self.group_channels)


@dataclass(frozen=True)
class Block:
    """Some rows of one image, or all rows of some images."""

    images: slice
    rows: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of images and of rows."""
        return self.images.stop - self.images.start, self.rows.stop - self.rows.start

    def length(self, g: Geometry) -> int:
        """Columns of the block, the zeros after each row included."""
        images, rows = self.shape
        return images * rows * g.pitch


def _spans(size: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _blocks(n: int, g: Geometry, like: Tensor) -> list[Block]:
    """Splits n images into blocks of about `BLOCK_BYTES`; the first one is the largest."""
    row_bytes = g.pitch * g.kernel * g.channels * like.element_size()
    rows = max(1, BLOCK_BYTES // row_bytes)
    images = _spans(n, max(1, rows // g.height))
    return [Block(some, lines) for some in images for lines in _spans(g.height, rows)]


class _Columns:
    """The columns of a block of features: for each source pixel the k vectors around its row, (columns, k, c)."""

    def __init__(self, features: Tensor, g: Geometry, blocks: list[Block], like: Tensor) -> None:
        self.geometry = g
        self._features = features.permute(0, 2, 3, 1)
        self._padded = _padded_rows(blocks, g, features)
        self._source = self._padded.unfold(1, g.kernel, 1).transpose(3, 4)  # (images, h, w, k, c)
        self._buffer = like.new_zeros(blocks[0].length(g) + 2 * g.radius, g.kernel, g.channels)

    def load(self, block: Block) -> None:
        """Fills the columns of ``block``; those between the rows stay zero. Blocks come in the order of `_blocks`."""
        g, images = self.geometry, block.shape[0]
        if block.rows.start == 0:
            _copy_images(self._features[block.images], _inner_rows(self._padded, block, g))
        inner = self._buffer[g.radius : g.radius + block.length(g)]
        inner.unflatten(0, (*block.shape, g.pitch))[:, :, : g.width].copy_(self._source[:images, block.rows])

    def windows(self, group: int, length: int) -> Tensor:
        """The windows of one group, (length, k*k, c/g), kernel columns outermost."""
        g = self.geometry
        strides = (g.kernel * g.channels, g.channels, 1)
        return self._buffer.as_strided((length, g.taps, g.group_channels), strides, g.group(group).start)


def _padded_rows(blocks: list[Block], g: Geometry, like: Tensor) -> Tensor:
    """Zeros of the type of ``like`` for the images of one block with a margin, (images, h + 2*(k//2), w, c)."""
    return like.new_zeros(blocks[0].shape[0], g.height + 2 * g.radius, g.width, g.channels)


def _inner_rows(rows: Tensor, block: Block, g: Geometry) -> Tensor:
    """What of `_padded_rows` belongs to the block's images, without the margin, (images, h, w, c)."""
    return rows[: block.shape[0], g.radius : g.radius + g.height]


def _copy_images(source: Tensor, target: Tensor) -> None:
    """Copies (n, h, w, c), either side of which may lie in memory as (n, c, h, w)."""
    for image, result in zip(source, target, strict=True):
        pixels, written = image.flatten(0, 1), result.flatten(0, 1)
        if not written.is_contiguous():  # PyTorch transposes fast what it writes in one piece
            pixels, written = pixels.t(), written.t()
        written.copy_(pixels)


class _Weights:
    """The masks of a block, (g, pixels, s*s, k*k), with k//2 pixels of zeros at both ends."""

    def __init__(self, masks: Tensor, g: Geometry, length: int, like: Tensor) -> None:
        self.geometry = g
        self._source = _split_masks(masks, g).permute(1, 0, 4, 6, 5, 7, 3, 2)  # (g, n, h, w, dy, dx, kx, ky)
        self._buffer = like.new_zeros(g.groups, length + 2 * g.radius, g.fan, g.taps)
        self._transposed = like.new_empty(length, g.kernel, g.kernel, g.fan)

    def load(self, block: Block) -> None:
        """Fills the weights of ``block``; those between the rows stay zero."""
        g, end = self.geometry, self.geometry.radius + block.length(self.geometry)
        inner = self._buffer[:, g.radius : end].unflatten(1, (*block.shape, g.pitch))[:, :, :, : g.width]
        inner = inner.unflatten(5, (g.kernel, g.kernel)).unflatten(4, (g.scale, g.scale))
        inner.copy_(self._source[:, block.images, block.rows])
        self._buffer[:, end:].zero_()

    def by_pixel(self, group: int, length: int) -> Tensor:
        """(length, s*s, k*k)."""
        radius = self.geometry.radius
        return self._buffer[group, radius : radius + length]

    def by_column(self, group: int, length: int) -> Tensor:
        """The same weights as seen from a column of features, (length, k, k*s*s).

        A column lies in the windows of the k pixels around it: as column k - 1 of the first one's kernel, as column 0
        of the last one's.
        """
        g, k = self.geometry, self.geometry.kernel
        strides = (g.fan * g.taps, 1, g.fan * g.taps - k, g.taps)
        start = self._buffer[group].storage_offset() + (k - 1) * k
        transposed = self._transposed[:length]
        transposed.copy_(self._buffer.as_strided(transposed.shape, strides, start))
        return transposed.flatten(2)


class _OutputGradients:
    """The output's gradient for a block, (pixels, s*s, c), with k//2 pixels of zeros at both ends."""

    def __init__(self, grad: Tensor, g: Geometry, length: int, like: Tensor) -> None:
        self.geometry = g
        self._source = _split_output(grad, g).transpose(2, 3)  # (n, h, w, dy, dx, c)
        self._buffer = like.new_zeros(length + 2 * g.radius, g.fan, g.channels)

    def load(self, block: Block) -> None:
        """Fills the gradients of ``block``; those between the rows stay zero."""
        g, end = self.geometry, self.geometry.radius + block.length(self.geometry)
        inner = self._buffer[g.radius : end].unflatten(0, (*block.shape, g.pitch))[:, :, : g.width]
        inner.unflatten(3, (g.scale, g.scale)).copy_(self._source[block.images, block.rows])
        self._buffer[end:].zero_()

    def by_pixel(self, group: int, length: int) -> Tensor:
        """(length, s*s, c/g)."""
        g = self.geometry
        return self._buffer[g.radius : g.radius + length, :, g.group(group)]

    def by_column(self, group: int, length: int) -> Tensor:
        """The gradients of the k pixels whose windows hold a column, (length, k*s*s, c/g)."""
        g = self.geometry
        size, strides = (length, g.kernel * g.fan, g.group_channels), (g.fan * g.channels, g.channels, 1)
        return self._buffer.as_strided(size, strides, g.group(group).start)


def _split_masks(masks: Tensor, g: Geometry) -> Tensor:
    """(n, g*k*k, h*s, w*s) as (n, g, ky, kx, h, dy, w, dx)."""
    split = masks.unflatten(1, (g.groups, g.kernel, g.kernel))
    return split.unflatten(4, (g.height, g.scale)).unflatten(6, (g.width, g.scale))


def _split_output(output: Tensor, g: Geometry) -> Tensor:
    """(n, c, h*s, w*s) as (n, h, dy, w, dx, c)."""
    return output.permute(0, 2, 3, 1).unflatten(1, (g.height, g.scale)).unflatten(3, (g.width, g.scale))


def blocks_forward(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor) -> Tensor:
    """The block form.

    Args:
        features: (n, c, h, w), not empty.
        masks: (n, g*k*k, h*s, w*s).
        kernel: Kernel size k, odd.
        groups: Groups g.
        scale: Scale s.
        like: A tensor of the type to compute in.

    Returns:
        (n, c, h*s, w*s) of the type and memory format of ``features``.
    """
    g = Geometry(kernel, groups, scale, *features.shape[1:])
    blocks = _blocks(len(features), g, like)
    length = blocks[0].length(g)
    columns, weights = _Columns(features, g, blocks, like), _Weights(masks, g, length, like)
    products = like.new_empty(groups, length, g.fan, g.group_channels)
    output = empty_output(features, scale)
    for block in blocks:
        length = block.length(g)
        columns.load(block)
        weights.load(block)
        for group in range(groups):
            torch.bmm(weights.by_pixel(group, length), columns.windows(group, length), out=products[group, :length])
        _store(products[:, :length], block, output, g)
    return output


def empty_output(features: Tensor, scale: int) -> Tensor:
    """An unwritten (n, c, h*s, w*s) of the type, device and memory format of ``features`` (n, c, h, w)."""
    n, c, h, w = features.shape
    kind = {"dtype": features.dtype, "device": features.device, "memory_format": memory_format_of(features)}
    return torch.empty((n, c, h * scale, w * scale), **kind)


def _store(products: Tensor, block: Block, output: Tensor, g: Geometry) -> None:
    """Writes a block's sums (g, length, s*s, c/g) to ``output`` (n, c, h*s, w*s)."""
    sums = products.unflatten(1, (*block.shape, g.pitch))[:, :, :, : g.width].unflatten(4, (g.scale, g.scale))
    sums = sums.permute(1, 2, 4, 3, 5, 0, 6)  # (images, rows, dy, w, dx, g, c/g)
    target = _split_output(output, g)[block.images, block.rows].unflatten(5, (g.groups, g.group_channels))
    if output.is_contiguous() and g.channels > 1:
        # PyTorch transposes fast where both sides are matrices in one piece, and slowly anywhere else.
        sums = sums.reshape(-1, g.channels)
        sums = torch.empty_like(sums.t(), memory_format=torch.contiguous_format).copy_(sums.t()).t()
        sums = sums.view(target.shape)
    target.copy_(sums)


def blocks_backward(
    grad: Tensor, features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of `blocks_forward` with respect to features and masks; ``grad`` is the output's."""
    g = Geometry(kernel, groups, scale, *features.shape[1:])
    blocks = _blocks(len(features), g, like)
    length = blocks[0].length(g)
    columns, weights = _Columns(features, g, blocks, like), _Weights(masks, g, length, like)
    output_grads = _OutputGradients(grad, g, length, like)
    grad_columns = like.new_empty(length, kernel, g.channels)
    grad_windows = like.new_empty(length, g.fan, g.taps)
    grad_features, grad_masks = empty_output(features, 1), torch.empty_like(masks)
    grad_rows = _padded_rows(blocks, g, like)
    for block in blocks:
        length = block.length(g)
        for part in (columns, weights, output_grads):
            part.load(block)
        for group in range(groups):
            by_column = weights.by_column(group, length), output_grads.by_column(group, length)
            torch.bmm(*by_column, out=grad_columns[:length, :, g.group(group)])
            windows = columns.windows(group, length).transpose(1, 2)
            torch.bmm(output_grads.by_pixel(group, length), windows, out=grad_windows[:length])
            _store_mask_gradients(grad_windows[:length], block, group, grad_masks, g)
        _add_columns(grad_columns[:length], block, grad_rows, g)
        if block.rows.stop == g.height:
            _copy_images(_inner_rows(grad_rows, block, g), grad_features.permute(0, 2, 3, 1)[block.images])
            grad_rows.zero_()
    return grad_features, grad_masks


def _store_mask_gradients(grad_windows: Tensor, block: Block, group: int, grad_masks: Tensor, g: Geometry) -> None:
    """Writes (length, s*s, k*k) to one group of ``grad_masks`` (n, g*k*k, h*s, w*s)."""
    pixels = grad_windows.unflatten(0, (*block.shape, g.pitch))[:, :, : g.width]
    pixels = pixels.unflatten(4, (g.kernel, g.kernel)).unflatten(3, (g.scale, g.scale))
    target = _split_masks(grad_masks, g)[block.images, group, :, :, block.rows]
    target.copy_(pixels.permute(0, 6, 5, 1, 3, 2, 4))


def _add_columns(grad_columns: Tensor, block: Block, grad_rows: Tensor, g: Geometry) -> None:
    """Adds the gradients of a block's columns (length, k, c) to its images' rows (images, h + 2*(k//2), w, c)."""
    pixels = grad_columns.unflatten(0, (*block.shape, g.pitch))[:, :, : g.width]
    for y in range(g.kernel):
        grad_rows[: block.shape[0], block.rows.start + y : block.rows.stop + y].add_(pixels[:, :, :, y])


def shifts_forward(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor) -> Tensor:
    """The same sum, accumulated over the k*k shifted views of the features: few and large steps, for a GPU.

    Arguments and result are those of `blocks_forward`.
    """
    g = Geometry(kernel, groups, scale, *features.shape[1:])
    source, weights = _shiftable(features, g, like), _split_masks(masks, g)
    output = like.new_zeros(len(features), g.channels, g.height * scale, g.width * scale)
    sums = _split_shifted(output, g)
    for y, x in product(range(kernel), repeat=2):
        sums.addcmul_(_shifted(source, y, x, g), weights[:, :, y, x].unsqueeze(2).to(like.dtype))
    return output.to(features.dtype, memory_format=memory_format_of(features))


def shifts_backward(
    grad: Tensor, features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of `shifts_forward`; arguments and result are those of `blocks_backward`."""
    g = Geometry(kernel, groups, scale, *features.shape[1:])
    source, weights = _shiftable(features, g, like), _split_masks(masks, g)
    grad_source, grad_masks = torch.zeros_like(source), torch.empty_like(masks)
    grad_weights = _split_masks(grad_masks, g)
    grad = _split_shifted(grad.to(like.dtype), g)
    for y, x in product(range(kernel), repeat=2):
        weight = weights[:, :, y, x].unsqueeze(2).to(like.dtype)
        _shifted(grad_source, y, x, g).add_((grad * weight).sum((4, 6), keepdim=True))
        grad_weights[:, :, y, x].copy_((grad * _shifted(source, y, x, g)).sum(2))
    grad_features = _shifted(grad_source, g.radius, g.radius, g).reshape(features.shape)
    return grad_features.to(features.dtype).contiguous(memory_format=memory_format_of(features)), grad_masks


def _shiftable(features: Tensor, g: Geometry, like: Tensor) -> Tensor:
    """Features with zeros around them, (n, g, c/g, h + k - 1, 1, w + k - 1, 1): broadcast over the s x s outputs."""
    padded = F.pad(features.to(like.dtype), [g.radius] * 4)
    return padded.unflatten(1, (g.groups, g.group_channels)).unsqueeze(4).unsqueeze(6)


def _shifted(source: Tensor, y: int, x: int, g: Geometry) -> Tensor:
    """The features under one kernel position, (n, g, c/g, h, 1, w, 1)."""
    return source[:, :, :, y : y + g.height, :, x : x + g.width]


def _split_shifted(output: Tensor, g: Geometry) -> Tensor:
    """(n, c, h*s, w*s) as (n, g, c/g, h, dy, w, dx)."""
    split = output.unflatten(1, (g.groups, g.group_channels))
    return split.unflatten(3, (g.height, g.scale)).unflatten(5, (g.width, g.scale))


def composite_forward(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
    """The same sum from plain differentiable operators that every exporter and compiler knows.

    Arguments and result are those of `seg_vton.ops.carafe`; sizes may be symbolic.
    """
    c, h, w = features.shape[1:]
    height, width = h * scale, w * scale
    source = F.interpolate(F.pad(features, [kernel // 2] * 4), scale_factor=float(scale), mode="nearest")
    source = source.unflatten(1, (groups, c // groups))
    weights = masks.unflatten(1, (groups, kernel * kernel)).unsqueeze(2)
    output = torch.zeros_like(source[..., :height, :width])
    for tap, (y, x) in enumerate(product(range(kernel), repeat=2)):
        shifted = source[..., y * scale : y * scale + height, x * scale : x * scale + width]
        output = output + shifted * weights[:, :, :, tap]
    return output.flatten(1, 2)


def memory_format_of(tensor: Tensor) -> torch.memory_format:
    """Channels-last if ``tensor`` is so and not contiguous too, else contiguous."""
    channels_last = tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last and not tensor.is_contiguous() else torch.contiguous_format
