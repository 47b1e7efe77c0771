"""The paper doll's drawing tools against slow or independent references."""

import cv2
import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from seg_vton.data.paper_doll.body import (
    KEYPOINTS,
    SIDES,
    STANDARD_BODY,
    Figure,
    Posture,
    Trunk,
    sample_arm,
    sample_body,
    sample_legs,
    sample_posture,
    solve_arm,
)
from seg_vton.data.paper_doll.canvas import LABELS, Canvas, Patch, rasterize, soften
from seg_vton.data.paper_doll.shapes import (
    ThinPlateSpline,
    along_and_across,
    curve,
    cut,
    ellipse,
    quad_map,
    ribbon,
    sample,
)


def test_coverage_is_the_area_of_the_polygon():
    triangle = np.array([[10.3, 8.1], [52.7, 20.4], [22.2, 49.9]])
    x, y = triangle.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    assert rasterize([triangle], (64, 64)).alpha.sum() == pytest.approx(area, rel=0.03)


def test_overlapping_polygons_are_a_union():
    square = np.array([[4.0, 4], [20, 4], [20, 20], [4, 20]])
    patch = rasterize([square, square + 8, square], (40, 40))
    assert patch.alpha.max() == 1
    assert patch.alpha.sum() == pytest.approx(16 * 16 * 2 - 8 * 8, rel=0.05)


def test_a_shape_outside_the_canvas_covers_nothing():
    assert rasterize([ellipse((-40, 10), 5, 5)], (32, 32)) is None


def test_ribbon_is_what_lies_within_its_width():
    line = curve([(12, 12), (50, 20), (30, 55)])
    patch = rasterize(ribbon(line, 5.0), (64, 72), pad=2)
    x, y = patch.pixel_centers()
    dense, _ = cut(line, np.zeros(len(line)), 1.0, 600)
    nearest = np.min([np.hypot(x - px, y - py) for px, py in dense], axis=0)
    assert np.abs(patch.alpha.sum() - (nearest <= 5).sum()) < 0.03 * (nearest <= 5).sum()
    assert ((patch.alpha >= 0.5) != (nearest <= 5)).sum() < 25


def test_soften_is_nearly_gaussian():
    alpha = np.zeros((80, 80), np.float32)
    alpha[25:50, 30:60] = 1
    assert np.abs(soften(alpha, 4.0) - cv2.GaussianBlur(alpha, (0, 0), 4.0)).max() < 0.05


def test_labels_change_where_a_shape_covers_half_a_pixel():
    canvas = Canvas(np.full((20, 20, 3), 200.0), light=(0.0, -1.0), unit=1.0)
    canvas.paint([np.array([[5.0, 5], [10, 5], [10, 10], [5, 10]])], np.float32([10, 20, 30]), "bag")
    assert (canvas.labels == LABELS["bag"]).sum() == 25
    assert np.allclose(canvas.image[7, 7], [10, 20, 30])
    assert np.allclose(canvas.image[15, 15], 200)


def test_shadow_falls_on_the_figure_and_never_on_the_background():
    canvas = Canvas(np.full((220, 220, 3), 200.0), light=(0.0, -1.0), unit=1.0)
    canvas.paint([ellipse((80, 100), 40, 40)], np.float32([100, 100, 100]), "top")
    canvas.paint([ellipse((125, 100), 20, 20)], np.float32([50, 50, 50]), "bag", shadow=0.5)
    assert canvas.image[100, 103, 0] < 95
    assert np.allclose(canvas.image[100, 147], 200)


def test_spline_is_scipys_thin_plate_spline():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0, 100, (14, 2)), rng.uniform(0, 100, (14, 2))
    points = rng.uniform(0, 100, (50, 2))
    reference = RBFInterpolator(source, target, kernel="thin_plate_spline", degree=1)(points)
    assert np.abs(ThinPlateSpline(source, target)(points) - reference).max() < 0.05


def test_spline_over_a_window_is_the_spline_at_its_pixels():
    rng = np.random.default_rng(1)
    source = rng.uniform(0, 60, (9, 2))
    spline = ThinPlateSpline(source, source + rng.normal(0, 3, (9, 2)))
    x, y = spline.over(7, 5, 22, 31)
    exact = spline(np.array([[7 + 10.5, 5 + 12.5], [7 + 3.5, 5 + 20.5]]))
    assert np.allclose([[x[12, 10], y[12, 10]], [x[20, 3], y[20, 3]]], exact, atol=0.25)


def test_along_and_across_of_a_straight_line():
    patch = Patch(0, 0, np.zeros((20, 30), np.float32))
    along, across = along_and_across(np.array([[5.0, 10], [15, 10], [25, 10]]), *patch.pixel_centers())
    assert along[10, 18] == pytest.approx(13.5)
    assert across[4, 18] == pytest.approx(5.5)  # above the line: the side of `normals`
    assert across[15, 18] == pytest.approx(-5.5)


def test_quad_map_reaches_the_corners():
    quad = np.array([[1.0, 2], [9, 3], [8, 12], [0, 10]])
    u, v = np.float32([[0, 1, 1, 0]]), np.float32([[-1, -1, 1, 1]])
    assert np.allclose(np.stack(quad_map(quad, u, v), axis=-1)[0], quad)


def test_sample_at_pixel_centers_is_the_image():
    image = np.random.default_rng(2).random((6, 8)).astype(np.float32)
    x, y = np.float32(np.meshgrid(np.arange(8) + 0.5, np.arange(6) + 0.5))
    assert np.allclose(sample(image, x, y), image)


@pytest.mark.parametrize("outward", SIDES)
def test_two_bones_reach_the_wrist(outward):
    shoulder, wrist = np.array([0.0, 0.0]), np.array([0.05, 0.2])
    elbow = solve_arm(shoulder, wrist, 0.16, 0.14, outward)
    assert np.linalg.norm(elbow - shoulder) == pytest.approx(0.16)
    assert np.linalg.norm(wrist - elbow) == pytest.approx(0.14)
    assert np.sign(elbow[0] - 0.025) == outward


def test_bones_keep_their_length_in_every_pose():
    for i in range(40):
        rng = np.random.default_rng(i)
        body, posture = sample_body(rng), sample_posture(rng)
        legs = sample_legs(rng, body, posture)
        for side in SIDES:
            arm = sample_arm(rng, body, Trunk(body, posture, legs), side)
            upper, lower = np.linalg.norm(arm.elbow - arm.shoulder), np.linalg.norm(arm.wrist - arm.elbow)
            assert 0.85 * body.upper_arm < upper <= 1.001 * body.upper_arm  # foreshortened, never longer
            assert 0.8 * body.forearm < lower <= 1.001 * body.forearm


def test_keypoints_are_openpose_18_with_the_subjects_sides():
    rng = np.random.default_rng(3)
    posture = Posture()
    legs = sample_legs(rng, STANDARD_BODY, posture)
    trunk = Trunk(STANDARD_BODY, posture, legs)
    arms = {side: sample_arm(rng, STANDARD_BODY, trunk, side, "down") for side in SIDES}
    figure = Figure(trunk, arms, 200.0, np.array([96.0, 110.0]))
    joints = dict(zip(KEYPOINTS, figure.keypoints(), strict=True))
    assert len(joints) == 18
    assert joints["right_shoulder"][0] < joints["neck"][0] < joints["left_shoulder"][0]
    assert joints["nose"][1] < joints["neck"][1] < joints["right_hip"][1] < joints["right_knee"][1]
    assert joints["right_eye"][0] < joints["nose"][0] < joints["left_eye"][0]
    assert np.allclose(joints["neck"], (joints["right_shoulder"] + joints["left_shoulder"]) / 2)
