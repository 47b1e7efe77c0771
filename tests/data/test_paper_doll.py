"""The doll: its picture, and what is said about it."""

import cv2
import numpy as np
import pytest

from seg_vton.data.paper_doll import draw_doll
from seg_vton.data.paper_doll.body import KEYPOINTS
from seg_vton.data.paper_doll.textures import UPPER_MIX, Fabric
from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, unions

SIZE = (96, 128)
COUNT = 60
ID = DEEPFASHION15.id_of


@pytest.fixture(scope="module")
def dolls():
    return [draw_doll(11, i, SIZE) for i in range(COUNT)]


@pytest.fixture(scope="module")
def shop():
    return [draw_doll(11, i, (144, 192), try_on=True) for i in range(24)]


def near(mask, pixels):
    """The mask grown by some pixels."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2)) > 0


def test_the_same_arguments_draw_the_same_doll(dolls):
    again = draw_doll(11, 3, SIZE)
    for name in ("image", "label_map", "keypoints", "cloth", "cloth_mask"):
        assert getattr(again, name).tobytes() == getattr(dolls[3], name).tobytes()
    assert again.image.tobytes() != dolls[4].image.tobytes()
    assert again.image.tobytes() != draw_doll(12, 3, SIZE).image.tobytes()


def test_all_15_classes_occur_often_enough(dolls):
    counts = {name: sum(name == n for doll in dolls for n, _ in doll.instances) for name in DEEPFASHION15.classes[1:]}
    assert min(counts.values()) >= 0.08 * COUNT, counts
    assert counts["face"] == counts["skin"] == COUNT


def test_no_instance_is_a_speck(dolls):
    assert min(mask.sum() for doll in dolls for _, mask in doll.instances) >= 4


def test_a_dress_excludes_skirt_and_pants_and_the_upper_garment_shows(dolls):
    for doll in dolls:
        names = {name for name, _ in doll.instances}
        if "dress" in names:
            assert not names & {"skirt", "pants", "top"}
        assert doll.cloth_class in names


def test_visible_joints_lie_on_the_figure(dolls):
    for doll in dolls:
        figure = near(doll.label_map > 0, 1)
        for x, y, confidence in doll.keypoints:
            if confidence == 1:
                assert figure[int(y), int(x)]


def test_joints_lie_on_the_right_parts(dolls):
    """Wrists are by a hand; the nose is on the face, hips are on what is worn around them."""
    wrong = []
    for number, doll in enumerate(dolls):
        joints = {name: point for name, point in zip(KEYPOINTS, doll.keypoints, strict=True) if point[2] == 1}
        parts = {"nose": ("face", "eyeglass"), "right_eye": ("face", "eyeglass"), "left_eye": ("face", "eyeglass"),
                 "right_wrist": ("skin", "bag"), "left_wrist": ("skin", "bag")}  # fmt: skip
        for name, classes in parts.items():
            mask = near(np.isin(doll.label_map, [ID(c) for c in classes]), 5)
            if name in joints and not mask[int(joints[name][1]), int(joints[name][0])]:
                wrong.append((number, name))
    assert len(wrong) <= 2, wrong  # an eye under a hat, a wrist under the other arm's sleeve


def test_joints_outside_the_image_are_zero(shop):
    for doll in shop:
        ankles = doll.keypoints[[KEYPOINTS.index("right_ankle"), KEYPOINTS.index("left_ankle")]]
        assert not ankles.any()  # the try-on framing ends at the thighs
        present = doll.keypoints[:, 2] > 0
        assert np.array_equal(present, doll.keypoints[:, 0] > 1)


def test_cloth_mask_is_what_is_not_white(shop):
    for doll in shop:
        colored = doll.cloth.min(axis=2) < 252
        assert colored[doll.cloth_mask].mean() > 0.999
        assert not (colored & ~near(doll.cloth_mask, 2)).any()
        assert (colored & ~doll.cloth_mask).sum() < 0.09 * colored.sum()  # half-covered pixels of the outline
        assert 0.12 < doll.cloth_mask.mean() < 0.8
        assert not doll.cloth_mask[[0, -1]].any() and not doll.cloth_mask[:, [0, -1]].any()


def test_try_on_has_one_upper_garment(shop):
    for doll in shop:
        names = {name for name, _ in doll.instances}
        upper = {DEEPFASHION15.classes[i] for i in unions("deepfashion15").upper}
        assert names & upper == {doll.cloth_class}
        assert doll.cloth_class in ("top", "outer")


def chroma(image, mask):
    """Histogram of a region in color without brightness (which light and folds change)."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[mask]
    return np.histogramdd(lab[:, 1:].astype(float), bins=12, range=((90, 166), (90, 166)))[0].ravel() / mask.sum()


def test_the_worn_garment_has_the_colors_of_the_flat_one(shop):
    worn = np.stack([np.sqrt(chroma(d.image, d.label_map == ID(d.cloth_class))) for d in shop])
    flat = np.stack([np.sqrt(chroma(d.cloth, d.cloth_mask)) for d in shop])
    similarity = worn @ flat.T  # Bhattacharyya: 1 where the histograms are equal
    rank = (similarity > np.diag(similarity)[:, None]).sum(axis=1)
    assert (rank == 0).mean() > 0.6 and rank.max() <= 8, rank
    assert np.median(np.diag(similarity)) > np.median(similarity) + 0.3


def test_another_garment_on_the_same_person():
    person, other = draw_doll(5, 0, SIZE, try_on=True), draw_doll(5, 1, SIZE, try_on=True)
    swapped = draw_doll(5, 0, SIZE, wearing=1, try_on=True)
    assert np.array_equal(swapped.cloth, other.cloth)
    assert np.array_equal(swapped.keypoints[:, :2], person.keypoints[:, :2])
    background = ~near((swapped.label_map > 0) | (person.label_map > 0), 3)
    assert background.any() and np.array_equal(swapped.image[background], person.image[background])
    face = (swapped.label_map == ID("face")) & (person.label_map == ID("face"))
    assert np.abs(swapped.image[face].astype(int) - person.image[face]).mean() < 3
    assert np.array_equal(draw_doll(5, 0, SIZE, wearing=0, try_on=True).image, person.image)


@pytest.mark.parametrize("size", [(48, 64), (96, 96), (200, 120), (192, 256)])
def test_every_size_has_a_figure(size):
    doll = draw_doll(2, 1, size)
    assert doll.image.shape == doll.cloth.shape == (size[1], size[0], 3)
    assert doll.label_map.shape == doll.cloth_mask.shape == (size[1], size[0])
    assert doll.image.dtype == doll.cloth.dtype == doll.label_map.dtype == np.uint8
    assert doll.cloth_mask.dtype == bool
    assert doll.keypoints.shape == (18, 3)
    assert 0.04 < (doll.label_map > 0).mean() < 0.9


@pytest.mark.parametrize("pattern", UPPER_MIX)
def test_fabrics_mix_their_own_colors(pattern):
    colors = ((200.0, 40.0, 40.0), (40.0, 200.0, 40.0), (40.0, 40.0, 200.0))
    fabric = Fabric(pattern, colors, period=0.03, angle=0.0, motif=3, seed=9)
    x, y = np.meshgrid(np.linspace(-0.1, 0.1, 80), np.linspace(0, 0.3, 120))
    drawn = fabric.color_at(x, y)
    assert drawn.shape == (120, 80, 3) and np.isfinite(drawn).all()
    assert drawn.min() > 20 and drawn.max() < 220
    assert np.allclose(drawn.sum(axis=-1), 280, atol=1)  # each pixel is a mix of colors that all sum to 280
    assert np.array_equal(drawn, fabric.color_at(x, y))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seed": -1, "index": 0}, "seed is -1"),
        ({"seed": 0, "index": -2}, "index is -2"),
        ({"seed": 0, "index": 0, "wearing": -3}, "wearing is -3"),
        ({"seed": 0, "index": 0, "size": (40, 64)}, "size is 40 x 64"),
        ({"seed": 0, "index": 0, "size": (48, 10)}, "at least 48 x 64"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        draw_doll(**arguments)
