import errno
import json
import os

import numpy as np
import pytest
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.labels import load_palette_png
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.parsing.run import parse_photos, start_processes
from seg_vton.pictures.photos import read_photo

ALL = ("coco", "label-map", "instances", "overlay")


@pytest.fixture(scope="module")
def parsers(tiny_config_file, tiny_weights):
    """The same detector with two sets of random weights."""
    return [ClothingParser(tiny_config_file, path, "cpu", score_thr=0.05) for path in tiny_weights]


@pytest.fixture(scope="module")
def photos(tiny_coco, tmp_path_factory):
    """Three photos, two of them with one stem."""
    folder = tmp_path_factory.mktemp("photos")
    image = Image.open(tiny_coco / "images" / "1.png")
    image.save(folder / "a.png")
    image.save(folder / "a.jpg", quality=95)
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.png")
    return folder


def tree(folder):
    """Bytes by path of all files, records aside."""
    files = [path for path in folder.rglob("*") if path.is_file() and "records" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_files_are_what_the_predictor_says(parsers, photos, tmp_path):
    outcome = parse_photos(parsers[0], [photos], tmp_path, ALL)
    assert (outcome.done, outcome.complete, outcome.warnings, outcome.failures) == (3, 0, {}, [])
    for name, file in (("a", "a.jpg"), ("a_png", "a.png"), ("b", "b.png")):
        photo = read_photo(photos / file)
        parsing = parsers[0](photo)
        assert len(parsing) > 1
        label_map = load_palette_png(tmp_path / "label-map" / f"{name}.png", "deepfashion15")
        assert np.array_equal(label_map, parsing.label_map())
        for class_name, mask in zip(parsing.classes, parsing.masks, strict=True):
            assert np.array_equal(np.array(Image.open(tmp_path / "instances" / name / f"{class_name}.png")) > 0, mask)
        assert len(list((tmp_path / "instances" / name).iterdir())) == len(parsing)
        content = json.loads((tmp_path / "coco" / f"{name}.json").read_text())
        assert content["images"][0]["file_name"] == file
        assert [a["category_id"] for a in content["annotations"]] == parsing.labels.tolist()
        assert Image.open(tmp_path / "overlay" / f"{name}.jpg").size == photo.shape[1::-1]
        record = json.loads((tmp_path / "records" / f"{name}.json").read_text())
        assert record["stamp"] == {**parsers[0].stamp, "label_space": "deepfashion15", "fill_holes": True}
        assert record["pending"] == []
        assert set(record["files"]) == set(ALL)
        assert all((tmp_path / path).exists() for path in record["files"].values())
        assert [one["class"] for one in record["instances"]] == list(parsing.classes)
        assert (record["height"], record["width"]) == photo.shape[:2]
        assert (tmp_path / record["photo"]).resolve() == (photos / file).resolve()


def test_an_interrupted_run_goes_on(parsers, photos, tmp_path):
    """As if killed: one photo is whole, one has a pending record and half a file, the third is not there."""
    parse_photos(parsers[0], [photos], tmp_path)
    whole = tree(tmp_path)
    record_path = tmp_path / "records" / "a_png.json"
    record = json.loads(record_path.read_text())
    record_path.write_text(json.dumps({**record, "files": {}, "pending": ["coco", "label-map"]}))
    (tmp_path / "coco" / "a_png.json").write_text("half")
    for name in ("records/b.json", "coco/b.json", "label-map/b.png"):
        (tmp_path / name).unlink()
    kept = (tmp_path / "coco" / "a.json").stat().st_mtime_ns
    outcome = parse_photos(parsers[0], [photos], tmp_path)
    assert (outcome.done, outcome.complete) == (2, 1)
    assert tree(tmp_path) == whole
    assert (tmp_path / "coco" / "a.json").stat().st_mtime_ns == kept
    again = parse_photos(parsers[0], [photos], tmp_path)
    assert (again.done, again.complete) == (0, 3)


def test_a_full_disk_ends_the_run_and_what_is_whole_stays(parsers, photos, tmp_path, monkeypatch):
    parse_photos(parsers[0], [photos], tmp_path / "whole")
    monkeypatch.setattr(Image.Image, "save", full_disk_at("a_png"))
    with pytest.raises(UserError, match=r"a_png\.png cannot be written: No space left on device"):
        parse_photos(parsers[0], [photos], tmp_path / "out")
    monkeypatch.undo()
    outcome = parse_photos(parsers[0], [photos], tmp_path / "out")
    assert (outcome.done, outcome.complete) == (2, 1)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def full_disk_at(name):
    """Pillow's `save` on a disk that is full when a file is to be written."""
    save = Image.Image.save

    def fail(image, path, *rest, **options):
        if f".{name}." in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(image, path, *rest, **options)

    return fail


def test_a_broken_photo_is_said_and_the_others_are_parsed(parsers, photos, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.jpg").write_text("not a photo")
    inputs = [tmp_path / "in", photos / "a.jpg", tmp_path / "none"]
    outcome = parse_photos(parsers[0], inputs, tmp_path / "out", batch_size=2)
    assert outcome.done == 1
    assert len(outcome.failures) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert sorted(f"error: {message}" for message in outcome.failures) == sorted(errors)
    assert not (tmp_path / "out" / "records" / "text.json").exists()


def test_other_label_spaces_and_all_instances(tiny_config_file, tiny_weights, photos, tmp_path):
    parser = ClothingParser(tiny_config_file, tiny_weights[0], "cpu", score_thr=0.05, one_per_class=False)
    kinds = ("label-map", "instances")
    parse_photos(parser, [photos / "a.jpg"], tmp_path, kinds, label_space="tryon8", fill_holes=False)
    parsing = parser(read_photo(photos / "a.jpg"))
    small = load_palette_png(tmp_path / "label-map" / "a.png", "tryon8")
    assert np.array_equal(small, parsing.label_map("tryon8", fill_holes=False))
    assert len(list((tmp_path / "instances" / "a").iterdir())) == len(parsing) > len(parsing.best_per_class())


def test_a_segmenter_of_any_classes(tiny_config_file, tiny_weights, parsers, photos, tmp_path):
    """Its own label space, by score; instances, COCO and overlays as ever."""
    names = ("sun/glasses", *(f"thing {number}" for number in range(14)))
    parser = ClothingParser(tiny_config_file, tiny_weights[0], "cpu", score_thr=0.05, classes=names)
    assert parse_photos(parser, [photos / "a.jpg"], tmp_path, ALL).done == 1
    found, known = (one(read_photo(photos / "a.jpg")) for one in (parser, parsers[0]))
    assert found.labels.tolist() == known.labels.tolist()
    space = f"own({', '.join(names)})"
    assert np.array_equal(load_palette_png(tmp_path / "label-map" / "a.png", space), found.label_map())
    content = json.loads((tmp_path / "coco" / "a.json").read_text())
    assert [category["name"] for category in content["categories"]] == list(names)
    assert {path.stem for path in (tmp_path / "instances" / "a").iterdir()} == {
        name.replace("/", "-") for name in found.classes
    }
    with pytest.raises(UserError, match="cannot become tryon8"):
        parse_photos(parser, [photos / "a.jpg"], tmp_path / "out", label_space="tryon8")


def test_results_of_other_weights_are_refused_and_replaced_on_request(parsers, photos, tmp_path):
    photo = [photos / "a.jpg"]
    parse_photos(parsers[1], photo, tmp_path / "one", ("instances", "coco"))
    with pytest.raises(UserError, match=r"checkpoint was '1.pth' and is '0.pth'; checkpoint_sha256 was"):
        parse_photos(parsers[0], photo, tmp_path / "one", ALL)
    parse_photos(parsers[0], photo, tmp_path / "one", ALL, overwrite=True)
    parse_photos(parsers[0], photo, tmp_path / "two", ALL)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_nothing_found_is_a_result(tiny_config_file, tiny_weights, photos, tmp_path):
    parser = ClothingParser(tiny_config_file, tiny_weights[0], "cpu", score_thr=1)
    outcome = parse_photos(parser, [photos], tmp_path, batch_size=2)
    assert (outcome.done, list(outcome.warnings), outcome.failures) == (3, ["a", "a_png", "b"], [])
    assert not load_palette_png(tmp_path / "label-map" / "b.png", "deepfashion15").any()


def test_what_cannot_be_done_is_refused_before_any_work(parsers, photos, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="cannot become lip20"):
        parse_photos(parsers[0], [photos], tmp_path / "out", label_space="lip20")
    with pytest.raises(UserError, match="--batch-size is 0: it must be 1 or more"):
        parse_photos(parsers[0], [photos], tmp_path / "out", batch_size=0)
    assert not (tmp_path / "out").exists()
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UserError, match="--launcher pytorch needs torchrun"):
        start_processes("pytorch")
    assert start_processes("none") is None
