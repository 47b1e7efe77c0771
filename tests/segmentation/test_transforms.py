"""Pipeline steps against mmdet's own."""

import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

import seg_vton  # noqa: F401  registers the steps
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES

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


def labeled(seed, classes=CLOTHING_CLASSES, ignored=()):
    """An item with four overlapping boxes of different classes, some of them crowds."""
    rng = np.random.default_rng(seed)
    masks, labels = np.zeros((4, HEIGHT, WIDTH), np.uint8), rng.choice(len(classes), 4, replace=False)
    for mask in masks:
        y, x = rng.integers(0, (HEIGHT // 2, WIDTH // 2))
        mask[y : y + 20, x : x + 14] = 1
    crowd = np.isin(np.arange(4), ignored)
    boxes = HorizontalBoxes(np.zeros((4, 4), np.float32))
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    results = {"img": image, "img_shape": image.shape[:2], "gt_bboxes": boxes, "text": classes}
    return results | {
        "gt_masks": BitmapMasks(masks, HEIGHT, WIDTH),
        "gt_bboxes_labels": labels,
        "gt_ignore_flags": crowd,
    }


ORDER = ["skin", "skirt leggings pants", "top dress", "outer", "bag neckwear belt footwear", "face"]
ORDER += ["hair eyeglass headwear"]


def slow_target(results):
    """Pixel by pixel: of the masks there the one of the highest layer, then the smaller, then the lower label."""
    classes, masks = results["text"], results["gt_masks"].masks
    target = np.zeros((HEIGHT, WIDTH), np.uint8)
    for y, x in np.ndindex(HEIGHT, WIDTH):
        there = [i for i in range(4) if masks[i, y, x]]
        best = max(
            (i for i in there if not results["gt_ignore_flags"][i]),
            key=lambda i: (
                next(n for n, layer in enumerate(ORDER) if classes[results["gt_bboxes_labels"][i]] in layer.split()),
                -masks[i].sum(),
                -CLOTHING_CLASSES.index(classes[results["gt_bboxes_labels"][i]]),
            ),
            default=None,
        )
        target[y, x] = results["gt_bboxes_labels"][best] + 1 if best is not None else 255 if there else 0
    return target


@pytest.mark.parametrize("classes", [CLOTHING_CLASSES, CLOTHING_CLASSES[::-1], CLOTHING_CLASSES[3:9]])
@pytest.mark.parametrize("ignored", [(), (1, 2), (0, 1, 2, 3)])
def test_the_target_is_what_is_seen_of_the_masks(classes, ignored):
    step = TRANSFORMS.build({"type": "SemanticFromMasks"})
    for seed in range(3):
        results = labeled(seed, classes, ignored)
        target = step(dict(results))["gt_seg_map"]
        assert target.dtype == np.uint8
        np.testing.assert_array_equal(target, slow_target(results))


def test_flips_and_resizes_carry_the_target():
    first, last = labeled(4), labeled(4)
    target = TRANSFORMS.build({"type": "SemanticFromMasks"})
    steps = [
        TRANSFORMS.build({"type": "ResizeWhereNeeded", "scale": (60, 88), "keep_ratio": True}),
        TRANSFORMS.build({"type": "RandomFlip", "prob": 1.0}),
    ]
    for step in (target, *steps):
        first = step(first)
    for step in (*steps, target):
        last = step(last)
    assert first["gt_seg_map"].shape == (88, 60)
    np.testing.assert_array_equal(first["gt_seg_map"], last["gt_seg_map"])
    packed = TRANSFORMS.build({"type": "PackDetInputs", "meta_keys": ()})(last)["data_samples"]
    np.testing.assert_array_equal(packed.gt_sem_seg.sem_seg[0].numpy(), last["gt_seg_map"])


def test_an_item_without_instances_is_background_and_one_without_names_is_refused():
    step, results = TRANSFORMS.build({"type": "SemanticFromMasks"}), labeled(0)
    none = {"gt_masks": results["gt_masks"][:0]} | {k: results[k][:0] for k in ("gt_bboxes_labels", "gt_ignore_flags")}
    assert not step(results | none)["gt_seg_map"].any()
    del results["text"]
    with pytest.raises(UserError, match="return_classes=True"):
        step(results)
