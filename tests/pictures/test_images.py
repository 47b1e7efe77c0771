"""Reading at the model's size."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from seg_vton.errors import UserError
from seg_vton.labels import save_palette_png
from seg_vton.pictures.images import image_size, mask_fault, read_mask, read_parse, read_picture


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def parse(tmp_path):
    path = tmp_path / "parse.png"
    save_palette_png(path, np.random.default_rng(1).integers(0, 20, (40, 30)), "lip20")
    return path


def test_a_photo_of_the_models_size_is_untouched(photo):
    levels, size = read_picture(photo, (40, 30))
    assert np.array_equal(levels, np.asarray(Image.open(photo)))
    assert size == (40, 30)


@pytest.mark.parametrize("resampling", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_another_size_is_resized_by_pillow(photo, resampling):
    levels, size = read_picture(photo, (24, 16), resampling)
    assert np.array_equal(levels, np.asarray(Image.open(photo).resize((16, 24), resampling)))
    assert size == (40, 30)


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_photos_of_other_modes_become_rgb(tmp_path, photo, mode):
    path = tmp_path / ("other.tif" if mode == "CMYK" else "other.png")
    Image.open(photo).convert(mode).save(path)
    assert read_picture(path, (40, 30))[0].shape == (40, 30, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white_and_the_rest_stays(tmp_path, mode):
    picture = Image.new("RGBA", (4, 2), (90, 90, 90, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 2, 2))  # as tools that cut garments out leave it
    if mode == "P":
        picture.quantize(2).save(tmp_path / "cut.png")
    else:
        picture.convert(mode).save(tmp_path / "cut.png")
    expected = np.full((2, 4, 3), 90)
    expected[:, :2] = 255
    assert np.array_equal(read_picture(tmp_path / "cut.png", (2, 4))[0], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif", "png"])
def test_everything_is_turned_as_exif_says(tmp_path, orientation, suffix):
    levels = np.zeros((40, 32), np.uint8)
    levels[:20, :8] = 255  # upright: the upper left
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what the decoder's turn undoes
    image = Image.fromarray(levels)
    stored = image if orientation == 1 else image.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"turned.{suffix}"
    stored.save(path, exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    assert image_size(path) == image_size(path, whole=True) == (32, 40)
    assert np.array_equal(read_mask(path), levels > 0)
    picture, size = read_picture(path, (40, 32))
    assert size == (40, 32)
    assert np.abs(picture.mean(2) - levels).mean() < 8
    if suffix == "png":
        stored.point(lambda level: level // 255 * 5).save(path, exif=exif)
        assert np.array_equal(read_parse(path, "lip20", (40, 32), (40, 32)), levels // 255 * 5)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_of_16_bits_is_scaled(tmp_path, suffix):
    levels = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    Image.fromarray(levels).save(tmp_path / f"deep.{suffix}")
    picture = read_picture(tmp_path / f"deep.{suffix}", (32, 32))[0]
    assert np.abs(picture.astype(int) - levels[..., None] / 257).max() <= 0.5
    assert np.array_equal(read_mask(tmp_path / f"deep.{suffix}"), np.round(levels / 257) > 127)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_the_alpha_of_a_cut_out_is_its_mask(tmp_path, mode):
    shape = np.zeros((20, 20), bool)
    shape[5:15, 2:9] = True
    picture = Image.new("RGBA", (20, 20), (250, 250, 250, 0))
    picture.paste((10, 10, 10, 255), (2, 5, 9, 15))  # a dark garment, white below what is transparent
    (picture.quantize(4) if mode == "P" else picture.convert(mode)).save(tmp_path / "cut.png")
    assert np.array_equal(read_mask(tmp_path / "cut.png"), shape)
    opaque = Image.fromarray(np.where(shape, 255, 0).astype(np.uint8)).convert("RGBA")
    opaque.save(tmp_path / "opaque.png")  # an alpha that is opaque everywhere says nothing
    assert np.array_equal(read_mask(tmp_path / "opaque.png"), shape)
    opaque.putpixel((0, 0), (0, 0, 0, 254))  # as lossy formats have it
    opaque.save(tmp_path / "nearly.png")
    assert np.array_equal(read_mask(tmp_path / "nearly.png"), shape)


def garment_mask(top=8, bottom=88, left=6, right=58):
    mask = np.zeros((96, 64), bool)
    mask[top:bottom, left:right] = True
    return mask


def test_masks_of_the_background_are_told_from_masks_of_garments():
    legs = garment_mask()
    legs[20:, 28:36] = False
    close_up = garment_mask(0, 96, 0, 64)
    close_up[:20, 20:44] = False
    good = (garment_mask(), legs, close_up, garment_mask(8, 96, 0, 64), garment_mask(70, 80, 40, 50))
    assert [mask_fault(mask) for mask in good] == [None] * 5
    for mask in (garment_mask(), legs, garment_mask(8, 96, 0, 64), garment_mask(70, 90, 40, 55)):
        assert "shows the background" in mask_fault(~mask)
    bright = ~garment_mask() | garment_mask(30, 50, 20, 40)  # a photo's own brightness: white, and a white print
    assert "shows the background" in mask_fault(bright)
    assert mask_fault(np.ones((96, 64), bool)) == "is all white"
    assert mask_fault(np.zeros((96, 64), bool)) == "is all black"


def test_mask_is_true_from_128(tmp_path):
    """Or where it is the higher of two levels: programs save 0 and 1, or indices with PASCAL VOC's dark red."""
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png", (16, 16)), levels > 127)
    small = read_mask(tmp_path / "mask.png", (4, 8))
    assert np.array_equal(small, np.asarray(Image.fromarray(levels).resize((8, 4), Image.Resampling.NEAREST)) > 127)
    ones = Image.fromarray(levels // 128)
    ones.save(tmp_path / "ones.png")
    ones.putpalette([0, 0, 0, 128, 0, 0])
    ones.save(tmp_path / "red.png")
    for name in ("ones.png", "red.png"):
        assert np.array_equal(read_mask(tmp_path / name), levels > 127)


def test_parse_is_resized_by_nearest(parse):
    assert np.array_equal(read_parse(parse, "lip20", (40, 30), (40, 30)), np.asarray(Image.open(parse)))
    small = read_parse(parse, "lip20", (20, 16), (80, 60))
    assert np.array_equal(small, np.asarray(Image.open(parse).resize((16, 20), Image.Resampling.NEAREST)))


def test_a_parse_of_another_shape_than_its_photo_is_refused(parse):
    with pytest.raises(UserError, match=r"parse.png: the parsing map is 30x40 and the photo 40x40"):
        read_parse(parse, "lip20", (40, 30), (40, 40))


def test_rounded_sizes_are_of_one_shape(tmp_path):
    save_palette_png(tmp_path / "p.png", np.zeros((256, 192), int), "lip20")
    assert read_parse(tmp_path / "p.png", "lip20", (256, 192), (1101, 826)).shape == (256, 192)


def test_a_colored_parse_is_refused(tmp_path, parse):
    Image.open(parse).convert("RGB").save(tmp_path / "rgb.png")
    with pytest.raises(UserError, match=r"rgb.png: .* this one is RGB"):
        read_parse(tmp_path / "rgb.png", "lip20", (40, 30), (40, 30))


def test_ids_of_another_space_are_named(tmp_path):
    levels = np.zeros((4, 4), np.uint8)
    levels[0, :3] = 19, 20, 255
    Image.fromarray(levels).save(tmp_path / "ids.png")
    with pytest.raises(UserError, match=r"ids.png: lip20 has the ids 0 to 19, found also 20, 255"):
        read_parse(tmp_path / "ids.png", "lip20", (4, 4), (4, 4))


@pytest.mark.parametrize("keep", [0, 10, 600])
def test_a_truncated_photo_is_named(photo, keep):
    photo.write_bytes(photo.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"photo.png is not (a whole|an) image"):
        read_picture(photo, (40, 30))
    with pytest.raises(UserError, match=r"photo.png is not (a whole|an) image"):
        read_mask(photo, (40, 30))


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone.png does not exist"):
        read_picture(tmp_path / "gone.png", (40, 30))
