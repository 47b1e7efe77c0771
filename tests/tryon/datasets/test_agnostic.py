"""The person representation against the published preprocessing, drawn the slow way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from torchvision.transforms import functional as F

from seg_vton.analysis.published import published_inputs
from seg_vton.labels import SPACES
from seg_vton.tryon.datasets import agnostic
from seg_vton.tryon.datasets.dataset import build_pipeline


def pose_maps(joints, height, width, radius=5):
    maps = np.full((18, height, width), -1, np.float32)
    agnostic.mark_joints(maps, joints, radius)
    return maps


def random_person(rng, width, height, classes):
    photo = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    blobs = Image.fromarray(rng.integers(0, classes, (8, 6), dtype=np.uint8))
    parse = np.asarray(blobs.resize((width, height), Image.Resampling.NEAREST))
    return photo, parse, rng.uniform(-20, 20 + max(width, height), (18, 2))


def test_levels_are_torchvisions_bit_for_bit():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    color = np.stack([levels, levels.T, levels[::-1]], axis=2)
    for picture in (levels, color):
        expected = F.normalize(F.to_tensor(Image.fromarray(picture)), [0.5], [0.5])
        assert np.array_equal(agnostic.to_unit(picture), expected.numpy())


@pytest.mark.parametrize("space", sorted(SPACES))
@pytest.mark.parametrize("size", [(192, 256), (96, 128), (50, 67)])
def test_representation_is_the_published_one_bit_for_bit(space, size):
    rng = np.random.default_rng(len(space))
    photo, parse, joints = random_person(rng, *size, len(SPACES[space].classes))
    unions = SPACES[space].unions
    expected = published_inputs(photo, parse, joints, unions)
    steps = build_pipeline(
        [{"type": "LoadPerson"}, {"type": "CPVTONAgnostic", "pose_radius": 5}, {"type": "GarmentTargets"}]
    )
    arrays = {"photo": np.asarray(photo), "parsing": parse, "parsing_space": space, "joints": joints}
    made = steps({**arrays, "image_size": parse.shape, "garment_classes": None, "inputs": {}})["inputs"]
    assert made.keys() == expected.keys()
    assert made["agnostic"].shape == (22, size[1], size[0])
    for key, value in expected.items():
        assert made[key].dtype == np.float32
        assert made[key].tobytes() == value.numpy().tobytes(), key


COORDINATE = st.one_of(
    st.floats(-30, 80),
    st.integers(-12, 70).map(float),
    st.sampled_from([1, np.nextafter(1, 2), np.nextafter(6, 0), 6 - 1e-15, 4.5, 47.999, 48, 53, 1e9]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=18, max_size=18), st.integers(0, 7))
def test_any_joint_is_drawn_as_pillow_draws_it(points, radius):
    for (x, y), made in zip(points, pose_maps(np.array(points, np.float64), 64, 48, radius), strict=True):
        picture = Image.new("L", (48, 64))
        if x > 1 and y > 1:
            ImageDraw.Draw(picture).rectangle((x - radius, y - radius, x + radius, y + radius), "white", "white")
        assert np.array_equal(made == 1, np.asarray(picture) == 255)
        assert np.isin(made, (-1, 1)).all()


def test_a_joint_at_one_is_missing_and_one_beyond_is_not():
    joints = np.zeros((18, 2))
    joints[:3] = (1, 30), (1.01, 30), (30, 30)
    maps = pose_maps(joints, 64, 48)
    assert [(m == 1).sum() for m in maps[:3]] == [0, 7 * 11, 11 * 11]
    assert (maps[3:] == -1).all()


def test_no_pose_gives_empty_maps():
    photo, parse, _ = random_person(np.random.default_rng(0), 32, 48, 20)
    image = agnostic.to_unit(np.asarray(photo))
    assert (agnostic.cloth_agnostic(image, parse, None, "lip20")[4:] == -1).all()


def test_a_union_is_where_any_of_the_labels_is():
    parse = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(agnostic.union_mask(parse, (3, 200)), np.isin(parse, (3, 200)))
