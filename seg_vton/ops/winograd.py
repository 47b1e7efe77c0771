"""3 x 3 convolutions on the CPU with a fraction of the multiplications (Lavin and Gray, CVPR 2016; Winograd 1980).

oneDNN, which PyTorch's CPU convolutions run on, has no Winograd algorithm; on a GPU cuDNN picks one itself.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Lavin and Gray's B^T, G and A^T by the side m of an output tile; an input tile has the side m + 2.
_MATRICES = {
    2: (
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
        [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
        [[1, 1, 1, 0], [0, 1, -1, -1]],
    ),
    4: (
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ],
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    ),
}


@cache
def _transforms(tile: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """B^T x B^T, G x G and A^T x A^T, which act on tiles written as columns: a square transform is one product."""
    matrices = (torch.tensor(matrix, dtype=torch.float64) for matrix in _MATRICES[tile])
    return tuple(torch.kron(matrix, matrix).to(dtype) for matrix in matrices)


class _Winograd(torch.autograd.Function):
    """The convolution with its gradients; sizes are in the comments, N tiles of side t = m + 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, tile: int) -> Tensor:
        """`(B, C, H, W)` and `(O, C, 3, 3)` to `(B, O, H, W)`, padded by one pixel; `tile` is m."""
        to_input, to_weight, to_output = _transforms(tile, x.dtype)
        (b, c, h, w), out, side = x.shape, len(weight), tile + 2
        rows, columns = -(-h // tile), -(-w // tile)
        margins = (0, 0, 1, columns * tile + 1 - w, 1, rows * tile + 1 - h)
        windows = F.pad(x.permute(0, 2, 3, 1), margins).unfold(1, side, tile).unfold(2, side, tile)
        tiles = windows.permute(4, 5, 0, 1, 2, 3).reshape(side**2, -1)  # (t*t, N * C)
        tiles = (to_input @ tiles).view(side**2, -1, c)
        taps = (to_weight @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(side**2, out, c)
        maps = to_output @ torch.bmm(tiles, taps.transpose(1, 2)).view(side**2, -1)  # (m*m, N * O)
        ctx.save_for_backward(tiles if ctx.needs_input_grad[1] else None, taps)
        ctx.tile, ctx.grid, ctx.size = tile, (b, rows, columns), (h, w)
        maps = maps.view(tile, tile, b, rows, columns, out).permute(2, 3, 0, 4, 1, 5)
        return maps.reshape(b, rows * tile, columns * tile, out)[:, :h, :w].permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """The gradients of input and weights, by the transposed transforms."""
        (tiles, taps), tile, (b, rows, columns), (h, w) = ctx.saved_tensors, ctx.tile, ctx.grid, ctx.size
        to_input, to_weight, to_output = _transforms(tile, grad.dtype)
        (_, out, c), side = taps.shape, tile + 2
        grad = F.pad(grad.permute(0, 2, 3, 1), (0, 0, 0, columns * tile - w, 0, rows * tile - h))
        grad = grad.view(b, rows, tile, columns, tile, out).permute(2, 4, 0, 1, 3, 5).reshape(tile**2, -1)
        maps = (to_output.T @ grad).view(side**2, -1, out)  # (t*t, N, O)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            parts = (to_input.T @ torch.bmm(maps, taps).view(side**2, -1)).view(side, side, b, rows, columns, c)
            padded = grad.new_zeros(b, rows * tile + 2, columns * tile + 2, c)
            for i in range(side):
                for j in range(side):
                    padded[:, i : i + rows * tile : tile, j : j + columns * tile : tile] += parts[i, j]
            grad_x = padded[:, 1 : h + 1, 1 : w + 1].permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            product = torch.bmm(maps.transpose(1, 2), tiles).view(side**2, -1)
            grad_weight = (to_weight.T @ product).view(3, 3, out, c).permute(2, 3, 0, 1)
        return grad_x, grad_weight, None


def winograd_conv3x3(x: Tensor, weight: Tensor, bias: Tensor | None, tile: int) -> Tensor:
    """`conv2d(x, weight, bias, padding=1)` up to rounding.

    Args:
        x: `(B, C, H, W)` float32 or float64 on the CPU; fastest in channels-last memory.
        weight: `(O, C, 3, 3)`.
        bias: `(O,)` or None.
        tile: side of the output tiles: 2 takes 4 / 9 of the multiplications; 4 takes 1 / 4 and rounds a little more.

    Returns:
        `(B, O, H, W)` in channels-last memory.
    """
    maps = _Winograd.apply(x, weight, tile)
    return maps if bias is None else maps + bias.view(-1, 1, 1)


class WinogradConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 1 and padding 1 that takes Winograd's way where that is faster.

    It is where the matrix products outweigh the transforms: on the CPU, with many channels (`use_cpu_forms` makes such
    layers of those) and 128 tiles or more. Frozen weights take the larger tiles, which round a little more.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to `(B, O, H, W)`."""
        tile = self._tile(x)
        return super().forward(x) if tile is None else winograd_conv3x3(x, self.weight, self.bias, tile)

    def _tile(self, x: Tensor) -> int | None:
        """The largest side that leaves enough tiles, or None for the plain convolution."""
        half_precision = torch.is_autocast_enabled("cpu") or x.dtype not in (torch.float32, torch.float64)
        if x.device.type != "cpu" or half_precision:
            return None
        for tile in (2,) if self.weight.requires_grad else (4, 2):
            if len(x) * -(-x.shape[2] // tile) * -(-x.shape[3] // tile) >= 128:
                return tile
        return None
