"""Composition at the photo's resolution, against the models' own at theirs and a slow reference."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seg_vton.labels import DEEPFASHION15
from seg_vton.pictures.crop import Box
from seg_vton.registry import build_model
from seg_vton.tryon.inference import composition
from seg_vton.tryon.inference.composition import Placement, compose, place


def build_gmm(align_corners=True):
    settings = {"type": "GMM", "image_size": (96, 64), "base_channels": 4, "align_corners": align_corners}
    return build_model(settings).eval()


def outputs_of(gmm, garment, strength=0.2):
    theta = torch.empty(1, 50).uniform_(-strength, strength)
    cloth = torch.from_numpy(garment).permute(2, 0, 1)[None] / 127.5 - 1
    warped = gmm.warp(cloth, gmm.tps(theta), "border")
    rendered, mask = torch.empty(1, 3, 96, 64).uniform_(-1, 1), torch.rand(1, 1, 96, 64)
    return {"theta": theta, "warped_cloth": warped, "rendered": rendered, "mask": mask}


def smooth(size, seed=0):
    """A smooth picture at any resolution: the same function of the place."""
    y, x = ((np.arange(side) + 0.5) / side for side in size)
    waves = np.random.default_rng(seed).uniform(2, 7, (3, 2))
    planes = [127 + 120 * np.sin(a * x[None] + b * y[:, None]) for a, b in waves]
    return np.stack(planes, 2).round().astype(np.uint8)


def levels(tensor):
    return ((tensor[0] + 1) * 127.5).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("strip", [64, 1 << 17])
def test_at_the_models_size_it_is_the_models_try_on(align_corners, strip, monkeypatch):
    monkeypatch.setattr(composition, "_STRIP_PIXELS", strip)
    gmm, garment = build_gmm(align_corners), smooth((96, 64))
    outputs = outputs_of(gmm, garment)
    photo = np.random.default_rng(0).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    made = compose(photo, Box(7, 11, 64, 96), garment, gmm, outputs)
    expected = torch.lerp(outputs["rendered"], outputs["warped_cloth"], outputs["mask"])
    assert np.abs(made.image[11:107, 7:71] - levels(expected)).max() < 0.51
    assert np.abs(made.warped_cloth - levels(outputs["warped_cloth"])).max() < 0.51
    assert np.abs(made.mask / 255 - outputs["mask"][0, 0].numpy()).max() < 0.003
    outside = np.ones((120, 100), bool)
    outside[11:107, 7:71] = False
    assert np.array_equal(made.image[outside], photo[outside])


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("times", [2, 5])
def test_at_full_size_it_is_the_same_warp_of_a_finer_garment(align_corners, times):
    """Reduced again, the fine warp is the coarse one: nothing is shifted by half a pixel."""
    gmm = build_gmm(align_corners)
    outputs = outputs_of(gmm, smooth((96, 64)), strength=0.15)
    size = (96 * times, 64 * times)
    made = compose(np.zeros((*size, 3), np.uint8), Box(0, 0, *size[::-1]), smooth(size), gmm, outputs)
    reduced = made.warped_cloth.reshape(96, times, 64, times, 3).mean((1, 3))
    inner = slice(6, -6), slice(6, -6)
    difference = np.abs(reduced - levels(outputs["warped_cloth"]))[inner]
    assert difference.mean() < 1.0  # half a pixel of shift makes 2 and more


def test_detail_comes_from_the_full_size_garment():
    gmm = build_gmm()
    garment = np.zeros((384, 256, 3), np.uint8)
    garment[:, ::2] = 255  # stripes that no picture of 96 x 64 can hold
    outputs = {**outputs_of(gmm, smooth((96, 64))), "theta": torch.zeros(1, 50)}
    made = compose(np.zeros((384, 256, 3), np.uint8), Box(0, 0, 256, 384), garment, gmm, outputs)
    assert np.array_equal(made.warped_cloth, garment)


def test_a_garment_much_finer_than_the_window_does_not_alias():
    gmm = build_gmm()
    garment = np.zeros((960, 640, 3), np.uint8)
    garment[:, ::2] = 255
    outputs = {**outputs_of(gmm, smooth((96, 64))), "theta": torch.zeros(1, 50)}
    made = compose(np.zeros((96, 64, 3), np.uint8), Box(0, 0, 64, 96), garment, gmm, outputs)
    assert np.abs(made.warped_cloth[5:-5, 5:-5].astype(int) - 127).max() < 10


def test_enlarged_layers_are_bilinear_and_the_shares_keep_the_photo():
    gmm = build_gmm()
    outputs = outputs_of(gmm, smooth((96, 64)))
    outputs["mask"] = torch.zeros(1, 1, 96, 64)
    replaced = np.zeros((96, 64), np.float32)
    replaced[:48] = 1
    rendered = np.random.default_rng(1).integers(0, 256, (96, 64, 3), dtype=np.uint8)
    photo = np.random.default_rng(0).integers(0, 256, (192, 128, 3), dtype=np.uint8)
    placement = Placement(rendered, replaced, np.ones_like(replaced))
    made = compose(photo, Box(0, 0, 128, 192), smooth((96, 64)), gmm, outputs, placement)
    as_tensor = torch.from_numpy(rendered).permute(2, 0, 1)[None].float()
    expected = F.interpolate(as_tensor, scale_factor=2, mode="bilinear")[0].permute(1, 2, 0).numpy()
    assert np.abs(made.image[:94] - expected[:94]).max() < 0.51
    assert np.array_equal(made.image[98:], photo[98:])


@pytest.mark.parametrize("times", [1, 3])
def test_white_around_the_garment_is_see_through(times):
    """Where the composition mask reaches beyond the garment, what is below shows; edges mix with it, not with white."""
    gmm = build_gmm()
    outputs = {**outputs_of(gmm, smooth((96, 64))), "theta": torch.zeros(1, 50)}
    outputs["mask"] = torch.ones(1, 1, 96, 64)
    mask = np.zeros((96 * times, 64 * times), bool)
    mask[30 * times : 60 * times, 20 * times : 40 * times] = True
    garment = np.where(mask[..., None], np.uint8(40), np.uint8(255)).repeat(3, 2)
    photo = np.full((96, 64, 3), 60, np.uint8)
    nowhere, everywhere = np.zeros((96, 64), np.float32), np.ones((96, 64), np.float32)
    placement = Placement(np.full((96, 64, 3), 255, np.uint8), nowhere, everywhere)
    made = compose(photo, Box(0, 0, 64, 96), garment, gmm, outputs, placement, mask)
    assert (made.image[33:57, 23:37] == 40).all()
    assert made.image.min() == 40
    assert made.image.max() == 60
    outside = np.ones((96, 64), bool)
    outside[26:64, 16:44] = False
    assert np.array_equal(made.image[outside], photo[outside])
    assert (made.warped_cloth[outside] == 255).all()


@pytest.mark.parametrize("box", [Box(-20, -30, 64, 96), Box(40, 60, 64, 96), Box(-10, -10, 120, 180)])
def test_a_window_beyond_the_photo_changes_what_is_in_it(box):
    gmm, garment = build_gmm(), smooth((96, 64))
    outputs = outputs_of(gmm, garment)
    photo = np.random.default_rng(0).integers(0, 256, (100, 80, 3), dtype=np.uint8)
    made = compose(photo, box, garment, gmm, outputs)
    assert made.image.shape == photo.shape
    assert made.warped_cloth.shape == (box.height, box.width, 3)
    inside = np.zeros((100, 80), bool)
    inside[max(box.top, 0) : box.top + box.height, max(box.left, 0) : box.left + box.width] = True
    assert np.array_equal(made.image[~inside], photo[~inside])
    assert (made.image[inside] != photo[inside]).any(1).mean() > 0.9


IDS = {name: DEEPFASHION15.id_of(name) for name in ("top", "hair", "skin", "pants")}


@pytest.fixture
def dressed():
    """Label map of a person in a top, with hair, an arm and trousers; TOM's person in red, as soft as it draws them."""
    parse = np.zeros((128, 96), np.uint8)
    parse[40:80, 30:60], parse[10:38, 35:55] = IDS["top"], IDS["hair"]
    parse[45:70, 64:72], parse[82:120, 30:60] = IDS["skin"], IDS["pants"]
    body = cv2.GaussianBlur((parse > 0).astype(np.float32), (0, 0), 2)[..., None]
    levels = body * (200, 30, 30) + (1 - body) * 255
    return parse, torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 127.5 - 1


def test_the_rendered_person_stands_in_for_the_old_garment_alone(dressed):
    parse, rendered = dressed
    placement = place(parse, rendered)
    assert placement.replaced.dtype == placement.free.dtype == np.float32
    assert (placement.replaced[42:78, 32:58] > 0.95).all()
    assert 0 < placement.replaced[81, 35] < 1
    for kept in (np.s_[10:34, 35:55], np.s_[45:70, 68:72], np.s_[86:]):  # head, arm beside the garment, trousers
        assert (placement.replaced[kept] == 0).all()
    near = cv2.dilate((parse > 0).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    assert (placement.replaced[~near] == 0).all()
    assert (placement.free[14:34, 39:51] < 0.05).all()
    assert (placement.free[44:] == 1).all()


def test_no_white_of_the_rendered_background_is_taken(dressed):
    parse, rendered = dressed
    before = np.array(levels(rendered))
    placement = place(parse, rendered)
    taken = placement.replaced > 0.02
    assert before[taken][:, 1].max() > 130  # TOM's own outline is half white
    assert placement.rendered[taken][:, 1].max() < 90


def test_background_without_the_new_garment_stays_the_photo(dressed):
    """Bit for bit, however far the composition mask reaches; the new garment covers it all the same."""
    parse, rendered = dressed
    gmm = build_model({"type": "GMM", "image_size": (128, 96), "base_channels": 4}).eval()
    outputs = {"theta": torch.zeros(1, 50), "rendered": rendered, "mask": torch.ones(1, 1, 128, 96)}
    mask = np.zeros((128, 96), bool)
    mask[50:100, 20:50] = True
    garment = np.where(mask[..., None], np.uint8(90), np.uint8(255)).repeat(3, 2)
    photo = np.random.default_rng(0).integers(0, 256, (128, 96, 3), dtype=np.uint8)
    made = compose(photo, Box(0, 0, 96, 128), garment, gmm, outputs, place(parse, rendered), mask)
    assert (made.image[52:98, 22:48] == 90).all()
    reach = cv2.dilate(((parse > 0) | mask).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    assert (~reach).mean() > 0.4
    assert np.array_equal(made.image[~reach], photo[~reach])
    arm = np.s_[45:70, 68:72]
    assert np.array_equal(made.image[arm], photo[arm])


def test_without_a_body_nothing_is_replaced():
    placement = place(np.zeros((32, 24), np.uint8), torch.ones(1, 3, 32, 24))
    assert not placement.replaced.any()
    assert placement.rendered.shape == (32, 24, 3)
