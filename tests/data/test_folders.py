"""Folders that appear whole or not at all."""

import json

import pytest

from seg_vton.data.folders import MARKER, link_folder, new_folder, read_marker
from seg_vton.errors import UserError


def make(out, kind, content, overwrite=False):
    with new_folder(out, kind, overwrite) as folder:
        (folder / MARKER).write_text(json.dumps({"data_set": kind, "label_space": "lip20"}))
        (folder / "a.txt").write_text(content)
        assert not out.exists() or (out / "a.txt").read_text() != content


def test_a_folder_appears_whole_and_is_replaced_by_its_own_kind_alone(tmp_path):
    out = tmp_path / "set"
    make(out, "doll", "first")
    with pytest.raises(UserError, match="exists already: pass --overwrite"):
        make(out, "doll", "second")
    with pytest.raises(UserError, match="not a set of the kind 'pair'"):
        make(out, "pair", "second", overwrite=True)
    assert (out / "a.txt").read_text() == "first"
    make(out, "doll", "second", overwrite=True)
    assert (out / "a.txt").read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_failure_leaves_what_was_there(tmp_path):
    make(tmp_path / "set", "doll", "first")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "set", "doll", overwrite=True) as folder:
        (folder / "a.txt").write_text(str(1 / 0))
    assert (tmp_path / "set" / "a.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_markers(tmp_path):
    assert read_marker(tmp_path) == {}
    (tmp_path / MARKER).write_text("[1]")
    assert read_marker(tmp_path) == {}
    make(tmp_path / "set", "doll", "first")
    assert read_marker(tmp_path / "set")["label_space"] == "lip20"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write to .*file"):
        make(tmp_path / "file" / "set", "doll", "first")


def test_a_link_to_another_folder_is_not_taken_for_the_photos(tmp_path):
    """As an earlier conversion of another copy leaves it."""
    for name in ("photos", "others"):
        (tmp_path / name).mkdir()
    for _ in range(2):
        link_folder(tmp_path / "photos", tmp_path / "out" / "photos")
    for there in (True, False):
        with pytest.raises(UserError, match=r"photos is a link to .*photos and not to .*others: remove the link"):
            link_folder(tmp_path / "others", tmp_path / "out" / "photos")
        if there:
            (tmp_path / "photos").rmdir()


def test_a_link_replaces_no_file(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file is a file, where a link to .*photos belongs"):
        link_folder(tmp_path / "photos", tmp_path / "file")
