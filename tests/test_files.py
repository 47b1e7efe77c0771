import errno
import hashlib
import json
import math
import os
import subprocess

import pytest
from PIL import Image

from seg_vton.errors import DamagedFileError, UserError
from seg_vton.files import (
    atomic_folder,
    atomic_path,
    exif_orientation,
    opened_image,
    plain_name,
    read_json,
    refuse_existing,
    remove_leftovers,
    sha256,
    write_json,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_atomic_path_makes_folders_and_leaves_the_file_alone(tmp_path):
    target = tmp_path / "new" / "folder" / "a.png"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert names(target.parent) == ["a.png"]


def test_a_failed_write_keeps_what_was_there(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="full disk"), atomic_path(target, overwrite=True) as temporary:
        temporary.write_text("half")
        raise RuntimeError("full disk")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_existing_file_is_replaced_only_on_request(tmp_path):
    target = tmp_path / "a.json"
    write_json(target, {"old": 1})
    with pytest.raises(UserError, match=r"a\.json exists already: pass --overwrite"):
        write_json(target, {"new": 1})
    assert read_json(target) == {"old": 1}
    write_json(target, {"new": 1}, overwrite=True)
    assert read_json(target) == {"new": 1}


def test_existing_is_refused_before_the_body_runs(tmp_path):
    (tmp_path / "a").touch()
    ran = []
    with pytest.raises(UserError), atomic_path(tmp_path / "a"):
        ran.append(True)
    assert not ran
    with pytest.raises(UserError):
        refuse_existing(tmp_path / "a", overwrite=False)
    refuse_existing(tmp_path / "a", overwrite=True)
    refuse_existing(tmp_path / "b", overwrite=False)


def test_json_keeps_order_and_letters_and_ends_in_a_newline(tmp_path):
    content = {"b": [1, 2.5, None], "a": "Kleid ä"}
    write_json(tmp_path / "compact.json", content)
    write_json(tmp_path / "indented.json", content, indent=1)
    assert (tmp_path / "compact.json").read_text("utf-8") == '{"b":[1,2.5,null],"a":"Kleid ä"}\n'
    assert read_json(tmp_path / "indented.json") == content
    assert list(read_json(tmp_path / "indented.json")) == ["b", "a"]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_refused_and_nothing_is_written(tmp_path, number):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", [number])
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "does not exist"), (b'{"a": [1, 2', "not whole JSON"), (b"\xff\xfe", "not whole JSON"), (b"", "not whole")],
)
def test_bad_json_is_named(tmp_path, content, expected):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=expected) as error:
        read_json(path)
    assert str(path) in str(error.value)


def test_sha256_of_a_file_longer_than_a_block(tmp_path, monkeypatch):
    content = bytes(range(256)) * 5000  # 1.28 MB; blocks are of 1 MiB
    (tmp_path / "a").write_bytes(content)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sha256(tmp_path / "a") == sha256("~/a") == hashlib.sha256(content).hexdigest()


def test_a_file_that_cannot_be_read_is_named_by_its_hash_too(tmp_path):
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        sha256(tmp_path)


def test_written_json_is_json(tmp_path):
    write_json(str(tmp_path / "a.json"), (1, "x"))
    assert json.loads((tmp_path / "a.json").read_bytes()) == [1, "x"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("here already")
    with pytest.raises(UserError, match=r"file/a\.json cannot be written: (Not a directory|File exists)"):
        write_json(tmp_path / "file" / "a.json", {})
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(UserError, match="folder cannot be written: Is a directory"):
        write_json(tmp_path / "folder", {}, overwrite=True)
    assert names(tmp_path) == ["file", "folder"]


def test_a_folder_is_not_read_as_json(tmp_path):
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_json(tmp_path)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": ' + "1" * 10_000 + "}"], ids=["nested", "digits"])
def test_json_that_no_parser_reads_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=r"a\.json is not whole JSON"):
        read_json(tmp_path / "a.json")


def test_a_full_disk_is_said_of_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "a.json").write_text("good")
    with (
        pytest.raises(UserError, match=r"a\.json cannot be written: No space left"),
        atomic_path(tmp_path / "a.json", overwrite=True) as temporary,
    ):
        temporary.write_text("ha")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.json": "good"}


def test_a_fault_of_another_file_is_not_said_of_this_one(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.json"):
        (tmp_path / "other").read_text()


def test_what_a_killed_process_left_goes_and_what_a_running_one_writes_stays(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = tmp_path / "kind"
    folder.mkdir()
    (folder / f".a.b.{ended.pid}.tmp.png").write_text("half")
    (folder / f".a.{os.getpid()}.tmp.png").write_text("half")
    (folder / ".a.tmp.png").write_text("the user's")
    (folder / ".set.999999999.tmp").mkdir()  # of `new_folder`, killed
    remove_leftovers(tmp_path)
    left = {path.name for path in folder.iterdir()}
    assert left == {f".a.{os.getpid()}.tmp.png", ".a.tmp.png", ".set.999999999.tmp"}


@pytest.mark.parametrize("late", [False, True])
def test_the_orientation_of_a_png_may_stand_before_or_behind_its_pixels(tmp_path, late):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("L", (4, 3)).save(tmp_path / "a.png", exif=exif)
    content = (tmp_path / "a.png").read_bytes()
    start = content.index(b"eXIf") - 4
    chunk = content[start : start + 12 + int.from_bytes(content[start : start + 4], "big")]
    plain = content.replace(chunk, b"")
    (tmp_path / "plain.png").write_bytes(plain)
    if late:
        (tmp_path / "a.png").write_bytes(plain[:-12] + chunk + plain[-12:])
    for name, expected in (("a.png", 6), ("plain.png", 1)):
        with opened_image(tmp_path / name) as image:
            assert exif_orientation(image) == expected
            assert image.convert("L").size == (4, 3)  # it can still be decoded


def test_what_is_no_image_or_fails_while_it_is_decoded_is_named(tmp_path):
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(UserError, match=r"a\.png is not an image"), opened_image(tmp_path / "a.png"):
        pass
    with pytest.raises(UserError, match=r"gone\.png does not exist"), opened_image(tmp_path / "gone.png"):
        pass
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")  # as phones send them
    with pytest.raises(UserError, match=r"whatever its name says\. HEIC needs"), opened_image(tmp_path / "a.jpg"):
        pass
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    with pytest.raises(UserError, match=r"a\.png is not a whole image"), opened_image(tmp_path / "a.png") as image:
        image.load()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_that_was_cut_off_is_named_by_its_end(tmp_path, kind):
    """Before anybody decodes it; what stands behind a whole picture, as phones write it, does not matter."""
    path = tmp_path / "a"
    Image.effect_noise((64, 64), 50).save(path, kind)
    whole = path.read_bytes()
    path.write_bytes(whole + b"a film")
    with opened_image(path, whole=True) as image:
        assert exif_orientation(image) == 1
        assert image.getpixel((0, 0)) is not None
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFileError, match="a is not a whole image"), opened_image(path, whole=True):
        pass


def test_names_are_compared_by_composed_accents_and_small_suffixes():
    names = ("a.JPG", "b/A.PnG", "x.y/ABC", "e\u0301.Png", ".Hidden")
    assert list(map(plain_name, names)) == ["a.jpg", "b/A.png", "x.y/ABC", "é.png", ".Hidden"]


def test_a_folder_behind_a_link_is_replaced_where_it_is(tmp_path):
    (tmp_path / "disk" / "models").mkdir(parents=True)
    (tmp_path / "disk" / "models" / "old").touch()
    (tmp_path / "models").symlink_to(tmp_path / "disk" / "models")
    with atomic_folder(tmp_path / "models") as folder:
        (folder / "new").touch()
    assert (tmp_path / "models").is_symlink()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["disk", "models", "models", "new"]
