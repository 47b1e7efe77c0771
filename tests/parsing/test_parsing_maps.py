"""Label maps of other parsers: found by the photo's name, refused where they are not what is said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.labels import ATR18, SPACES, save_palette_png
from seg_vton.parsing.maps import ParsingMaps, read_label_map

PHOTO, SHAPE = Path("me.jpg"), (40, 30, 3)


def labels():
    found = np.zeros(SHAPE[:2], np.uint8)
    found[2:8, 10:20], found[10:30, 5:25] = ATR18.id_of("face"), ATR18.id_of("upper-clothes")
    return found


def saved(path, label_map, palette=None, mode="P"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(label_map)
    if palette is not None:
        image.putpalette([value for color in palette for value in color])
    (image if mode == "P" else image.convert(mode)).save(path)
    return path


@pytest.mark.parametrize("ending", [".png", ".PNG", ".bmp", ".tif"])
def test_a_map_is_found_by_its_photos_name(tmp_path, ending):
    saved(tmp_path / "maps" / "album" / f"me{ending}", labels())
    maps = ParsingMaps(tmp_path / "maps", "atr18")
    file = maps.file(Path("photos/album/me.jpg"), Path("album/me.jpg"))
    assert np.array_equal(maps.read(file, PHOTO, SHAPE), labels())
    with pytest.raises(UserError, match=r"you\.jpg has no label map: .*you\.png does not exist"):
        maps.file(Path("photos/you.jpg"), Path("you.jpg"))


def test_what_the_parse_tool_wrote_is_a_folder_of_maps(tmp_path):
    save_palette_png(tmp_path / "label-map" / "me.png", labels(), "deepfashion15")
    assert ParsingMaps(tmp_path, "deepfashion15").file(PHOTO, PHOTO) == tmp_path / "label-map" / "me.png"


def test_a_folder_or_file_that_cannot_serve(tmp_path):
    with pytest.raises(UserError, match=r"--parsing .*none is not a folder"):
        ParsingMaps(tmp_path / "none", "atr18")
    Image.fromarray(labels()).save(tmp_path / "me.jpg")
    with pytest.raises(UserError, match=r"me\.jpg was compressed as a picture, which changes ids. Write maps as PNG"):
        ParsingMaps(tmp_path, "atr18").file(PHOTO, PHOTO)


@pytest.mark.parametrize(
    ("label_map", "palette", "mode", "expected"),
    [
        (labels()[:, 1:], None, "P", "the masks are 29x40 and the photo me.jpg is 30x40"),
        (labels().T, None, "P", "turn the map as the photo's EXIF orientation says"),
        (labels() + 10, None, "P", "atr18 has the ids 0 to 17, found also 21"),
        (labels(), None, "RGB", "this one is RGB: colors do not name labels"),
        (labels(), "deepfashion15", "P", "expected a map of atr18, found the colors of deepfashion15"),
        (labels(), "lip20", "P", "expected a map of atr18, found the colors of lip20 or lip21 or cihp20"),
    ],
)
def test_a_map_of_another_photo_or_space_is_refused(tmp_path, label_map, palette, mode, expected):
    file = saved(tmp_path / "me.png", np.ascontiguousarray(label_map), palette and SPACES[palette].palette, mode)
    with pytest.raises(UserError, match=f"me.png.*{expected}"):
        read_label_map(file, "atr18", PHOTO, SHAPE)


def test_colors_of_no_space_of_ours_say_nothing(tmp_path):
    for name, palette in (("gray", [(i, i, i) for i in range(20)]), ("voc", ATR18.palette)):
        file = saved(tmp_path / f"{name}.png", labels(), palette)
        assert np.array_equal(read_label_map(file, "lip20", PHOTO, SHAPE), labels())
