"""Photos of drawn dolls as a set in VITON-HD's layout: what is written, gone on with, refused."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tryon_pipelines import build

from seg_vton.data.check_tryon import tryon_checks
from seg_vton.data.viton_hd import prepare
from seg_vton.errors import UserError
from seg_vton.labels import LabelConversionError, convert, load_palette_png, save_palette_png
from seg_vton.parsing.maps import ParsingMaps
from seg_vton.pictures.photos import read_photo
from seg_vton.pose import Poses
from seg_vton.pose.keypoints import read_people
from seg_vton.tryon.datasets.layouts import read_pairs

SIZE = (128, 96)


@pytest.fixture
def album(tiny_dolls, tmp_path):
    """`persons`, `garments`, `maps` and `poses` of two dolls, `1` and `2`, on photos twice as large."""
    root, source = tmp_path / "album", tiny_dolls / "train"
    for number in (1, 2):
        for folder, name, target in (
            ("image", f"00000{number}_0.jpg", f"persons/{number}.jpg"),
            ("cloth", f"00000{number}_1.jpg", f"garments/shirt{number}.jpg"),
        ):
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            picture = Image.open(source / folder / name)
            picture.resize((96, 128), Image.Resampling.BICUBIC).save(root / target, quality=95)
        parse = load_palette_png(source / "image-parse" / f"00000{number}_0.png", "deepfashion15")
        save_palette_png(root / "maps" / f"{number}.png", parse.repeat(2, 0).repeat(2, 1), "deepfashion15")
        pose = json.loads((source / "pose" / f"00000{number}_0_keypoints.json").read_text())
        numbers = np.array(pose["people"][0]["pose_keypoints"]).reshape(-1, 3) * (2, 2, 1)
        (root / "poses").mkdir(exist_ok=True)
        people = {"people": [{"pose_keypoints": numbers.ravel().tolist()}]}
        (root / "poses" / f"{number}_keypoints.json").write_text(json.dumps(people))
    return root


def make(album, out, space="deepfashion15", poses=None, **options):
    arguments = [album / "persons"], [album / "garments"], ParsingMaps(album / "maps", space)
    return prepare(out, *arguments, Poses(poses or album / "poses"), SIZE, **options)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("body25", [True, False])
def test_a_whole_set_is_written_and_read(album, tmp_path, body25):
    out = tmp_path / "set"
    outcome = make(album, out, body25=body25)
    assert (outcome.done, outcome.failures, outcome.pairs) == (4, [], 2)
    assert (out / "test_pairs.txt").read_text() == "1.jpg shirt1.jpg\n2.jpg shirt2.jpg\n"
    marker = json.loads((out / "dataset.json").read_text())
    assert (marker["label_space"], marker["size"]) == ("deepfashion15", [128, 96])
    assert "DensePose" in marker["left_out"]["image-densepose"]
    for name in ("image/1.jpg", "agnostic-v3.2/1.jpg", "cloth/shirt1.jpg", "cloth-mask/shirt1.jpg"):
        assert Image.open(out / "test" / name).size == (96, 128)
    pose = json.loads((out / "test" / "openpose_json" / "1_keypoints.json").read_text())
    assert len(pose["people"][0]["pose_keypoints_2d"]) == 75 if body25 else 54
    assert (pose["canvas_width"], pose["canvas_height"]) == (96, 128)
    expected = read_people(album / "poses" / "1_keypoints.json", (96, 128))[0][:, :2]
    found = read_people(out / "test" / "openpose_json" / "1_keypoints.json", (96, 128))[0][:, :2]
    assert np.abs(found - expected)[(expected > 1).all(1)].max() < 1
    mask = np.asarray(Image.open(out / "test" / "agnostic-mask" / "1_mask.png")) > 0
    image, agnostic = (
        np.asarray(Image.open(out / "test" / name / "1.jpg"), int) for name in ("image", "agnostic-v3.2")
    )
    assert 0.1 < mask.mean() < 0.8
    assert np.abs(agnostic[mask] - 128).mean() < 6
    assert np.abs(agnostic - image)[~mask].mean() < 6
    worn = np.isin(load_palette_png(out / "test" / "image-parse-v3" / "1.png", "deepfashion15"), (1, 4, 5))
    without = load_palette_png(out / "test" / "image-parse-agnostic-v3.2" / "1.png", "deepfashion15")
    assert worn.any()
    assert not without[worn].any()
    assert (out / "contact-sheet.jpg").is_file()
    (check,) = tryon_checks(out)
    assert not check().errors
    items = build(out, "test_pairs.txt", "viton_hd", "deepfashion15", "test", image_size=SIZE)
    assert len(items) == 2
    assert not items[0]["data_samples"].paired


def test_a_second_run_makes_what_is_missing_and_changes_nothing(album):
    out = album / "persons" / "set"  # what was written is no photo of a person
    make(album, out)
    (out / "test_pairs.txt").write_text("1.jpg shirt2.jpg\n")
    before = files(out)
    (out / "test" / "agnostic-mask" / "2_mask.png").unlink()
    outcome = make(album, out)
    assert (outcome.done, outcome.complete, outcome.pairs) == (1, 3, 3)
    after = files(out)
    assert after.pop("test_pairs.txt") == b"1.jpg shirt2.jpg\n2.jpg shirt2.jpg\n1.jpg shirt1.jpg\n"
    assert after == {name: content for name, content in before.items() if name != "test_pairs.txt"}
    Image.open(album / "persons" / "1.jpg").rotate(180).save(album / "persons" / "1.jpg")
    (failure,) = make(album, out).failures
    assert "is of another person: pass --overwrite" in failure


def test_maps_stay_in_their_space_and_sides_are_never_made_up(album, tmp_path):
    for path in (album / "maps").iterdir():
        in_eight = convert(load_palette_png(path, "deepfashion15"), "deepfashion15", "tryon8")
        save_palette_png(path, in_eight, "tryon8", overwrite=True)
    make(album, tmp_path / "set", "tryon8")
    assert json.loads((tmp_path / "set" / "dataset.json").read_text())["label_space"] == "tryon8"
    load_palette_png(tmp_path / "set" / "test" / "image-parse-v3" / "1.png", "tryon8")
    with pytest.raises(LabelConversionError, match="deepfashion15 has no left or right arms, legs and shoes"):
        make(album, tmp_path / "other", label_space="cihp20")
    assert not (tmp_path / "other").exists()


def test_photos_of_any_mode_serve_and_what_cannot_is_said_once(album, tmp_path, capsys):
    persons, garments = album / "persons", album / "garments"
    gray = Image.open(persons / "1.jpg").convert("L")
    Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(persons / "deep.png")
    gray.save(persons / "gray.png")
    Image.open(persons / "1.jpg").convert("CMYK").save(persons / "cmyk.jpg")
    gray.resize((48, 64)).save(persons / "small.png")
    (persons / "cut.jpg").write_bytes((persons / "1.jpg").read_bytes()[:900])
    shutil.copy(persons / "1.jpg", persons / "two words 1.0, 'new'.jpg")
    gray.save(persons / "2.png")  # the pose and the map of 2.jpg would be its, too
    Image.new("RGB", (96, 128), (90, 90, 90)).save(garments / "empty.png")
    for name in ("deep", "gray", "cmyk", "small", "cut", "two words 1.0, 'new'"):
        shutil.copy(album / "maps" / "1.png", album / "maps" / f"{name}.png")
        shutil.copy(album / "poses" / "1_keypoints.json", album / "poses" / f"{name}_keypoints.json")
    outcome = make(album, tmp_path / "set")
    assert outcome.done == 5 + 2  # persons 1, deep, gray, cmyk, two_words...
    people = {path.name for path in (tmp_path / "set" / "test" / "image").iterdir()}
    assert people == {"1.jpg", "deep.jpg", "gray.jpg", "cmyk.jpg", "two_words_1.0_new_.jpg"}
    assert {pair.person for pair in read_pairs(tmp_path / "set" / "test_pairs.txt")} == people
    faults = ("cut.jpg is not a whole", "empty.png: no garment", "small.png: the masks are 96x128")
    faults += ("2_keypoints.json would be of",)
    for fault in faults:
        assert sum(fault in failure for failure in outcome.failures) == 1, fault
    assert len(outcome.failures) == len(faults)
    assert capsys.readouterr().err.count("error: ") == len(faults)
    (album / "nothing").mkdir()
    outcome = prepare(
        tmp_path / "none", [album / "nothing"], [garments], ParsingMaps(album / "maps", "deepfashion15"), Poses("none")
    )
    assert "nothing has no photos" in outcome.failures[0]


def test_garments_that_are_not_there_are_said_before_the_persons_are_made(album, tmp_path, capsys, monkeypatch):
    said = []

    def read(path):
        said.append(capsys.readouterr().err)
        return read_photo(path)

    monkeypatch.setattr("seg_vton.data.viton_hd.read_photo", read)
    maps = ParsingMaps(album / "maps", "deepfashion15")
    prepare(tmp_path / "set", [album / "persons" / "1.jpg"], [album / "typo"], maps, Poses("none"), SIZE)
    assert "typo does not exist" in said[0]


def test_a_person_without_a_pose_gets_a_rectangle_and_a_note(album, tmp_path):
    outcome = make(album, tmp_path / "set", poses="none")
    assert any("gray is a rectangle around the garment" in note for note in outcome.warnings["1"])
    assert json.loads((tmp_path / "set" / "test" / "openpose_json" / "1_keypoints.json").read_text())["people"] == []


def test_another_data_sets_folder_is_left_alone(album, tmp_path):
    (tmp_path / "dataset.json").write_text('{"data_set": "paper doll"}')
    with pytest.raises(UserError, match="is another data set"):
        make(album, tmp_path)
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "test_pairs.txt").write_text("1.jpg 2.jpg")
    with pytest.raises(UserError, match="is another data set"):
        make(album, tmp_path / "published")
    assert files(tmp_path / "published") == {"test_pairs.txt": b"1.jpg 2.jpg"}
