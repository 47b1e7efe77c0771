"""Reading at the model's size."""

import numpy as np
import pytest
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.labels import save_palette_png
from seg_vton.pictures.images import read_mask, read_parse, read_picture


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


def test_mask_is_true_from_128(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png", (16, 16)), levels > 127)
    small = read_mask(tmp_path / "mask.png", (4, 8))
    assert np.array_equal(small, np.asarray(Image.fromarray(levels).resize((8, 4), Image.Resampling.NEAREST)) > 127)


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
    with pytest.raises(UserError, match=r"photo.png is not a whole image"):
        read_picture(photo, (40, 30))
    with pytest.raises(UserError, match=r"photo.png is not a whole image"):
        read_mask(photo, (40, 30))


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone.png does not exist"):
        read_picture(tmp_path / "gone.png", (40, 30))
