import io
import struct
import unicodedata
import zlib

import numpy as np
import pytest
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.tryon.metrics.folders import check_picture, find_samples, read_picture


def folder(path, names):
    path.mkdir()
    for name in names:
        Image.new("RGB", (24, 32)).save(path / name)
    return path


def matched(samples, method=0):
    files = samples.methods[method].files
    return {name: (samples.photographs[name].name, path.name) for name, path in files.items()}


@pytest.mark.parametrize(
    ("photographs", "pictures", "expected"),
    [
        (["a.jpg", "b.jpg"], ["a.png", "b.webp"], ["a.png", "b.webp"]),
        (["1_0.jpg", "2_0.jpg"], ["1_0_9_1.png", "2_0_8_1.png"], ["1_0_9_1.png", "2_0_8_1.png"]),  # PERSON_GARMENT
        (["a.jpg", "a_b.jpg"], ["a_c.png", "a_b_c.png"], ["a_c.png", "a_b_c.png"]),  # the longest name
    ],
)
def test_pictures_are_of_the_photograph_of_their_name(tmp_path, photographs, pictures, expected):
    samples = find_samples([folder(tmp_path / "a", pictures)], folder(tmp_path / "truth", photographs))
    found = matched(samples)
    assert [found[name.split(".")[0]] for name in photographs] == list(zip(photographs, expected, strict=True))


@pytest.mark.parametrize(
    ("lines", "pictures"),
    [
        ("00_00.jpg 01_00.jpg\n01_00.jpg 00_00.jpg", ["00_00_01_00.png", "01_00_00_00.png"]),
        ("00_00.jpg 01_00.jpg\n01_00.jpg 00_00.jpg", ["00_01_00.png", "01_00_00.png"]),  # VITON-HD's own code
        ("00_00.jpg 01_00.jpg\n01_00.jpg 00_00.jpg", ["00_00.png", "01_00.png"]),  # CP-VTON's
        ("x.png 00_00.jpg\ny.png 01_00.jpg", ["x.png", "y.png"]),  # RESULT PHOTOGRAPH
    ],
)
def test_a_pairs_file_names_results_in_any_of_the_known_forms(tmp_path, lines, pictures):
    (tmp_path / "pairs.txt").write_text(lines)
    truth = folder(tmp_path / "truth", ["00_00.jpg", "01_00.jpg", "02_00.jpg"])
    samples = find_samples([folder(tmp_path / "a", [*pictures, "other.png"])], truth, tmp_path / "pairs.txt")
    assert list(matched(samples).values()) == [("00_00.jpg", pictures[0]), ("01_00.jpg", pictures[1])]
    assert samples.methods[0].unused == ["other"]
    assert samples.methods[0].missing == []


def test_the_splits_hash_is_of_the_photographs_whatever_results_are_called(tmp_path):
    (tmp_path / "pairs.txt").write_text("b.jpg c.jpg\na.jpg d.jpg")
    truth = folder(tmp_path / "truth", ["a.jpg", "b.jpg"])
    first, second = folder(tmp_path / "1", ["a.png", "b.png"]), folder(tmp_path / "2", ["a_d.webp", "b_c.webp"])
    hashes = [find_samples([first], truth).split, find_samples([second], truth, tmp_path / "pairs.txt").split]
    assert hashes[0] == hashes[1] == find_samples([first], truth, unpaired=True).split
    assert find_samples([second], truth, tmp_path / "pairs.txt", unpaired=True).split != hashes[0]


def test_unpaired_pictures_are_compared_with_all_photographs_or_with_those_of_the_pairs(tmp_path):
    truth = folder(tmp_path / "truth", ["a.jpg", "b.jpg", "c.jpg"])
    results = folder(tmp_path / "1", ["a_x.png", "b_x.png"])
    (tmp_path / "pairs.txt").write_text("a.jpg x.jpg\nb.jpg x.jpg")
    for pairs, expected in ((None, "abc"), (tmp_path / "pairs.txt", "ab")):
        (method,) = find_samples([results], truth, pairs, unpaired=True).methods
        assert [path.stem for path in method.target] == list(expected)
        assert len(method.files) == 2


def test_what_is_missing_is_named_and_refused_or_counted(tmp_path):
    truth, results = folder(tmp_path / "truth", ["a.jpg", "b.jpg"]), folder(tmp_path / "1", ["b.png", "z.png"])
    with pytest.raises(
        UserError, match=r"lacks pictures of \S+: 1, such as a\n.*lacks photographs of \S+: 1, such as z"
    ):
        find_samples([results], truth)
    samples = find_samples([results], truth, allow_missing=True)
    assert matched(samples) == {"b": ("b.jpg", "b.png")}
    assert (samples.methods[0].missing, samples.methods[0].unused) == (["a"], ["z"])
    (tmp_path / "pairs.txt").write_text("b.jpg x.jpg\nz.jpg x.jpg")
    with pytest.raises(UserError, match=r"truth lacks photographs of \S+pairs\.txt: 1, such as z_x"):
        find_samples([results], truth, tmp_path / "pairs.txt")


@pytest.mark.parametrize(
    ("pictures", "pairs", "message"),
    [
        (["a_x.png", "a_y.png"], None, r"a_x\.png and a_y\.png both match .*a\.jpg: pass --pairs"),
        (["a.png", "a.webp"], None, r"a\.png and a\.webp have the same name"),
        (["a.png"], "a.jpg x.jpg\na.jpg y.jpg", r"a\.png matches \S+ twice: a\.jpg x\.jpg and a\.jpg y\.jpg"),
        (["q.png"], None, "no picture of .* matches: q, say"),
        (["q.png"], "q.png z.jpg", "no picture of .* matches: q, say, belongs to none in .*truth"),
        ([], None, "is empty: it has no file"),
    ],
)
def test_names_that_do_not_match_once_are_refused(tmp_path, pictures, pairs, message):
    if pairs is not None:
        (tmp_path / "pairs.txt").write_text(pairs)
    truth = folder(tmp_path / "truth", ["a.jpg", "b.jpg"])
    with pytest.raises(UserError, match=message):
        find_samples([folder(tmp_path / "1", pictures)], truth, pairs and tmp_path / "pairs.txt", allow_missing=True)


def test_an_empty_folder_of_folders_names_those(tmp_path):
    truth = folder(tmp_path / "truth", ["a.jpg"])
    (tmp_path / "out" / "try-on").mkdir(parents=True)
    with pytest.raises(UserError, match=r"pictures of its folders \(try-on\) do not count"):
        find_samples([tmp_path / "out"], truth)
    with pytest.raises(UserError, match="gone is not a folder"):
        find_samples([tmp_path / "gone"], truth)


def deep_png(width=16, height=16):
    """A PNG of RGB of 16 bits, which Pillow does not write."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    rows = zlib.compress((b"\0" + bytes(6 * width)) * height)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("mode", "suffix", "said"),
    [("L", "jpg", "gray"), ("CMYK", "jpg", "CMYK"), ("I;16", "png", "of 16 bits"), ("P", "png", "a palette image")],
)
def test_pictures_that_are_not_rgb_of_8_bits_are_refused(tmp_path, mode, suffix, said):
    Image.new(mode, (24, 32)).save(tmp_path / f"x.{suffix}")
    with pytest.raises(UserError, match=rf"x\.{suffix} is {said}: pictures to score must be 8-bit RGB"):
        check_picture(tmp_path / f"x.{suffix}", None)


def test_colors_of_16_bits_are_refused(tmp_path):
    (tmp_path / "x.png").write_bytes(deep_png())
    with pytest.raises(UserError, match=r"x\.png is of 16 bits"):
        check_picture(tmp_path / "x.png", None)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_each_format_is_looked_at_as_exif_turns_it(tmp_path, suffix):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (24, 32)).save(tmp_path / f"x.{suffix}", exif=exif)
    assert check_picture(tmp_path / f"x.{suffix}", None)[1] == (24, 32)
    assert read_picture(tmp_path / f"x.{suffix}", (24, 32), "bilinear").shape == (24, 32, 3)


def test_accents_match_in_either_form(tmp_path):
    names = [unicodedata.normalize(form, "ré.png") for form in ("NFC", "NFD")]
    samples = find_samples([folder(tmp_path / "1", names[:1])], folder(tmp_path / "truth", names[1:]))
    assert list(samples.methods[0].files) == ["ré"]


def test_another_size_is_refused_or_resized(tmp_path):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (32, 24, 3), np.uint8))
    picture.save(tmp_path / "x.png")
    assert check_picture(tmp_path / "x.png", (32, 24)) == ("PNG", (32, 24))
    with pytest.raises(UserError, match=r"x\.png is 32 x 24 pixels .* is 64 x 48: pass --size 64x48"):
        check_picture(tmp_path / "x.png", (64, 48))
    np.testing.assert_array_equal(read_picture(tmp_path / "x.png", (32, 24), "lanczos"), np.asarray(picture))
    found = read_picture(tmp_path / "x.png", (16, 12), "lanczos")
    np.testing.assert_array_equal(found, np.asarray(picture.resize((12, 16), Image.Resampling.LANCZOS)))


def test_pictures_are_read_upright_and_those_without_a_window_are_refused(tmp_path):
    lying = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    lying.save(tmp_path / "x.png", exif=exif)
    assert check_picture(tmp_path / "x.png", None) == ("PNG", (32, 24))
    expected = np.asarray(lying.transpose(Image.Transpose.ROTATE_270))
    np.testing.assert_array_equal(read_picture(tmp_path / "x.png", (32, 24), "bilinear"), expected)
    Image.new("RGB", (10, 40)).save(tmp_path / "strip.png")
    with pytest.raises(UserError, match=r"strip\.png is 40 x 10 pixels: SSIM's window needs 11"):
        check_picture(tmp_path / "strip.png", None)


def test_broken_and_transparent_pictures_are_refused(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 24, 3), np.uint8)).save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[:-400])
    check_picture(tmp_path / "cut.jpg", None)
    with pytest.raises(UserError, match=r"cut\.jpg is not a whole image"):
        read_picture(tmp_path / "cut.jpg", (32, 24), "bilinear")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.png is not an image"):
        check_picture(tmp_path / "text.png", None)
    Image.new("RGBA", (24, 32), (1, 2, 3, 255)).save(tmp_path / "full.png")
    assert (read_picture(tmp_path / "full.png", (32, 24), "bilinear") == (1, 2, 3)).all()
    Image.new("RGBA", (24, 32), (1, 2, 3, 200)).save(tmp_path / "clear.png")
    with pytest.raises(UserError, match=r"clear\.png has transparent parts"):
        read_picture(tmp_path / "clear.png", (32, 24), "bilinear")
