"""File names of the layouts, and pairs files."""

import pytest

from seg_vton.errors import UserError
from seg_vton.labels import SPACES
from seg_vton.tryon.datasets.layouts import COMMON, LAYOUTS, FileFinder, Pair, get_layout, read_pairs


@pytest.mark.parametrize(
    ("layout", "pair", "files"),
    [
        (
            "viton",
            Pair("000001_0.jpg", "001744_1.jpg"),
            "train/image/000001_0.jpg train/cloth/001744_1.jpg train/cloth-mask/001744_1.jpg "
            "train/image-parse/000001_0.png train/pose/000001_0_keypoints.json",
        ),
        (
            "viton_hd",
            Pair("05006_00.jpg", "11001_00.jpg"),
            "train/image/05006_00.jpg train/cloth/11001_00.jpg train/cloth-mask/11001_00.jpg "
            "train/image-parse-v3/05006_00.png train/openpose_json/05006_00_keypoints.json",
        ),
        (
            "dresscode",
            Pair("048393_0.jpg", "048400_1.jpg"),
            "images/048393_0.jpg images/048400_1.jpg masks/048400_1.png "
            "label_maps/048393_4.png keypoints/048393_2.json",
        ),
    ],
)
def test_file_names(tmp_path, layout, pair, files):
    layout = get_layout(layout)
    for file in files.split():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    finder = FileFinder(layout.split_root(tmp_path, "train"), layout.places, {})
    found = {role: finder.find(role, pair) for role in ("image", "cloth", "cloth_mask", "parse", "pose")}
    assert [(str(path.relative_to(tmp_path)), there) for path, there in found.values()] == [
        (file, True) for file in files.split()
    ]


@pytest.mark.parametrize(
    ("layout", "person", "garment"),
    [
        ("viton", "000001_0.jpg", "000001_1.jpg"),
        ("paper_doll", "000001_0.jpg", "000001_1.jpg"),
        ("dresscode", "048393_0.jpg", "048393_1.jpg"),
        ("viton_hd", "05006_00.jpg", "05006_00.jpg"),
        ("viton", "anna.png", "anna.png"),
    ],
)
def test_own_garment(layout, person, garment):
    assert get_layout(layout).own_garment(person) == garment


def test_layouts_name_known_label_spaces():
    assert all(layout.published_space in SPACES and layout.name == name for name, layout in LAYOUTS.items())


def test_an_unknown_layout_is_refused():
    with pytest.raises(UserError, match=r"unknown layout 'mpv'; known: viton, viton_hd, dresscode, paper_doll"):
        get_layout("mpv")


@pytest.mark.parametrize("name", ["a_0_b_1.png", "b_1.jpg"])
def test_warps_are_named_for_the_pair_or_as_published(tmp_path, name):
    for folder in ("warp-cloth", "warp-mask"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    finder = FileFinder(tmp_path, {role: COMMON[role] for role in ("warped_cloth", "warped_mask")}, {})
    assert finder.find("warped_cloth", Pair("a_0.jpg", "b_1.jpg")) == (tmp_path / "warp-cloth" / name, True)
    assert finder.find("warped_mask", Pair("a_0.jpg", "c_1.jpg")) == (tmp_path / "warp-mask" / "a_0_c_1.png", False)


def test_pairs(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("a_0.jpg b_1.jpg\n\n c_0.jpg\td_1.jpg \r\nx\\e_0.jpg f_1.jpg\n")
    assert read_pairs(path) == [("a_0.jpg", "b_1.jpg"), ("c_0.jpg", "d_1.jpg"), ("x/e_0.jpg", "f_1.jpg")]


@pytest.mark.parametrize(
    "line",
    [
        "my me.jpg\tblue shirt, new.jpg", '"my me.jpg" "blue shirt, new.jpg"', "'my me.jpg'  'blue shirt, new.jpg'",
        'my me.jpg,"blue shirt, new.jpg"', "my me.jpg; blue shirt, new.jpg", '"my me.jpg"\t"blue shirt, new.jpg"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_with_spaces(tmp_path, line, encoding):
    path = tmp_path / "pairs.txt"
    path.write_bytes(f"{line}\r\nanna's,a.jpg b.jpg\r\n".encode(encoding))
    assert read_pairs(path) == [("my me.jpg", "blue shirt, new.jpg"), ("anna's,a.jpg", "b.jpg")]


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("a_0.jpg", "a_0.png"),
        ("a_0.jpg", "a_0.JPG"),
        ("a_0", "a_0.webp"),
        ("e\u0301_0.jpg", "\u00e9_0.jpg"),
        ("\u00e9_0.jpg", "e\u0301_0.JPEG"),
        ("a/b_0.jpg", "a/b_0.JPG"),
        ("a/b_0.jpg", "b_0.jpg"),
    ],
)
def test_names_that_differ_in_what_cannot_be_seen_or_in_the_suffix(tmp_path, listed, there):
    """Suffixes of photos are the pairs file's; those of maps and poses are the layout's."""
    for folder, suffix in (("image", ""), ("image-parse", "png"), ("pose", "json")):
        name = there if not suffix else there.rpartition(".")[0] + {"png": ".PNG", "json": "_keypoints.JSON"}[suffix]
        (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).touch()
    places = {role: get_layout("viton").places[role] for role in ("image", "parse", "pose")}
    finder = FileFinder(tmp_path, places, {})
    for role in places:
        path, found = finder.find(role, Pair(listed, "x.jpg"))
        assert found, path
        assert path.is_file()


def test_a_parsing_map_of_another_suffix_is_none(tmp_path):
    (tmp_path / "image-parse").mkdir()
    (tmp_path / "image-parse" / "a_0.jpg").touch()
    finder = FileFinder(tmp_path, {"parse": get_layout("viton").places["parse"]}, {})
    assert not finder.find("parse", Pair("a_0.jpg", "a_1.jpg"))[1]


@pytest.mark.parametrize(("garment", "own"), [("a_1.png", True), ("a_1.JPG", True), ("b_1.jpg", False)])
def test_an_own_garment_may_have_another_suffix(garment, own):
    assert get_layout("viton").paired(Pair("a_0.jpg", garment)) == own
    assert get_layout("viton_hd").paired(Pair("a_1.jpg", garment)) == own


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a_0.jpg b_1.jpg\nc_0.jpg\n", r"pairs.txt, line 2: expected two file names.*found 'c_0.jpg'"),
        (b"a_0.jpg b_1.jpg c_1.jpg\n", "line 1: expected two file names, .* and nothing else, found"),
        (b"\n \n", "names no pair"),
        (b"\xff\xfea\x00", "line 1: expected two file names.*found 'a'"),
        (b"\xe9.jpg b.jpg", "is not a text file"),
        (b"my a.jpg my b.jpg", "line 1: .* Separate names with spaces by a tab or a comma, or quote each"),
    ],
)
def test_broken_pairs(tmp_path, content, said):
    path = tmp_path / "pairs.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        read_pairs(path)
    assert str(path) in str(error.value)


def test_missing_pairs(tmp_path):
    with pytest.raises(UserError, match=r"pairs.txt does not exist: set data_root and pairs"):
        read_pairs(tmp_path / "pairs.txt")
    with pytest.raises(UserError, match="is not a text file"):
        read_pairs(tmp_path)
