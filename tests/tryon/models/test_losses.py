"""Losses with their own weights; the grid regularizer against loops."""

import pytest
import torch

from seg_vton.tryon.models import GridIntervalLoss, L1Loss


def test_l1_is_the_mean_times_its_weight():
    a, b = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]])
    assert L1Loss(loss_weight=2.0)(a, b).item() == 5.0


def test_the_grid_regulariser_compares_neighboring_intervals():
    grid, total = torch.rand(2, 5, 6, 2), 0.0
    for b in range(2):
        for i in range(1, 4):
            for j in range(1, 5):
                x, y = grid[b, :, :, 0], grid[b, :, :, 1]
                total += abs(abs(x[i, j - 1] - x[i, j]) - abs(x[i, j + 1] - x[i, j]))
                total += abs(abs(y[i - 1, j] - y[i, j]) - abs(y[i + 1, j] - y[i, j]))
    assert GridIntervalLoss(loss_weight=40.0)(grid).item() == pytest.approx(40 * float(total) / 60, rel=1e-5)


def test_a_regular_grid_costs_nothing():
    y, x = torch.meshgrid(torch.linspace(-1, 1, 9), torch.linspace(-0.5, 0.7, 7), indexing="ij")
    assert GridIntervalLoss()(torch.stack([x, y], -1)[None]).item() == pytest.approx(0, abs=1e-5)
