"""Masks come out of a loader's worker as they went in, and small; the mask head's targets of them are mmdet's."""

import copy
import pickle
from multiprocessing.reduction import ForkingPickler
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from pycocotools import mask as coco_mask
from torch.utils.data import DataLoader

from seg_vton.segmentation.masks import pixels_on, row_major, unpack_bits

HEIGHT, WIDTH = 37, 29  # no multiples of eight


def masks(count, dtype=np.uint8, high=2):
    pixels = np.random.default_rng(count).integers(0, high, (count, HEIGHT, WIDTH))
    return BitmapMasks(pixels.astype(dtype), HEIGHT, WIDTH)


def by_column(some):
    """As pycocotools decodes them."""
    return BitmapMasks([coco_mask.decode(coco_mask.encode(np.asfortranarray(m))) for m in some.masks], HEIGHT, WIDTH)


def sent(some):
    return pickle.loads(bytes(ForkingPickler.dumps(some)))


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int64, np.float32])
def test_masks_arrive_as_they_were(count, dtype):
    some = masks(count, dtype)
    arrived = sent(some)
    assert (arrived.height, arrived.width) == (HEIGHT, WIDTH)
    assert arrived.masks.dtype == some.masks.dtype
    assert np.array_equal(arrived.masks, some.masks)


def test_masks_by_column_and_part_of_an_array_arrive_too():
    some = by_column(masks(3))
    assert not some.masks.flags.c_contiguous
    assert np.array_equal(sent(some).masks, some.masks)
    part = BitmapMasks(masks(3).masks[::2, :, ::-1], HEIGHT, WIDTH)
    assert np.array_equal(sent(part).masks, part.masks)


@pytest.mark.parametrize("count", [0, 3])
def test_masks_stay_bits_until_their_pixels_are_asked_for(count):
    some = masks(count)
    padded = sent(some).pad((48, 32))
    assert len(padded) == count
    bits = torch.from_numpy(padded.bits)
    expected = some.pad((48, 32)).masks
    assert np.array_equal(unpack_bits(bits, 32).numpy(), expected)
    assert np.array_equal(unpack_bits(torch.from_numpy(sent(some).bits), WIDTH).numpy(), some.masks)
    assert np.array_equal(
        pixels_on(torch.device("cpu"), [padded, padded]).numpy(), np.concatenate([expected, expected])
    )
    assert padded.bits is None
    assert np.array_equal(padded.pad((50, 40)).masks, some.pad((50, 40)).masks)
    assert np.array_equal(sent(some).pad((48, 32), pad_val=1).masks, some.pad((48, 32), pad_val=1).masks)


def test_pixels_that_are_no_bits_are_kept():
    some = masks(2, high=256)
    assert some.masks.max() > 1
    assert np.array_equal(sent(some).masks, some.masks)


def test_a_pixel_travels_as_a_bit():
    some = masks(8)
    assert len(ForkingPickler.dumps(some)) < some.masks.size / 8 + 1000
    assert len(pickle.dumps(some)) > some.masks.size  # what is saved elsewhere is not changed
    assert np.array_equal(copy.deepcopy(some).masks, some.masks)


def test_a_loaders_worker_sends_them():
    items = [masks(2), by_column(masks(3)), masks(1, high=9)]
    loader = DataLoader(items, batch_size=2, collate_fn=list, num_workers=1)
    arrived = [each for batch in loader for each in batch]
    assert [np.array_equal(ours.masks, theirs.masks) for ours, theirs in zip(arrived, items, strict=True)] == [True] * 3
    targets = [each.crop_and_resize(np.array([[2, 3, 20, 30]], np.float32), (7, 7), np.array([0])) for each in arrived]
    expected = [each.crop_and_resize(np.array([[2, 3, 20, 30]], np.float32), (7, 7), np.array([0])) for each in items]
    for ours, theirs in zip(targets, expected, strict=True):
        assert torch.equal(torch.as_tensor(ours.masks), torch.as_tensor(theirs.masks))


def test_rows_in_one_piece():
    some = masks(3)
    assert row_major(some) is some
    for other in (by_column(some), BitmapMasks(by_column(some).masks[:, :, ::-1], HEIGHT, WIDTH)):
        rows = row_major(other)
        assert rows.masks.flags.c_contiguous
        assert np.array_equal(rows.masks, other.masks)
    wide = BitmapMasks(np.asfortranarray(masks(2, np.int64).masks), HEIGHT, WIDTH)
    assert np.array_equal(row_major(wide).masks, wide.masks)


# ---- the mask head's targets, against mmdet's

SIZE, PADDED = (50, 43), (64, 64)


def bitmaps(count, size=SIZE):
    rng = np.random.default_rng(count)
    centers, radii = rng.uniform(0, size, (count, 2)), rng.uniform(3, 30, count)
    grid = np.mgrid[: size[0], : size[1]]
    pixels = [
        (((grid - c[:, None, None]) ** 2).sum(0) < r**2).astype(np.uint8) for c, r in zip(centers, radii, strict=True)
    ]
    return BitmapMasks(pixels, *size)


def from_worker(masks):
    """As they arrive in the main process, padded there as the preprocessor does it."""
    return sent(masks).pad(PADDED)


def targets(head, masks, boxes, **settings):
    """Of boxes that reach out of the image here and there, so many for each image."""
    draw = torch.Generator().manual_seed(0)
    samples = []
    for own, count in zip(masks, boxes, strict=True):
        corners = torch.rand(count, 4, generator=draw) * 90 - 15
        corners[:, 2:] = corners[:, :2] + torch.rand(count, 2, generator=draw) * 50
        inds = torch.randint(len(own), (count,), generator=draw) if count else torch.empty(0, dtype=torch.long)
        samples.append(SimpleNamespace(pos_priors=corners, pos_assigned_gt_inds=inds))
    head = MODELS.build({"type": head, "num_convs": 0, "in_channels": 4, "conv_out_channels": 4})
    truth = [SimpleNamespace(masks=each) for each in masks]
    return head.get_targets(samples, truth, ConfigDict(mask_size=(28, 20), **settings))


@pytest.mark.parametrize("settings", [{}, {"soft_mask_target": True}])
@pytest.mark.parametrize(
    ("make", "counts", "boxes"),
    [
        (lambda n: from_worker(bitmaps(n)), (3, 0, 5), (17, 0, 30)),
        (lambda n: bitmaps(n).pad(PADDED), (2, 4), (9, 8)),
        (lambda n: bitmaps(n, (40 + n, 50)), (2, 4), (9, 8)),  # not padded to one size
        (lambda n: from_worker(bitmaps(n)), (2, 1), (0, 0)),
    ],
)
def test_targets_are_mmdets(make, counts, boxes, settings):
    theirs, ours = (
        targets(head, [make(n) for n in counts], boxes, **settings)
        for head in ("mmdet.FCNMaskHead", "mmdet.BatchedTargetsMaskHead")
    )
    assert ours.shape == (sum(boxes), 28, 20)
    assert ours.dtype == theirs.dtype == torch.float32
    assert torch.equal(ours, theirs)
    assert not sum(boxes) or 0.01 < ours.mean() < 0.99
