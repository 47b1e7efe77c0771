import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.datasets import DeepFashionDataset
from PIL import Image

from seg_vton import labels
from seg_vton.errors import UserError
from seg_vton.labels import SPACES, LabelConversionError, convert, dropped_classes, get_space, is_interpolated, unions

NAMES = tuple(SPACES)
PAIRS = tuple(itertools.permutations(NAMES, 2))
ALLOWED = {
    ("ccp59", "deepfashion15"),
    ("ccp59", "dfmm24"),
    ("dfmm24", "deepfashion15"),
    *((name, "tryon8") for name in NAMES if name != "tryon8"),
    ("lip21", "lip20"),
    ("lip20", "acgpn14"),
    ("lip21", "acgpn14"),
    ("cihp20", "acgpn14"),
    ("atr18", "acgpn14"),
}


def all_ids(name):
    return np.arange(len(get_space(name).classes))


def names_of(space, ids):
    return {get_space(space).classes[i] for i in ids}


@pytest.mark.parametrize("name", NAMES)
def test_space_is_whole(name):
    space = get_space(name)
    assert space.name == name
    assert space.classes[0] == "background"
    assert len(set(space.classes)) == len(space.classes) == len(space.palette)
    assert len(set(space.palette)) == len(space.palette), "two labels of one color"
    assert space.palette[0] == (0, 0, 0)
    assert all(0 <= v <= 255 for color in space.palette for v in color)
    head, upper, body = space.unions
    assert head
    assert upper
    assert not set(head) & set(upper)
    assert set(head) | set(upper) < set(body)
    assert body == tuple(range(1, len(space.classes)))


@pytest.mark.parametrize(("name", "count"), [(n, int(n.lstrip("abcdefghijklmnopqrstuvwxyz"))) for n in NAMES])
def test_number_in_the_name(name, count):
    # deepfashion15 counts its classes without the background, as the paper does; the others count it.
    assert len(get_space(name).classes) == count + (name == "deepfashion15")


def test_unions_of_the_published_code():
    assert unions("lip20").head == (1, 2, 4, 13)
    assert unions("lip20").upper == (5, 6, 7)
    assert names_of("deepfashion15", unions("deepfashion15").head) == {"headwear", "hair", "eyeglass", "face"}
    assert names_of("deepfashion15", unions("deepfashion15").upper) == {"top", "dress", "outer"}


def test_deepfashion_is_mmdets_order_and_colors():
    assert get_space("deepfashion15").classes[1:] == DeepFashionDataset.METAINFO["classes"]
    assert list(get_space("deepfashion15").palette[1:]) == DeepFashionDataset.METAINFO["palette"]


def test_lip_and_cihp_differ_in_label_ten_alone():
    lip, cihp = get_space("lip20").classes, get_space("cihp20").classes
    assert [i for i in range(20) if lip[i] != cihp[i]] == [10]
    assert (lip[10], cihp[10]) == ("jumpsuits", "torso-skin")


def test_cp_vton_plus_adds_the_neck_to_lip():
    lip, plus = get_space("lip20"), get_space("lip21")
    assert plus.classes == (*lip.classes, "neck")
    assert plus.palette[:20] == lip.palette
    assert (plus.unions.head, plus.unions.upper) == (lip.unions.head, lip.unions.upper)
    assert plus.unions.body == (*lip.unions.body, 20)
    np.testing.assert_array_equal(convert(np.arange(21), "lip21", "lip20"), [*range(20), 0])


def test_voc_colors():
    # From the VOC development kit: person is 15, tv monitor 20.
    assert labels._bit_palette(21)[15] == (192, 128, 128)
    assert labels._bit_palette(21)[20] == (0, 64, 128)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_pair_converts_or_says_why_not(pair):
    if pair in ALLOWED:
        result = convert(all_ids(pair[0]), *pair)
        assert result.dtype == np.uint8
        assert result[0] == 0
        assert result.max() < len(get_space(pair[1]).classes)
    else:
        with pytest.raises(LabelConversionError, match=rf"{pair[0]} cannot become {pair[1]}: .+\. Conversions from"):
            convert(all_ids(pair[0]), *pair)


@pytest.mark.parametrize("target", ["lip20", "lip21", "cihp20", "atr18", "acgpn14"])
@pytest.mark.parametrize("source", ["deepfashion15", "ccp59", "dfmm24", "tryon8"])
def test_left_and_right_are_never_made_up(source, target):
    with pytest.raises(LabelConversionError, match="no left or right arms"):
        convert(np.zeros((2, 2), int), source, target)


@pytest.mark.parametrize("name", NAMES)
def test_conversion_to_itself_is_identity(name):
    label_map = all_ids(name).reshape(1, -1)
    result = convert(label_map, name, name)
    np.testing.assert_array_equal(result, label_map)
    assert not np.shares_memory(result, label_map)


@pytest.mark.parametrize("pair", sorted(ALLOWED), ids="-".join)
def test_unions_commute_with_conversion(pair):
    ids = all_ids(pair[0])
    after = convert(ids, *pair)
    kept = ~np.isin(ids, [get_space(pair[0]).id_of(name) for name in dropped_classes(*pair)])
    for before_ids, after_ids in zip(unions(pair[0]), unions(pair[1]), strict=True):
        np.testing.assert_array_equal(np.isin(after, after_ids), np.isin(ids, before_ids) & kept)


@pytest.mark.parametrize("middle", ["deepfashion15", "dfmm24"])
def test_two_ways_to_tryon8_agree_where_nothing_is_dropped(middle):
    ids = all_ids("ccp59")
    kept = [i for i in ids if get_space("ccp59").classes[i] not in dropped_classes("ccp59", middle)]
    through = convert(convert(ids, "ccp59", middle), middle, "tryon8")
    np.testing.assert_array_equal(through[kept], convert(ids, "ccp59", "tryon8")[kept])


def test_only_the_listed_classes_are_dropped():
    dropped = {pair: dropped_classes(*pair) for pair in ALLOWED if dropped_classes(*pair)}
    assert dropped == {
        ("ccp59", "deepfashion15"): ("accessories", "bracelet", "earrings", "gloves", "ring", "watch"),
        ("ccp59", "dfmm24"): ("accessories",),
        ("dfmm24", "deepfashion15"): ("ring", "wrist wearing", "gloves", "earrings"),
        ("lip21", "lip20"): ("neck",),
    }


@pytest.mark.parametrize(
    ("source", "names", "target", "expected"),
    [
        ("ccp59", "blouse t-shirt hoodie jumper sweatshirt bodysuit", "deepfashion15", "top"),
        ("ccp59", "jacket coat blazer cardigan vest cape suit", "deepfashion15", "outer"),
        ("ccp59", "jeans pants shorts", "deepfashion15", "pants"),
        ("ccp59", "leggings tights stockings", "deepfashion15", "leggings"),
        ("ccp59", "boots shoes sandals socks wedges", "deepfashion15", "footwear"),
        ("ccp59", "purse wallet bag", "deepfashion15", "bag"),
        ("ccp59", "scarf tie necklace", "deepfashion15", "neckwear"),
        ("ccp59", "glasses sunglasses", "deepfashion15", "eyeglass"),
        ("ccp59", "watch bracelet", "dfmm24", "wrist wearing"),
        ("dfmm24", "rompers dress", "deepfashion15", "dress"),
        ("dfmm24", "socks footwear", "deepfashion15", "footwear"),
        ("cihp20", "torso-skin left-arm right-leg", "tryon8", "skin"),
        ("lip20", "scarf glove", "tryon8", "accessories"),
        ("lip21", "neck left-arm right-leg", "tryon8", "skin"),
        ("lip20", "hat hair", "acgpn14", "hair"),
        ("atr18", "bag belt scarf", "acgpn14", "noise"),
    ],
)
def test_classes_land_where_they_belong(source, names, target, expected):
    ids = np.array([get_space(source).id_of(name) for name in names.split()])
    assert names_of(target, convert(ids, source, target)) == {expected}


@settings(deadline=None)
@given(st.sampled_from(sorted(ALLOWED)), st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.int32, np.int64]))
def test_conversion_is_pixel_by_pixel(pair, seed, dtype):
    ids = np.random.default_rng(seed).integers(0, len(get_space(pair[0]).classes), (5, 7)).astype(dtype)
    one_by_one = [[int(convert(np.array([i]), *pair)[0]) for i in row] for row in ids]
    np.testing.assert_array_equal(convert(ids, *pair), one_by_one)


def test_unknown_space_lists_the_known():
    with pytest.raises(UserError, match=r"unknown label space 'lip'; known: deepfashion15, ccp59"):
        get_space("lip")
    with pytest.raises(UserError, match="unknown label space"):
        convert(np.zeros(1, int), "lip20", "tryon9")


def test_ids_outside_the_space_are_listed():
    with pytest.raises(UserError, match=r"ids 0 to 15, found also 16, 255"):
        convert(np.array([[0, 16], [255, 3]]), "deepfashion15", "tryon8")
    with pytest.raises(UserError, match=r"found also -1:"):
        convert(np.array([-1, 2]), "tryon8", "tryon8")


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2), bool)])
def test_label_maps_are_integers(array):
    with pytest.raises(UserError, match="integer ids"):
        convert(array, "lip20", "tryon8")


def test_try_on_works_in_deepfashion15_or_in_a_space_of_unions(registered):
    for name in NAMES:
        expected = "deepfashion15" if name in ("deepfashion15", "ccp59", "dfmm24") else name
        assert labels.working_space(name) == expected
    labels.register_space("headless", ["background", "shirt"], head=[], upper=["shirt"])
    with pytest.raises(UserError, match="headless names no class as head"):
        labels.working_space("headless")


def test_empty_map_converts():
    assert convert(np.zeros((0, 3), np.uint8), "lip20", "tryon8").shape == (0, 3)


@settings(deadline=None)
@given(
    name=st.sampled_from(NAMES), seed=st.integers(0, 2**32 - 1), shape=st.tuples(st.integers(1, 9), st.integers(1, 9))
)
def test_palette_png_round_trip(tmp_path_factory, name, seed, shape):
    ids = np.random.default_rng(seed).integers(0, len(get_space(name).classes), shape)
    path = tmp_path_factory.mktemp("png") / "map.png"
    labels.save_palette_png(path, ids, name)
    read = labels.load_palette_png(path, name)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, ids)
    palette = np.array(get_space(name).palette, np.uint8)
    np.testing.assert_array_equal(np.array(Image.open(path).convert("RGB")), palette[ids])


def test_png_is_the_same_bytes_and_is_not_overwritten(tmp_path):
    ids = np.arange(20).reshape(4, 5)
    labels.save_palette_png(tmp_path / "a.png", ids, "lip20")
    labels.save_palette_png(tmp_path / "b.png", ids, "lip20")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with pytest.raises(UserError, match="--overwrite"):
        labels.save_palette_png(tmp_path / "a.png", ids * 0, "lip20")
    labels.save_palette_png(tmp_path / "a.png", ids * 0, "lip20", overwrite=True)
    assert labels.load_palette_png(tmp_path / "a.png", "lip20").max() == 0


def test_file_that_names_another_space_is_refused(tmp_path):
    labels.save_palette_png(tmp_path / "a.png", np.array([[0, 10]]), "lip20")
    with pytest.raises(UserError, match=r"labels are lip20, but cihp20"):
        labels.load_palette_png(tmp_path / "a.png", "cihp20")


def test_gray_png_holds_ids(tmp_path):
    ids = np.array([[0, 5], [19, 13]], np.uint8)
    Image.fromarray(ids).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(labels.load_palette_png(tmp_path / "gray.png", "lip20"), ids)


def test_luminance_of_a_palette_is_refused(tmp_path):
    labels.save_palette_png(tmp_path / "a.png", np.array([[0, 5, 13]]), "lip20")
    Image.open(tmp_path / "a.png").convert("L").save(tmp_path / "gray.png")
    with pytest.raises(UserError, match=r"gray\.png: lip20 has the ids 0 to 19, found also 29, 126"):
        labels.load_palette_png(tmp_path / "gray.png", "lip20")


@pytest.mark.parametrize(("kind", "name"), [("uint16", "a.png"), ("int32", "a.tif")])
def test_ids_of_more_bits_are_read(tmp_path, kind, name):
    Image.fromarray(np.array([[0, 5], [13, 2]], kind)).save(tmp_path / name)
    found = labels.load_palette_png(tmp_path / name, "lip20")
    assert (found.dtype, found.tolist()) == (np.uint8, [[0, 5], [13, 2]])
    Image.fromarray(np.array([[0, 261]], kind)).save(tmp_path / name)
    with pytest.raises(UserError, match="lip20 has the ids 0 to 19, found also 261"):
        labels.load_palette_png(tmp_path / name, "lip20")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "1"])
def test_other_kinds_of_png_are_refused(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "rgb.png")
    with pytest.raises(UserError, match=f"this one is {mode}: colors do not name labels"):
        labels.load_palette_png(tmp_path / "rgb.png", "lip20")


def test_a_jpeg_by_another_name_is_refused(tmp_path):
    """Its gray levels are near the ids, and so often ids of other labels."""
    Image.new("L", (16, 16), 5).save(tmp_path / "a.png", "JPEG")
    with pytest.raises(UserError, match=r"a\.png: this parsing map is a JPEG"):
        labels.load_palette_png(tmp_path / "a.png", "lip20")


def test_broken_and_missing_png(tmp_path):
    labels.save_palette_png(tmp_path / "a.png", np.random.default_rng(0).integers(0, 20, (64, 64)), "lip20")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"a\.png is not a whole image"):
        labels.load_palette_png(tmp_path / "a.png", "lip20")
    with pytest.raises(UserError, match=r"none\.png does not exist"):
        labels.load_palette_png(tmp_path / "none.png", "lip20")


def test_unknown_class_name():
    with pytest.raises(UserError, match=r"tryon8 has no label 'hat'"):
        get_space("tryon8").id_of("hat")


@pytest.mark.parametrize("how", ["NEAREST", "BILINEAR", "BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("size", [(60, 80), (96, 128), (250, 333)])
def test_resizes_with_interpolation_are_told_from_others(how, size):
    labels = np.zeros((160, 120), np.uint8)
    for label, (top, bottom, left, right) in enumerate([(5, 25, 45, 75), (25, 90, 20, 101), (60, 157, 30, 77)], 4):
        labels[top:bottom, left:right] = 2 * label
    assert not is_interpolated(labels)
    resized = Image.fromarray(labels).resize(size, Image.Resampling[how])
    assert is_interpolated(np.array(resized)) == (how != "NEAREST")


@pytest.fixture
def registered(monkeypatch):
    """The registered spaces and conversions, which a test may add to."""
    spaces = dict(labels._SPACES)
    monkeypatch.setattr(labels, "_TABLES", dict(labels._TABLES))
    yield
    labels._SPACES.clear()
    labels._SPACES.update(spaces)


COARSE = {"classes": ["background", "head", "upper", "rest"], "head": ["head"], "upper": ["upper"]}
TO_COARSE = {
    "head": ["hair+headwear", "face+eyeglass"],
    "rest": ["skin", "lower", "footwear"],
    "background": ["accessories"],
}


def test_a_space_of_ones_own(registered, tmp_path):
    space = labels.register_space("coarse4", **COARSE, conversions={"tryon8": TO_COARSE})
    assert get_space("coarse4") is space is SPACES["coarse4"]
    assert unions("coarse4") == ((1,), (2,), (1, 2, 3))
    np.testing.assert_array_equal(convert(all_ids("tryon8"), "tryon8", "coarse4"), [0, 1, 1, 3, 2, 3, 3, 0])
    assert dropped_classes("tryon8", "coarse4") == ("accessories",)
    labels.save_palette_png(tmp_path / "map.png", all_ids("coarse4")[None], "coarse4")
    np.testing.assert_array_equal(labels.load_palette_png(tmp_path / "map.png", "coarse4"), [[0, 1, 2, 3]])
    with pytest.raises(LabelConversionError, match=r"no conversion is registered .*Conversions from coarse4: none"):
        convert(all_ids("coarse4"), "coarse4", "tryon8")
    labels.register_conversion("coarse4", "tryon8", {"hair+headwear": ["head"], "lower": ["rest"]})
    np.testing.assert_array_equal(convert(all_ids("coarse4"), "coarse4", "tryon8"), [0, 1, 4, 5])


def test_reasons_are_of_built_in_spaces_alone(registered):
    labels.register_space("sided3", ["background", "left-shoe", "coat"], head=[], upper=["coat"])
    for source in ("lip20", "deepfashion15"):
        with pytest.raises(LabelConversionError, match=r"sided3: no conversion is .*\(.*register_conversion\)\."):
            convert(all_ids(source), source, "sided3")


def test_a_space_registers_again_only_as_it_is(registered):
    first = labels.register_space("coarse4", **COARSE)
    assert labels.register_space("coarse4", **COARSE) == first  # a module that two configs import
    with pytest.raises(ValueError, match="another label space 'coarse4'"):
        labels.register_space("coarse4", **{**COARSE, "head": ["rest"]})


def test_what_is_wrong_in_a_space_is_said(registered):
    with pytest.raises(ValueError, match="one color"):
        labels.register_space("coarse4", **COARSE, palette=[(0, 0, 0)])
    labels.register_space("coarse4", **COARSE)
    lost = "nothing is said of accessories; list what you drop under background: 'background': ['accessories']"
    for groups, message in (
        ({"background": []}, lost),
        ({"upper": ["upper", "hat"]}, "tryon8 has no hat"),
        ({"torso": []}, "coarse4 has no torso"),
        ({"background": [], "upper": ["hat"]}, f"tryon8 has no hat; {lost}"),
    ):
        with pytest.raises(ValueError, match=f"^tryon8 to coarse4: {re.escape(message)}$"):
            labels.register_conversion("tryon8", "coarse4", {**TO_COARSE, **groups})


def test_a_palette_that_was_sorted_anew_is_refused(tmp_path):
    """The space's colors at other indices; a gray map, and one with another tool's colors, are ids."""
    ids = np.arange(16, dtype=np.uint8).repeat(16).reshape(16, 16)
    labels.save_palette_png(tmp_path / "right.png", ids, "deepfashion15")
    Image.open(tmp_path / "right.png").convert("RGB").quantize(16).save(tmp_path / "sorted.png")
    with pytest.raises(UserError, match=r"sorted.png: the palette has the colors of deepfashion15 at other indices"):
        labels.load_palette_png(tmp_path / "sorted.png", "deepfashion15")
    foreign = Image.fromarray(ids)
    foreign.putpalette(np.random.default_rng(0).integers(1, 255, 768, dtype=np.uint8).tobytes())
    foreign.save(tmp_path / "foreign.png")
    gray = Image.fromarray(ids)
    gray.save(tmp_path / "gray.png")
    gray.putpalette(np.arange(256, dtype=np.uint8).repeat(3).tobytes())
    gray.save(tmp_path / "gray_palette.png")
    for name in ("right", "foreign", "gray", "gray_palette"):
        assert np.array_equal(labels.load_palette_png(tmp_path / f"{name}.png", "deepfashion15"), ids)


@pytest.mark.parametrize("space", SPACES)
def test_a_mirror_exchanges_sides_and_nothing_else(space):
    classes = get_space(space).classes
    seen = [classes[index] for index in labels.in_mirror(classes)]
    sides = {"left": "right", "right": "left"}
    assert seen == ["-".join(sides.get(part, part) for part in name.split("-")) for name in classes]


def test_words_that_hold_a_side_stay():
    assert labels.in_mirror(["Left shoe", "bright top", "Right shoe", "left-luggage"]).tolist() == [2, 1, 0, 3]
