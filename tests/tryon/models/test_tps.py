"""The spline: against a textbook solution, at the identity, control points' order, any points."""

import pytest
import torch
from cpvton_reference import textbook_tps
from torch.nn import functional as F

from seg_vton.tryon.models.tps import TPSGrid, control_points, pixel_centers


@pytest.mark.parametrize(("size", "grid_size"), [((256, 192), 5), ((17, 9), 3), ((12, 20), 2), ((31, 24), 7)])
def test_it_is_the_textbook_spline(size, grid_size):
    theta = torch.empty(3, 2 * grid_size**2).uniform_(-0.4, 0.4)
    grid = TPSGrid(size, grid_size)(theta)
    torch.testing.assert_close(grid, textbook_tps(theta, size, grid_size), atol=1e-5, rtol=0)


def test_no_offsets_give_the_identity():
    grid = TPSGrid((14, 10), 5)(torch.zeros(2, 50))
    identity = F.affine_grid(torch.eye(2, 3).expand(2, 2, 3), (2, 1, 14, 10), align_corners=True)
    torch.testing.assert_close(grid, identity, atol=1e-6, rtol=0)


def test_control_points_go_down_the_columns_and_their_targets_are_met():
    points = control_points(5).unflatten(0, (5, 5))
    assert (points[:, 0, 0].diff() == 0.5).all()
    assert (points[:, :, 0] == points[:, :1, 0]).all()
    # One point moves: at 5 x 5 pixels the pixels are the points, and only its own pixel may move.
    theta = torch.zeros(1, 50)
    theta[0, 5 * 1 + 3], theta[0, 25 + 5 * 1 + 3] = 0.25, -0.125  # second column, fourth row
    moved = TPSGrid((5, 5), 5)(theta)[0] - pixel_centers((5, 5)).float().unflatten(0, (5, 5))
    expected = torch.zeros(5, 5, 2)
    expected[3, 1] = torch.tensor([0.25, -0.125])
    torch.testing.assert_close(moved, expected, atol=1e-6, rtol=0)


def test_at_any_points_it_is_the_field_of_the_grid():
    tps, finer = TPSGrid((9, 7), 4), TPSGrid((17, 13), 4)
    theta = torch.empty(2, 32).uniform_(-0.5, 0.5)
    # The finer grid has the coarse one's pixels and one between each two.
    torch.testing.assert_close(finer(theta)[:, ::2, ::2], tps(theta), atol=1e-6, rtol=0)
    points = pixel_centers((17, 13))
    torch.testing.assert_close(tps.at(theta, points), finer(theta).flatten(1, 2), atol=1e-6, rtol=0)
    torch.testing.assert_close(tps.at(theta, points[100:103]), tps.at(theta, points)[:, 100:103], atol=1e-6, rtol=0)


def test_it_leaves_nothing_in_a_state_dict_and_stays_float32_under_autocast():
    tps = TPSGrid((64, 48), 5)
    assert not tps.state_dict()
    theta = torch.empty(1, 50).uniform_(-0.3, 0.3)
    with torch.autocast("cpu", torch.bfloat16):
        grid = tps(theta)
    assert torch.equal(grid, tps(theta))


def test_gradients_reach_the_offsets():
    theta = torch.empty(1, 18, dtype=torch.float64).uniform_(-0.3, 0.3).requires_grad_()
    tps = TPSGrid((6, 5), 3)
    tps(theta).square().sum().backward()
    step = torch.zeros(1, 18, dtype=torch.float64)
    step[0, 7] = 1e-2
    with torch.no_grad():
        numeric = (tps(theta + step).square().sum() - tps(theta - step).square().sum()) / 2e-2
    torch.testing.assert_close(theta.grad[0, 7].float(), numeric, atol=1e-2, rtol=1e-2)
