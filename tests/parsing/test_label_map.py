import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg_vton.data.paper_doll.doll import draw_doll
from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, LIP20, convert, get_space
from seg_vton.parsing.label_map import (
    HOLE_SHARE,
    LAYERS,
    Accessory,
    close_holes,
    enlarged,
    fuse_maps,
    merge_instances,
    regions,
)

ID = {name: DEEPFASHION15.id_of(name) for name in DEEPFASHION15.classes}


def box(shape, top, bottom, left, right):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def merge(*instances, fill_holes=False):
    """`(class, mask)` or `(class, mask, score)` to a label map."""
    masks = np.stack([instance[1] for instance in instances])
    labels = [ID[instance[0]] for instance in instances]
    scores = [instance[2] if len(instance) > 2 else 0.9 for instance in instances]
    return merge_instances(masks, labels, scores, fill_holes)


SHAPE = (20, 20)
LEFT, RIGHT = box(SHAPE, 0, 20, 0, 12), box(SHAPE, 0, 20, 8, 20)
BOTH = LEFT & RIGHT


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("top", "skin"),  # an arm that is claimed for the torso's garment, too
        ("pants", "skin"),
        ("top", "pants"),
        ("dress", "skirt"),
        ("outer", "top"),  # a jacket over a top
        ("outer", "dress"),
        ("bag", "outer"),  # a bag over a coat
        ("belt", "dress"),
        ("neckwear", "outer"),
        ("footwear", "pants"),
        ("face", "neckwear"),
        ("hair", "face"),  # hair over the face
        ("eyeglass", "face"),
        ("headwear", "face"),
        ("face", "skin"),
    ],
)
def test_the_higher_layer_is_seen_whatever_the_scores_and_the_order(above, below):
    for scores in ((0.6, 0.9), (0.9, 0.6)):
        pair = (above, LEFT, scores[0]), (below, RIGHT, scores[1])
        for order in (pair, pair[::-1]):
            label_map = merge(*order)
            assert (label_map[LEFT] == ID[above]).all()
            assert (label_map[RIGHT & ~BOTH] == ID[below]).all()


@pytest.mark.parametrize("pair", [("top", "dress"), ("skirt", "pants"), ("hair", "headwear"), ("bag", "belt")])
def test_inside_a_layer_the_higher_score_is_seen(pair):
    for winner, loser in (pair, pair[::-1]):
        label_map = merge((loser, RIGHT, 0.7), (winner, LEFT, 0.8))
        assert (label_map[BOTH] == ID[winner]).all()


@pytest.mark.parametrize("space", ["tryon8", "lip20"])
def test_without_layers_the_score_decides_and_layers_can_be_given(space, monkeypatch):
    lower, higher = get_space(space).classes[1:3]
    for scores, seen in (((0.9, 0.6), 1), ((0.6, 0.9), 2)):
        assert (merge_instances(np.stack([LEFT, RIGHT]), [1, 2], scores, False, space)[BOTH] == seen).all()
        monkeypatch.setitem(LAYERS, space, ((lower,), (higher,)))
        assert (merge_instances(np.stack([LEFT, RIGHT]), [1, 2], scores, False, space)[BOTH] == 2).all()
        monkeypatch.delitem(LAYERS, space)


def test_an_arm_that_crosses_the_torso_stays_where_the_top_leaves_it_out():
    torso, arm = box(SHAPE, 2, 18, 4, 16), box(SHAPE, 8, 11, 0, 20)
    label_map = merge(("top", torso & ~arm), ("skin", arm), fill_holes=True)
    assert (label_map[arm] == ID["skin"]).all()
    assert (label_map[torso & ~arm] == ID["top"]).all()


def test_each_class_is_in_one_layer():
    names = list(itertools.chain.from_iterable(LAYERS["deepfashion15"]))
    assert sorted(names) == sorted(DEEPFASHION15.classes[1:])
    ranks = {name: rank for rank, names in enumerate(LAYERS["deepfashion15"]) for name in names}
    order = ("skin", "pants", "top", "outer", "bag", "face", "hair")
    assert [ranks[name] for name in order] == list(range(7))


def test_equal_scores_give_the_same_map_in_any_order():
    small = box(SHAPE, 0, 20, 6, 14)
    instances = [("top", LEFT), ("dress", RIGHT), ("top", small), ("bag", BOTH), ("belt", BOTH)]
    maps = [merge(*order) for order in itertools.permutations(instances)]
    assert all(np.array_equal(label_map, maps[0]) for label_map in maps)
    assert (maps[0][BOTH] == ID["bag"]).all()  # equal in all, so the lower label
    assert (maps[0][small & ~BOTH] == ID["top"]).all()  # the smaller mask is on top


def test_no_instance_gives_background():
    label_map = merge_instances(np.zeros((0, 7, 5), bool), [], [])
    assert label_map.shape == (7, 5)
    assert label_map.dtype == np.uint8
    assert not label_map.any()
    assert not any(region.any() for region in regions(label_map, "deepfashion15"))


def test_an_empty_mask_leaves_no_trace():
    assert np.array_equal(merge(("hair", np.zeros(SHAPE, bool)), ("top", LEFT)), merge(("top", LEFT)))


@pytest.mark.parametrize("label", [0, 16, -1])
def test_labels_outside_the_15_are_refused(label):
    with pytest.raises(UserError, match="none of deepfashion15"):
        merge_instances(BOTH[None], [label], [0.5])


@pytest.mark.parametrize("index", range(4))
def test_the_truth_of_a_paper_doll_merges_to_its_label_map(index):
    """Arms cross the torso, hair the face; the doll's masks are what is seen, so no rule may change a pixel."""
    doll = draw_doll(0, index, (96, 128))
    names, masks = zip(*doll.instances, strict=True)
    order = np.random.default_rng(index).permutation(len(names))
    merged = merge_instances(np.stack(masks)[order], [ID[names[i]] for i in order], np.ones(len(names)), False)
    assert np.array_equal(merged, doll.label_map)


def test_a_gap_between_garments_takes_the_nearest_label():
    shape = (60, 40)
    shirt, trousers = box(shape, 5, 30, 5, 35), box(shape, 32, 55, 5, 35)
    seam = box(shape, 30, 32, 5, 35)
    bridges = box(shape, 30, 32, 5, 10) | box(shape, 30, 32, 12, 35)  # skin left and right of a gap of 2 x 2
    label_map = merge(("top", shirt), ("pants", trousers), ("skin", bridges), fill_holes=True)
    assert label_map[seam].all()
    assert set(np.unique(label_map[30:32, 10:12])) <= {ID["top"], ID["pants"], ID["skin"]}
    assert not merge(("top", shirt), ("pants", trousers), ("skin", bridges))[30:32, 10:12].any()


def test_the_space_inside_a_bent_arm_stays():
    body = box((60, 60), 5, 55, 5, 55)
    body[20:40, 20:40] = False
    assert not merge(("top", body), fill_holes=True)[20:40, 20:40].any()


def test_what_is_open_to_the_edge_stays():
    body = box((60, 60), 0, 60, 0, 60)
    body[0, 30] = body[59, 10] = body[20, 0] = body[40, 59] = False
    body[30, 30] = False
    assert np.array_equal(
        np.argwhere(merge(("top", body), fill_holes=True) == 0), [[0, 30], [20, 0], [40, 59], [59, 10]]
    )


@pytest.mark.parametrize(("area", "filled"), [(0.9, True), (1.1, False)])
def test_the_limit_is_a_share_of_the_body(area, filled):
    holed = np.where(box((102, 102), 1, 101, 1, 101), 7, 0)
    holed[50, 5 : 5 + round(area * HOLE_SHARE * 100 * 100)] = 0
    assert bool(close_holes(holed)[50, 5]) is filled


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.9), st.sampled_from([0.0, 0.01, 0.1, 1.0]))
@settings(max_examples=60, deadline=None)
def test_against_a_flood_fill(seed, density, share):
    rng = np.random.default_rng(seed)
    label_map = np.where(rng.random((12, 14)) < density, rng.integers(1, 16, (12, 14)), 0).astype(np.uint8)
    filled = close_holes(label_map, share)
    expected_holes = slow_holes(label_map, share)
    assert np.array_equal(filled != label_map, expected_holes)
    body = np.argwhere(label_map)
    for y, x in np.argwhere(expected_holes):
        distances = ((body - (y, x)) ** 2).sum(axis=1)
        nearest = {label_map[tuple(p)] for p in body[distances == distances.min()]}
        assert filled[y, x] in nearest


def slow_holes(label_map, share):
    """Enclosed background by flood fill, one component after another."""
    limit = share * np.count_nonzero(label_map)
    seen, holes = np.zeros(label_map.shape, bool), np.zeros(label_map.shape, bool)
    height, width = label_map.shape
    for start in map(tuple, np.argwhere(label_map == 0)):
        component, waiting = [], [start]
        while waiting:
            y, x = waiting.pop()
            if not (0 <= y < height and 0 <= x < width) or label_map[y, x] or seen[y, x]:
                continue
            seen[y, x] = True
            component.append((y, x))
            waiting += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        inside = all(0 < y < height - 1 and 0 < x < width - 1 for y, x in component)
        if component and inside and len(component) <= limit:
            holes[tuple(zip(*component, strict=True))] = True
    return holes


def test_regions_are_those_of_the_label_space():
    doll = draw_doll(1, 0, (96, 128))
    found = regions(doll.label_map, "deepfashion15")
    names = {
        "head": ("headwear", "eyeglass", "hair", "face"),
        "upper": ("top", "dress", "outer"),
        "body": DEEPFASHION15.classes[1:],
    }
    for region, classes in names.items():
        expected = sum((doll.label_map == ID[name]).astype(int) for name in classes).astype(bool)
        assert np.array_equal(getattr(found, region), expected)
    assert found.head.any()
    assert found.upper.any()
    small = convert(doll.label_map, "deepfashion15", "tryon8")
    assert all(map(np.array_equal, regions(small, "tryon8"), found))


def test_regions_of_lip_are_cp_vtons():
    ids = np.arange(len(LIP20.classes), dtype=np.uint8)[None]
    head, upper, body = regions(ids, "lip20")
    assert np.flatnonzero(head).tolist() == [1, 2, 4, 13]
    assert np.flatnonzero(upper).tolist() == [5, 6, 7]
    assert np.flatnonzero(body).tolist() == list(range(1, 20))


def test_regions_of_a_map_of_another_space_are_refused():
    with pytest.raises(UserError, match="tryon8 has the ids 0 to 7"):
        regions(np.full((2, 2), 9), "tryon8")


def fuse(semantic, *instances, space="deepfashion15"):
    """`(class, mask)` or `(class, mask, score)` over a map `(H, W)`, or over the labels `(R, H, W)` of its pixels."""
    semantic = semantic if semantic.ndim == 3 else semantic[None]
    masks = np.stack([np.zeros(semantic.shape[1:], bool), *(instance[1] for instance in instances)])[1:]
    labels = np.array([get_space(space).id_of(instance[0]) for instance in instances], int)
    scores = np.array([instance[2] if len(instance) > 2 else 0.9 for instance in instances])
    return fuse_maps(semantic, masks, labels, scores, space)


def test_accessories_are_painted_over_the_semantic_map_and_nothing_else_is():
    semantic = np.where(LEFT, ID["top"], ID["skin"]).astype(np.uint8)
    for name in DEEPFASHION15.classes[1:]:
        fused = fuse(semantic, (name, RIGHT))
        small = name in ("bag", "neckwear", "belt", "footwear", "hair", "eyeglass", "headwear")
        assert np.array_equal(fused, np.where(RIGHT, ID[name], semantic) if small else semantic), name
    assert fused.dtype == np.uint8


def test_fused_accessories_follow_the_layers_and_what_the_map_has_of_them_stays():
    semantic = np.full(SHAPE, ID["belt"], np.uint8)
    for pair in itertools.permutations([("bag", LEFT, 0.9), ("headwear", RIGHT, 0.4)]):
        fused = fuse(semantic, *pair)
        assert (fused[RIGHT] == ID["headwear"]).all()
        assert (fused[LEFT & ~RIGHT] == ID["bag"]).all()
    assert (semantic == ID["belt"]).all()
    assert np.array_equal(fuse(semantic), semantic)
    assert np.array_equal(fuse(semantic, ("bag", box(SHAPE, 0, 2, 0, 2)))[2:], semantic[2:])
    assert np.array_equal(fuse(np.stack([semantic, 0 * semantic]), ("belt", LEFT & ~LEFT)), semantic)  # nothing to see


def test_pixels_of_an_accessory_outside_its_instance_get_the_next_label_that_is_none():
    rng = np.random.default_rng(0)
    ranked = rng.permuted(np.tile(np.arange(16, dtype=np.uint8)[:, None], (1, 400)), axis=0)[:3].reshape(3, *SHAPE)
    before = ranked.copy()
    bag, hair = box(SHAPE, 0, 6, 0, 9), box(SHAPE, 3, 9, 3, 20)
    small = [ID[name] for name in ("bag", "neckwear", "belt", "footwear", "hair", "eyeglass", "headwear")]
    expected = np.empty(SHAPE, np.uint8)
    for y, x in np.ndindex(SHAPE):
        labels = ranked[:, y, x].tolist()
        if labels[0] in (ID["bag"], ID["hair"]):
            labels = [label for label in labels if label not in small] + [0]
        expected[y, x] = ID["hair"] if hair[y, x] else ID["bag"] if bag[y, x] else labels[0]
    assert len(set(expected[~hair & ~bag].tolist()) & set(small)) == 5  # those without an instance stay
    assert (fuse(ranked, ("hair", hair), ("bag", bag), ("dress", LEFT)) == expected).all()
    assert (ranked == before).all()


def test_a_space_says_itself_which_classes_are_accessories(monkeypatch):
    semantic = np.ones(SHAPE, np.uint8)
    assert np.array_equal(fuse(semantic, ("face+eyeglass", LEFT), space="tryon8"), semantic)
    monkeypatch.setitem(LAYERS, "tryon8", ((Accessory("face+eyeglass"),),))
    assert (fuse(semantic, ("face+eyeglass", LEFT), space="tryon8") == np.where(LEFT, 2, 1)).all()


def test_an_enlarged_map_has_smooth_edges_and_the_same_labels():
    small = np.zeros((20, 20), np.uint8)
    small[np.hypot(*(np.indices((20, 20)) - 9.5)) < 7] = 5
    assert enlarged(small, (20, 20)) is small
    large = enlarged(small, (80, 60))
    truth = np.hypot((np.indices((80, 60))[0] - 39.5) / 4, (np.indices((80, 60))[1] - 29.5) / 3) < 7
    assert set(np.unique(large)) == {0, 5}
    assert (large > 0)[truth].mean() > 0.97
    assert (large > 0)[~truth].mean() < 0.02
