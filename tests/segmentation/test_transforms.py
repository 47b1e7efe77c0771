"""Pipeline steps against mmdet's own."""

import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

import seg_vton  # noqa: F401  registers the step

HEIGHT, WIDTH = 44, 30


def item(masks):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    boxes = HorizontalBoxes(np.array([[1, 2, 20, 30], [5, 5, 29, 43]], np.float32))
    return {"img": image, "img_shape": image.shape[:2], "gt_bboxes": boxes, "gt_masks": masks}


def bitmaps():
    pixels = np.random.default_rng(0).integers(0, 2, (2, HEIGHT, WIDTH), dtype=np.uint8)
    return BitmapMasks(pixels, HEIGHT, WIDTH)


def polygons():
    return PolygonMasks([[np.array([1.0, 2, 20, 2, 20, 30])], [np.array([5.0, 5, 29, 5, 29, 43])]], HEIGHT, WIDTH)


def both(masks, **settings):
    """What mmdet's step and ours make of the same item."""
    return [TRANSFORMS.build({"type": name, **settings})(item(masks())) for name in ("Resize", "ResizeWhereNeeded")]


@pytest.mark.parametrize("masks", [bitmaps, polygons])
@pytest.mark.parametrize(
    "settings",
    [
        {"scale": (WIDTH, HEIGHT), "keep_ratio": True},
        {"scale": (WIDTH, HEIGHT), "keep_ratio": False},
        {"scale": (60, 60), "keep_ratio": True},
        {"scale": (17, 23), "keep_ratio": False},
        {"scale_factor": 0.5, "keep_ratio": True},
    ],
)
def test_results_are_mmdets(masks, settings):
    theirs, ours = both(masks, **settings)
    assert ours.keys() == theirs.keys()
    assert np.array_equal(ours["img"], theirs["img"])
    assert np.array_equal(ours["gt_bboxes"].numpy(), theirs["gt_bboxes"].numpy())
    assert np.array_equal(ours["gt_masks"].to_ndarray(), theirs["gt_masks"].to_ndarray())
    assert (ours["gt_masks"].height, ours["gt_masks"].width) == tuple(ours["img_shape"])


def test_masks_of_the_new_size_are_not_resampled():
    step = TRANSFORMS.build({"type": "ResizeWhereNeeded", "scale": (WIDTH, HEIGHT), "keep_ratio": True})
    masks = bitmaps()
    assert step(item(masks))["gt_masks"] is masks
    by_column = BitmapMasks(np.asfortranarray(masks.masks), HEIGHT, WIDTH)
    left = step(item(by_column))["gt_masks"].masks
    assert left.flags.c_contiguous
    assert np.array_equal(left, masks.masks)


def test_an_item_without_masks_passes():
    step = TRANSFORMS.build({"type": "ResizeWhereNeeded", "scale": (15, 22), "keep_ratio": True})
    results = item(bitmaps())
    del results["gt_masks"]
    assert step(results)["img"].shape == (22, 15, 3)
