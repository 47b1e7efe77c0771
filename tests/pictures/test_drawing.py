from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg_vton.pictures.drawing import Instance, anchor, draw_instances, grid, sheet, spread

GRAY = np.full((90, 60, 3), 120, np.uint8)


def box(x, y, width, height, shape=(90, 60)):
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = True
    return mask


@given(st.lists(st.floats(-50, 250), max_size=10))
def test_spread_keeps_order_distance_and_bounds(wanted):
    placed = spread(sorted(wanted), pitch=10, low=0, high=200)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(placed))
    assert all(-1e-9 <= position <= 200 + 1e-9 for position in placed)


def test_spread_leaves_what_is_apart_and_moves_what_is_not():
    assert spread([5, 20, 40], 10, 0, 100) == [5, 20, 40]
    assert spread([5, 6, 40], 10, 0, 100) == [5, 15, 40]
    assert spread([95, 99], 10, 0, 100) == [90, 100]


def test_the_anchor_is_the_deepest_pixel():
    rng = np.random.default_rng(0)
    mask = box(3, 4, 20, 9, (30, 30)) & (rng.random((30, 30)) < 0.97)
    inside, outside = np.argwhere(mask), np.argwhere(~np.pad(mask, 1)) - 1
    depth = np.linalg.norm(inside[:, None] - outside[None], axis=2).min(axis=1)
    x, y = anchor(mask)
    assert mask[y, x]
    assert np.linalg.norm(outside - (y, x), axis=1).min() >= 0.95 * depth.max()  # OpenCV's distance is approximate
    assert anchor(np.ones((5, 9), bool))[1] == 2  # the image's edge counts as an edge
    full = np.zeros((40, 60), bool)
    full[8:31, 20:51] = np.random.default_rng(0).random((23, 31)) > 0.1
    depth = cv2.distanceTransform(full.astype(np.uint8), cv2.DIST_L2, 5)
    assert anchor(full) == np.unravel_index(depth.argmax(), depth.shape)[::-1]


def test_masks_are_half_of_their_color_and_the_rest_stays():
    panel = draw_instances(GRAY, [Instance("top", (0, 200, 40), box(20, 30, 20, 30))], height=720)
    assert panel.shape == (720, 480, 3)
    np.testing.assert_array_equal(panel[460, 200], [60, 160, 80])
    np.testing.assert_array_equal(panel[700, 240], [120, 120, 120])


def test_small_masks_lie_on_large_ones():
    coat, belt = Instance("outer", (0, 0, 0), box(5, 5, 50, 80)), Instance("belt", (240, 0, 0), box(10, 60, 10, 10))
    panels = [draw_instances(GRAY, order, 720) for order in ([coat, belt], [belt, coat])]
    assert panels[0][500, 100].tolist() == panels[1][500, 100].tolist() == [150, 30, 30]


def test_no_instances_leave_the_photograph():
    np.testing.assert_array_equal(draw_instances(GRAY, [], 90), GRAY)
    np.testing.assert_array_equal(draw_instances(GRAY, [Instance("top", (1, 2, 3), box(0, 0, 0, 0))], 90), GRAY)


@pytest.mark.parametrize("count", [9, 50])
def test_more_names_than_fit_are_drawn_too(count):
    instances = [Instance("eyeglass", (0, 0, 224), box(i % 50, i % 80, 4, 4), score=i / count) for i in range(count)]
    panel = draw_instances(GRAY, instances, 180)
    assert panel.shape == (180, 120, 3)


def test_tags_show_name_and_score():
    assert Instance("top", (0, 0, 0), box(0, 0, 1, 1)).tag == "top"
    assert Instance("top", (0, 0, 0), box(0, 0, 1, 1), 0.934).tag == "top .93"
    assert Instance("top", (0, 0, 0), box(0, 0, 1, 1), 1.0).tag == "top 1.00"


def test_the_sheet_has_every_panel_whole():
    red, blue = np.full((300, 200, 3), (255, 0, 0), np.uint8), np.full((300, 120, 3), (0, 0, 255), np.uint8)
    figure = sheet(
        ["image", "a very long name of a model that must shrink to its column"], [("1.jpg", [red, blue])], ""
    )
    assert (figure == (255, 0, 0)).all(axis=2).sum() == 300 * 200
    assert (figure == (0, 0, 255)).all(axis=2).sum() == 300 * 120


def test_a_grid_keeps_its_pictures_and_explains_its_colors_within_its_width():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 2, 60, 100, 3), dtype=np.uint8)
    cells = [[("wider than the picture", picture) for picture in row] for row in pictures]
    names = [f"class {number}" for number in range(6)]
    colors = [(250 - 40 * number, 7, 40 * number) for number in range(6)]
    figure = grid(cells, "a footer that is longer than the figure", list(zip(names, colors, strict=True)))
    assert figure.shape[1] == 2 * 100 + 3 * 8
    for row in range(2):
        for column in range(2):
            places = [
                (y, 8 + 108 * column)
                for y in range(figure.shape[0] - 59)
                if (figure[y : y + 60, 8 + 108 * column : 108 + 108 * column] == pictures[row, column]).all()
            ]
            assert len(places) == 1
    for color in colors:
        assert (figure == color).all(-1).sum() >= 9 * 9
    assert (figure[:, -8:] == 255).all()  # nothing runs out of the page
