"""Thin-plate-spline sampling grids as one constant matrix product (Bookstein 1989; CP-VTON, Wang et al., ECCV 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def control_points(grid_size: int) -> Tensor:
    """The regular control points on [-1, 1] x [-1, 1], float64 `(grid_size**2, 2)` of (x, y).

    x is the slow index: down the left column first, then the next column.
    """
    axis = torch.linspace(-1, 1, grid_size, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis)


def pixel_centers(size: tuple[int, int]) -> Tensor:
    """The pixels of an image whose corner pixels lie on the corners of [-1, 1] x [-1, 1].

    float64 `(H * W, 2)` of (x, y), row by row.
    """
    y, x = (torch.linspace(-1, 1, side, dtype=torch.float64) for side in size)
    return torch.cartesian_prod(y, x).flip(1)


def _terms(at: Tensor, points: Tensor) -> Tensor:
    """U = d^2 log d^2 of the distances to `points` `(N, 2)`, then 1, x and y, at each of `(M, 2)`: `(M, N + 3)`."""
    squared = (at[:, None] - points).square().sum(2)
    return torch.cat([torch.xlogy(squared, squared), torch.ones_like(at[:, :1]), at], dim=1)


def tps_inverse(grid_size: int) -> Tensor:
    """What turns the control points' targets Q into the spline's coefficients.

    A spline through Q has the coefficients [w; a] that solve `L [w; a] = [Q; 0]`, `L = [[U(P, P), A(P)], [A(P)^T, 0]]`,
    where P are the control points, U the kernel and A is (1, x, y). Returns float64 `(N + 3, N)`, the first N =
    `grid_size**2` columns of `L^-1`.
    """
    points = control_points(grid_size)
    upper = _terms(points, points)
    lower = F.pad(upper[:, len(points) :].T, (0, 3))
    return torch.linalg.inv(torch.cat([upper, lower]))[:, : len(points)]


def tps_basis(pixels: Tensor, grid_size: int) -> Tensor:
    """The matrix B of `grid = B @ Q`: by how much each control point's target moves each pixel's sampling point.

    At p the spline is `[U(p, P) | A(p)] [w; a]`. P and the pixels, float64 `(M, 2)` of (x, y) in [-1, 1], are fixed, so
    the product of all but Q is too: `B = [U | 1 | x | y] @ L^-1[:, :N]`, see `tps_inverse`. It is computed in float64.
    Returns float32 `(M, grid_size**2)`; each row sums to 1.
    """
    return (_terms(pixels, control_points(grid_size)) @ tps_inverse(grid_size)).float()


class TPSGrid(nn.Module):
    """Turns predicted offsets of the control points into a grid for `torch.nn.functional.grid_sample`.

    It has no parameters and leaves nothing in a state dict: the basis is a non-persistent buffer. `size` is (height,
    width) of the grids.
    """

    def __init__(self, size: tuple[int, int], grid_size: int = 5) -> None:
        super().__init__()
        self.size, self.grid_size = tuple(size), grid_size
        basis = tps_basis(pixel_centers(self.size), grid_size)
        self.register_buffer("points", control_points(grid_size).float().T.contiguous(), persistent=False)  # (2, N)
        self.register_buffer("basis", basis.T.contiguous(), persistent=False)  # (N, HW)

    def forward(self, theta: Tensor) -> Tensor:
        """Evaluates the spline at every pixel.

        Args:
            theta: `(B, 2 * grid_size**2)`, the offsets of all points in x, then in y, in the units of [-1, 1].

        Returns:
            `(B, H, W, 2)`, where in the source to sample each pixel: (x, y), [-1, 1] spans the image's corner pixels.
            float32 under autocast too: bfloat16 cannot tell neighboring pixels apart.
        """
        with torch.autocast(theta.device.type, enabled=False):
            return (self._targets(theta) @ self.basis).unflatten(2, self.size).permute(0, 2, 3, 1)

    def at(self, theta: Tensor, pixels: Tensor) -> Tensor:
        """Evaluates the spline at any points: float32 `(B, M, 2)`, where in the source to sample.

        `theta` as in `forward`; `pixels` float64 `(M, 2)` of (x, y) in the units of [-1, 1], on the CPU.
        """
        return (self._targets(theta) @ tps_basis(pixels, self.grid_size).T.to(self.basis)).transpose(1, 2)

    def _targets(self, theta: Tensor) -> Tensor:
        """Where the control points go: `(B, 2, grid_size**2)`."""
        return self.points + theta.to(self.basis).unflatten(1, (2, -1))
