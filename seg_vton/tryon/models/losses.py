"""Losses on images, masks and sampling grids; each carries its own weight."""

from torch import Tensor, nn
from torch.nn import functional as F

from seg_vton.registry import MODELS


@MODELS.register_module()
class L1Loss(nn.Module):
    """Mean absolute difference, of images or of masks, times `loss_weight`."""

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Scalar loss of two tensors of the same shape."""
        return self.loss_weight * F.l1_loss(prediction, target)


@MODELS.register_module()
class GridIntervalLoss(nn.Module):
    """CP-VTON+'s regularizer of the warping grid (Minar et al., CVPR Workshops 2020): neighboring intervals be equal.

    At each inner point, the horizontal distances to the left and to the right neighbor are compared, and the vertical
    ones to the upper and the lower neighbor. The sum of the differences is divided by the number of grid points and
    weighted by `loss_weight`, by default that of CP-VTON+'s code.
    """

    def __init__(self, loss_weight: float = 40.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, grid: Tensor) -> Tensor:
        """Scalar loss of grids `(B, H, W, 2)` of (x, y)."""
        across = grid[:, 1:-1, :, 0].diff(dim=2).abs().diff(dim=2).abs().sum()
        down = grid[:, :, 1:-1, 1].diff(dim=1).abs().diff(dim=1).abs().sum()
        return self.loss_weight * (across + down) / grid[..., 0].numel()
