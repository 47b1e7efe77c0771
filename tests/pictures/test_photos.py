import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from seg_vton.errors import UserError
from seg_vton.files import MAX_PIXELS
from seg_vton.pictures.images import read_mask
from seg_vton.pictures.photos import find_photos, limited, read_cutout, read_photo

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(width=80, height=60):
    """RGB array: red, green over blue, white."""
    picture = np.zeros((height, width, 3), np.uint8)
    for rows, columns, color in (
        (slice(0, height // 2), slice(0, width // 2), RED),
        (slice(0, height // 2), slice(width // 2, width), GREEN),
        (slice(height // 2, height), slice(0, width // 2), BLUE),
        (slice(height // 2, height), slice(width // 2, width), WHITE),
    ):
        picture[rows, columns] = color
    return picture


def assert_close(found, expected, tolerance=6):
    """Equal but for JPEG's rounding, away from the edges of the quarters."""
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert found.flags.c_contiguous
    centers = [(y, x) for y in (0.25, 0.75) for x in (0.25, 0.75)]
    for y, x in centers:
        at = int(y * found.shape[0]), int(x * found.shape[1])
        assert np.abs(found[at].astype(int) - expected[at]).max() <= tolerance, at


@pytest.mark.parametrize(
    "suffix", ["jpg", "JPEG", "jfif", "jpe", "png", "webp", "bmp", "tif", "TIFF", "gif", "avif", "jp2"]
)
def test_every_type_that_pillow_reads_is_found_in_a_folder_and_read_in_color(tmp_path, suffix):
    Image.fromarray(quarters()).save(tmp_path / f"a.{suffix}", quality=95)
    assert find_photos(tmp_path) == [tmp_path / f"a.{suffix}"]
    assert_close(read_photo(tmp_path / f"a.{suffix}"), quarters(), 16)


# Each orientation by what a camera stores for an upright scene (EXIF 2.3, tag 274).
STORED = {
    1: lambda up: up,
    2: lambda up: up[:, ::-1],
    3: lambda up: up[::-1, ::-1],
    4: lambda up: up[::-1],
    5: lambda up: up.transpose(1, 0, 2),
    6: lambda up: np.rot90(up),
    7: lambda up: up[::-1, ::-1].transpose(1, 0, 2),
    8: lambda up: np.rot90(up, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_photos_come_upright(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[274] = orientation
    stored = np.ascontiguousarray(STORED[orientation](quarters()))
    Image.fromarray(stored).save(tmp_path / name, exif=exif)
    assert_close(read_photo(tmp_path / name), quarters())
    if not name.endswith("jpg"):  # of one channel and uncompressed, a TIFF may be mapped into memory
        Image.fromarray(stored[..., 0]).save(tmp_path / name, exif=exif)
        assert np.array_equal(read_photo(tmp_path / name)[..., 1], quarters()[..., 0])


def test_gray_palette_bits_cmyk_and_alpha_become_rgb(tmp_path):
    photo = Image.fromarray(quarters())
    gray = np.array(photo.convert("L"))
    photo.convert("L").save(tmp_path / "gray.png")
    assert np.array_equal(read_photo(tmp_path / "gray.png"), np.repeat(gray[..., None], 3, 2))
    photo.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    assert np.array_equal(read_photo(tmp_path / "palette.png"), quarters())
    photo.convert("1").save(tmp_path / "bits.png")
    assert set(np.unique(read_photo(tmp_path / "bits.png"))) == {0, 255}
    photo.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert_close(read_photo(tmp_path / "cmyk.jpg"), quarters(), 12)
    clear = photo.copy()
    clear.putalpha(Image.fromarray(np.where(np.arange(80) < 40, 255, 0).astype(np.uint8)[None].repeat(60, 0)))
    photo.quantize(4).save(tmp_path / "clear-palette.png", transparency=bytes(4))
    assert (read_photo(tmp_path / "clear-palette.png") == 255).all()
    expected = quarters()
    expected[:, 40:] = 255
    clear.save(tmp_path / "alpha.png")
    assert np.array_equal(read_photo(tmp_path / "alpha.png"), expected)
    clear.save(tmp_path / "alpha.webp", lossless=True)
    assert np.array_equal(read_photo(tmp_path / "alpha.webp"), expected)
    clear.convert("LA").save(tmp_path / "gray-alpha.png")
    assert (read_photo(tmp_path / "gray-alpha.png")[:, 40:] == 255).all()
    assert (read_photo(tmp_path / "gray-alpha.png")[:, :40, 0] == gray[:, :40]).all()


def test_a_transparent_color_becomes_white(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "a.png", transparency=GREEN)
    expected = quarters()
    expected[:30, 40:] = 255
    assert np.array_equal(read_photo(tmp_path / "a.png"), expected)


def test_gray_of_16_bits_is_scaled(tmp_path):
    levels = np.linspace(0, 65535, 80).astype(np.uint16)[None].repeat(60, 0)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    assert np.array_equal(read_photo(tmp_path / "deep.png")[..., 1], np.round(levels / 257).astype(np.uint8))


@pytest.mark.parametrize(
    ("white", "kind"), [(1, "float32"), (255, "float32"), (65535, "float32"), (255, "int32"), (255, "uint16")]
)
def test_white_is_the_first_of_1_255_and_65535_that_no_level_exceeds(tmp_path, white, kind):
    levels = np.linspace(0, white, 80).astype(kind)[None].repeat(60, 0)
    Image.fromarray(levels).save(tmp_path / "a.tif")
    assert np.array_equal(read_photo(tmp_path / "a.tif")[..., 1], np.round(levels * (255 / white)).astype(np.uint8))
    Image.fromarray((levels > white / 2).astype(kind)).save(tmp_path / "ones.tif")
    assert np.array_equal(read_mask(tmp_path / "ones.tif"), levels > white / 2)


@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("exif", [b"Exif\0\0\1\2junk", b"II*\0"])
def test_a_photo_with_broken_exif_is_as_it_is_stored(tmp_path, suffix, exif):
    Image.fromarray(quarters()).save(tmp_path / f"a.{suffix}", exif=exif, lossless=True)
    assert np.array_equal(read_photo(tmp_path / f"a.{suffix}"), quarters())


def png_chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def test_color_of_16_bits_is_read(tmp_path):
    color = np.full((40, 50, 3), (65535, 32896, 257), ">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in color)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 50, 40, 16, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(content)
    assert np.array_equal(read_photo(tmp_path / "deep.png"), np.full((40, 50, 3), (255, 128, 1)))


def test_of_a_phones_jpeg_with_two_pictures_the_first_is_read(tmp_path):
    first, second = Image.fromarray(quarters()), Image.fromarray(255 - quarters())
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second], quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
    assert_close(read_photo(tmp_path / "a.jpg"), quarters())


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    first, second = Image.fromarray(quarters()), Image.fromarray(255 - quarters())
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], lossless=True)
    assert np.array_equal(read_photo(tmp_path / "a.webp"), quarters())


@pytest.mark.parametrize("size", [(20_000, 20_000), (200_000, 200_000), (MAX_PIXELS // 100 + 1, 100)])
def test_a_header_that_announces_too_many_pixels_is_refused_before_decoding(tmp_path, size, recwarn):
    """The file has no pixels at all: had they been decoded, the message would be another."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    )
    with pytest.raises(UserError, match=r"bomb\.png is too large.* Make it smaller"):
        read_photo(tmp_path / "bomb.png")
    assert not [warning for warning in recwarn if "DecompressionBomb" in warning.category.__name__]


@pytest.mark.parametrize(
    ("size", "expected"), [((20, 300), "too small: 20x300"), ((32, 641), "strip of 32x641"), ((640, 32), None)]
)
def test_photos_without_anything_to_see_are_refused(tmp_path, size, expected):
    Image.new("RGB", size).save(tmp_path / "a.png")
    if expected is None:
        assert read_photo(tmp_path / "a.png").shape == (32, 640, 3)
        return
    with pytest.raises(UserError, match=expected):
        read_photo(tmp_path / "a.png")


def test_files_that_are_no_photos_are_refused(tmp_path):
    (tmp_path / "text.jpg").write_text("not a photo")
    (tmp_path / "empty.png").touch()
    (tmp_path / "drawing.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n")
    for name in ("text.jpg", "empty.png", "drawing.jpg"):
        with pytest.raises(UserError, match=rf"{name} is not an image that Pillow reads here, whatever its name says$"):
            read_photo(tmp_path / name)
    (tmp_path / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UserError, match=r"phone\.HEIC is not an .*pip install pillow-heif"):
        read_photo(tmp_path / "phone.HEIC")
    with pytest.raises(UserError, match=r"none\.jpg does not exist"):
        read_photo(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="is not a whole image"):
        read_photo(tmp_path)  # a folder


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif"])
def test_damaged_files_are_refused_or_read_and_never_crash(tmp_path, name):
    """Every cut, and bytes overwritten at random, EXIF included."""
    exif = Image.Exif()
    exif[274] = 6
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name, exif=exif)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(1)
    damaged = [whole[: int(len(whole) * share)] for share in np.linspace(0.01, 0.9, 30)]
    for _ in range(250):
        broken = bytearray(whole)
        for position in rng.integers(0, min(len(whole), 200), rng.integers(1, 4)):
            broken[position] = rng.integers(256)
        damaged.append(bytes(broken))
    refused = 0
    for content in damaged:
        (tmp_path / name).write_bytes(content)
        try:
            assert read_photo(tmp_path / name).ndim == 3
        except UserError as error:
            assert str(tmp_path / name) in str(error)
            refused += 1
    assert refused >= 30  # every cut, at least


def test_folders_are_searched_in_order_without_hidden_files_and_results(tmp_path):
    names = ["b.jpg", "a.PNG", "sub/c.jpeg", "sub/d.WebP", ".hidden.jpg", ".cache/e.jpg", "notes.txt", "out/mask.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    found = [path.relative_to(tmp_path) for path in find_photos(tmp_path, leave_out=tmp_path / "out")]
    assert found == [Path("a.PNG"), Path("b.jpg"), Path("sub/c.jpeg"), Path("sub/d.WebP")]


def test_what_is_left_out_of_a_folder_is_said(tmp_path, capsys):
    for name in ("a.jpg", "b.HEIC", "c.txt", *(f"sub/{number:02}.json" for number in range(12))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_photos(tmp_path) == [tmp_path / "a.jpg"]
    said = capsys.readouterr().err
    assert "left out 14 files" in said
    assert "(12 .json, 1 .heic, 1 .txt): b.HEIC, c.txt, sub/00.json" in said
    assert "sub/07.json, ..." in said
    assert "sub/08.json" not in said
    assert "pip install pillow-heif" in said


def linear_profile():
    """A profile of sRGB's primaries whose levels are linear light."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    struct.pack_into(">Hxxi", content, content.index(b"para") + 8, 0, 65536)  # the one curve of all three: y = x ** 1.0
    return bytes(content)


def test_colors_of_another_profile_become_srgb(tmp_path):
    """Linear light: .2140 in, .5 of sRGB out, by its standard (IEC 61966-2-1)."""
    picture = Image.new("RGB", (40, 40), (round(0.2140 * 255),) * 3)
    picture.save(tmp_path / "a.png", icc_profile=linear_profile())
    assert np.abs(read_photo(tmp_path / "a.png").astype(int) - 128).max() <= 2
    picture.putalpha(Image.fromarray(np.repeat(np.uint8([[0, 255]]), 20, 1).repeat(40, 0)))
    picture.save(tmp_path / "b.png", icc_profile=linear_profile())
    photo, alpha = read_cutout(tmp_path / "b.png")
    assert (photo[:, :20] == 255).all()
    assert np.abs(photo[:, 20:].astype(int) - 128).max() <= 2
    assert np.array_equal(alpha, np.repeat(np.uint8([[0, 255]]), 20, 1).repeat(40, 0))


@pytest.mark.parametrize("kind", ["sRGB", "broken", "gray"])
def test_pixels_stay_bit_for_bit_where_the_profile_is_srgb_or_no_use(tmp_path, kind):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gray = bytearray(srgb)
    gray[16:20] = b"GRAY"
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    content = {"sRGB": srgb, "broken": srgb[:100], "gray": bytes(gray)}[kind]
    Image.fromarray(noise).save(tmp_path / "a.png", icc_profile=content)
    assert np.array_equal(read_photo(tmp_path / "a.png"), noise)


def test_links_are_photos_also_those_that_lead_nowhere(tmp_path):
    """Whoever reads them says what is wrong, instead of one photo less without a word."""
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, target in (
        ("a.png", tmp_path / "good.png"),
        ("b.png", tmp_path / "none.png"),
        ("c.png", folder / "c.png"),
    ):
        (folder / name).symlink_to(target)
    found = list(find_photos(folder, leave_out=tmp_path / "out"))
    assert [path.name for path in found] == ["a.png", "b.png", "c.png"]
    assert read_photo(found[0]).shape == (40, 40, 3)
    with pytest.raises(UserError, match=r"b\.png does not exist"):
        read_photo(found[1])
    with pytest.raises(UserError, match=r"c\.png is not a whole image \(.*symbolic links"):
        read_photo(found[2])


def test_links_to_folders_are_followed_once(tmp_path):
    for name in ("photos/a.jpg", "photos/z/b.jpg", "elsewhere/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for link, target in (("circle", "photos"), ("c", "photos/z"), ("more", "elsewhere")):
        (tmp_path / "photos" / link).symlink_to(tmp_path / target)
    found = find_photos(tmp_path / "photos", leave_out=tmp_path)
    assert [path.relative_to(tmp_path / "photos").as_posix() for path in found] == ["a.jpg", "more/c.jpg", "z/b.jpg"]


def test_large_photos_are_made_smaller_at_their_aspect():
    photo = np.zeros((400, 300, 3), np.uint8)
    photo[::2] = 200
    assert limited(photo, 400) is photo
    small = limited(photo, 200)
    assert small.shape == (200, 150, 3)
    assert (small == 100).all()  # the mean of what was there, no sample of it
    assert limited(np.zeros((4000, 20, 3), np.uint8), 40).shape == (40, 1, 3)
