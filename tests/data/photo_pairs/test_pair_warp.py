"""The warp between person and garment: its inverse, its bounds, and that GMM's own code undoes it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import grid_sample

from seg_vton.data.paper_doll import draw_doll
from seg_vton.data.photo_pairs.warp import FILL, LARGEST, draw_theta, forward_map, inverse_map, lay_out, sample
from seg_vton.labels import unions
from seg_vton.tryon.models.tps import TPSGrid

SIZE = (128, 96)


def box_mask(size=SIZE, turn=0.0):
    """A rectangle 48 x 96, its middle near the photo's, turned by degrees (clockwise in the picture)."""
    y, x = np.mgrid[: size[0], : size[1]]
    x, y = x - size[1] / 2, y - size[0] * 0.47
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    return (np.abs(c * x + s * y) < 24) & (np.abs(-s * x + c * y) < 48)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), tilt=st.floats(-25, 25))
def test_forward_undoes_inverse(seed, tilt):
    theta = draw_theta(np.random.default_rng(seed), box_mask(turn=tilt), tilt)
    back = inverse_map(theta, SIZE)
    there = sample(forward_map(theta, SIZE), back)
    inside = ((back >= 0) & (back <= np.array(SIZE[::-1]) - 1)).all(2)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    assert inside.mean() > 0.3
    assert np.abs(there - np.stack([x, y], 2))[inside].max() < 0.05
    assert np.abs(theta).max() <= LARGEST


def test_forward_map_is_gmm_s_grid():
    theta = draw_theta(np.random.default_rng(1), box_mask(), 0)
    grid = TPSGrid(SIZE)(torch.from_numpy(theta)[None])[0].numpy()
    assert forward_map(theta, SIZE) == pytest.approx((grid + 1) / 2 * (SIZE[1] - 1, SIZE[0] - 1), abs=1e-3)


def extent(mask):
    rows, columns = np.nonzero(mask)
    return np.array([np.ptp(columns), np.ptp(rows)]) + 1, np.array([columns.mean(), rows.mean()])


@pytest.mark.parametrize("turn", [0.0, 12.0, -20.0])
def test_without_the_random_part_the_garment_is_upright_in_the_middle(turn):
    mask = box_mask(turn=turn)
    theta = draw_theta(np.random.default_rng(0), mask, turn, strength=0)
    laid = lay_out(np.zeros((*SIZE, 3), np.uint8), mask, theta, SIZE)[1]
    size, middle = extent(laid)
    assert middle == pytest.approx((SIZE[1] / 2, SIZE[0] / 2), abs=1.5)
    assert size[1] / size[0] == pytest.approx(2, abs=0.12)
    assert FILL[0] * SIZE[0] * 0.95 < size[1] < FILL[1] * SIZE[0] * 1.02


def test_offsets_stay_in_reach_of_gmm_for_a_small_garment():
    small = np.zeros(SIZE, bool)
    small[10:25, 5:15] = True  # fitting it to the frame would take offsets of several frames
    theta = draw_theta(np.random.default_rng(0), small, 0)
    assert np.abs(theta).max() <= LARGEST


def test_draws_are_seeded():
    draws = [draw_theta(np.random.default_rng(seed), box_mask(), 0) for seed in (3, 3, 4)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("index", range(2))
def test_warping_the_cloth_gives_the_garment_on_the_person_back(index):
    doll = draw_doll(0, index, (192, 256), try_on=True)
    worn = np.isin(doll.label_map, unions("deepfashion15").upper)
    size = worn.shape
    theta = draw_theta(np.random.default_rng(index), worn, 0)
    cloth, mask = lay_out(doll.image, worn, theta, size)
    expected = torch.from_numpy(np.where(worn[..., None], doll.image, 255)).permute(2, 0, 1)[None] / 127.5 - 1

    def distance(answer):
        grid = TPSGrid(size)(torch.from_numpy(answer)[None])
        source = torch.from_numpy(cloth).permute(2, 0, 1)[None] / 127.5 - 1
        warped = grid_sample(source.float(), grid, align_corners=True, padding_mode="border")
        back = grid_sample(torch.from_numpy(mask)[None, None].float(), grid, align_corners=True) > 0.5
        shared = back[0, 0].numpy() & worn
        return (warped - expected).abs().mean().item(), shared.sum() / (back[0, 0].numpy() | worn).sum()

    known, overlap = distance(theta)
    nothing, _ = distance(np.zeros_like(theta))
    assert known < 0.02
    assert overlap > 0.97
    assert nothing > 5 * known
