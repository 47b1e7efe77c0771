"""The mask head's targets against mmdet's."""

import pickle
from multiprocessing.reduction import ForkingPickler
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict

import seg_vton  # noqa: F401  registers the head

SIZE = (50, 43)
PADDED = (64, 64)


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
    return pickle.loads(bytes(ForkingPickler.dumps(masks))).pad(PADDED)


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
