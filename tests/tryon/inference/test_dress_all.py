"""Many persons and garments: what is written, skipped, refused and gone on after."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_vton.errors import UserError
from seg_vton.files import sha256
from seg_vton.labels import DEEPFASHION15, load_palette_png, save_palette_png
from seg_vton.parsing.jobs import Item, Job, Run
from seg_vton.parsing.maps import ParsingMaps
from seg_vton.pictures.photos import read_photo
from seg_vton.tryon.inference import jobs
from seg_vton.tryon.inference.jobs import KINDS, PairResults, choose_pairs
from seg_vton.tryon.inference.run import dress_all
from seg_vton.tryon.predictor import TryOn


@pytest.fixture(scope="module")
def run(predictor, doll_photos):
    """Dresses dolls with poses from files."""

    def go(persons, garments, out, **settings):
        return dress_all(predictor, persons, garments, out, **{"pose": doll_photos / "pose", **settings})

    return go


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def record(out, name):
    return json.loads((out / "records" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def first(run, doll_photos, tmp_path_factory):
    """Two persons in two garments, one of which a doll wears."""
    out = tmp_path_factory.mktemp("dressed") / "out"
    persons = [doll_photos / "persons" / f"{i}.png" for i in (1, 2)]
    garments = [doll_photos / "garments" / "3.png", doll_photos / "persons" / "3.png"]
    return run(persons, garments, out), out, persons, garments


def test_every_person_gets_every_garment(first, doll_photos, predictor):
    outcome, out, *_ = first
    assert (outcome.done, outcome.complete, outcome.failures) == (4, 0, [])
    names = {"1_3", "2_3", "1_3_png", "2_3_png"}
    for kind in KINDS:
        assert {path.stem for path in (out / kind).iterdir()} == names
    facts = record(out, "1_3")
    photo = read_photo(doll_photos / "persons" / "1.png")
    made = np.array(Image.open(out / "try-on" / "1_3.png"))
    assert made.shape == photo.shape
    assert load_palette_png(out / "parsing" / "1_3.png", "deepfashion15").shape == photo.shape[:2]
    width, height = facts["window"][2:]
    assert Image.open(out / "warped-garment" / "1_3.png").size == (width, height)
    assert Image.open(out / "composition-mask" / "1_3.png").size == (width, height)
    assert facts["person"]["sha256"] == sha256(doll_photos / "persons" / "1.png")
    assert facts["person"]["pose"]["sha256"] == sha256(doll_photos / "pose" / "1_keypoints.json")
    assert facts["stamp"]["gmm"] == predictor.stamp["gmm"]
    assert (facts["garment_mask"], record(out, "1_3_png")["garment_mask"]) == ("cut-out", "segmenter")
    assert (facts["pose"], facts["pending"], facts["size"]) == ("files", [], [144, 192])
    assert outcome.warnings.get("1_3", []) == facts["warnings"]


def test_another_parsers_maps_stand_for_the_segmenter(oracle, stages, doll_photos, tmp_path):
    predictor = TryOn(None, stages["gmm"], stages["tom"], label_space="tryon8")
    photos = [doll_photos / "persons" / f"{number}.png" for number in (1, 2, 3)]
    for photo in photos[:2]:
        label_map = oracle(read_photo(photo)).label_map("tryon8")
        save_palette_png(tmp_path / "maps" / photo.name, label_map[: 9 if photo.stem == "2" else None], "tryon8")
    garments, out = [doll_photos / "garments" / "3.png"], tmp_path / "out"
    maps = ParsingMaps(tmp_path / "maps", "tryon8")
    outcome = dress_all(predictor, photos, garments, out, pose=doll_photos / "pose", maps=maps)
    no_map, other_size = outcome.failures
    assert "3.png has no label map" in no_map
    assert "2.png: the masks are 144x9 and the photo" in other_size
    assert outcome.done == 1
    facts = record(out, "1_3")
    assert facts["person"]["parsing"]["sha256"] == sha256(tmp_path / "maps" / "1.png")
    assert load_palette_png(out / "parsing" / "1_3.png", "tryon8").any()
    assert dress_all(predictor, photos[:1], garments, out, pose=doll_photos / "pose", maps=maps).complete == 1


def test_a_second_run_does_what_is_missing(first, run, monkeypatch):
    _, out, persons, garments = first
    before = tree(out)
    (out / "panel" / "2_3.png").unlink()
    calls = []
    original = TryOn.__call__
    monkeypatch.setattr(TryOn, "__call__", lambda *args: calls.append(1) or original(*args))
    outcome = run(persons, garments, out)
    assert (outcome.done, outcome.complete, outcome.failures) == (1, 3, [])
    assert len(calls) == 1
    assert tree(out) == before


def test_a_killed_run_is_completed(first, run):
    """What was pending is done again; hidden temporary files are not in the way."""
    _, out, persons, garments = first
    before = tree(out)
    path = out / "records" / "1_3.json"
    path.write_text(json.dumps({**record(out, "1_3"), "pending": list(KINDS), "files": {}}))
    (out / "records" / ".x.123.tmp.json").write_text("{")
    outcome = run(persons, garments, out)
    (out / "records" / ".x.123.tmp.json").unlink(missing_ok=True)
    assert (outcome.done, outcome.complete) == (1, 3)
    assert tree(out) == before


def test_other_settings_and_inputs_need_overwrite(first, run, doll_photos, tmp_path):
    _, _, persons, _ = first
    garment = tmp_path / "3.png"
    shutil.copy(doll_photos / "garments" / "3.png", garment)
    out = tmp_path / "out"
    assert run(persons[:1], [garment], out).done == 1
    before = tree(out)
    outcome = run(persons[:1], [garment], out, pose="none")
    assert outcome.done == 0
    (message,) = outcome.failures
    assert "1_3.json is of another person's pose and pose: pass --overwrite" in message
    Image.open(garment).rotate(180).save(garment)
    assert "of another garment: pass" in run(persons[:1], [garment], out).failures[0]
    assert tree(out) == before
    assert run(persons[:1], [garment], out, overwrite=True).done == 1
    assert tree(out) != before


def test_foreign_files_are_not_touched(first, run, doll_photos, tmp_path):
    _, _, persons, _ = first
    mine = tmp_path / "try-on" / "1_2.png"
    mine.parent.mkdir()
    mine.write_text("mine")
    garments = [doll_photos / "garments" / f"{i}.png" for i in (1, 2)]
    outcome = run(persons[:1], garments, tmp_path)
    assert outcome.done == 1
    assert "1_2.png exists already: pass --overwrite" in outcome.failures[0]
    assert mine.read_text() == "mine"


def test_equal_stems_and_sums_do_not_collide(run, doll_photos, tmp_path):
    persons, garments = tmp_path / "in" / "p", tmp_path / "in" / "g"
    for folder, source, names in (
        (persons, "persons", ("a.png", "a_b.png")),
        (garments, "garments", ("b_c.png", "c.png")),
    ):
        folder.mkdir(parents=True)
        for number, name in enumerate(names, 1):
            shutil.copy(doll_photos / source / f"{number}.png", folder / name)
    shutil.copytree(garments, tmp_path / "more" / "g")
    poses = tmp_path / "pose"
    poses.mkdir()
    for number, name in enumerate(("a", "a_b"), 1):
        shutil.copy(doll_photos / "pose" / f"{number}_keypoints.json", poses / f"{name}_keypoints.json")
    out = tmp_path / "out"
    outcome = run([persons], [garments, tmp_path / "more" / "g"], out, pose=poses)
    assert outcome.done == 8
    files = sorted(path.stem for path in (out / "try-on").iterdir())
    assert len(files) == 8
    assert {"a_b_c", "a_b_c-2", "a_c", "a_b_b_c", "a_c_png"} <= set(files)
    inputs = {(record(out, name)["person"]["path"], record(out, name)["garment"]["path"]) for name in files}
    assert len(inputs) == 8
    again = run([persons], [garments, tmp_path / "more" / "g"], out, pose=poses)
    assert (again.done, again.complete) == (0, 8)


def test_a_file_is_hashed_once_however_many_pairs_it_is_in_and_again_when_it_changes(tmp_path, monkeypatch):
    for name in ("p1", "p2", "p3", "g1", "g2", "pose"):
        (tmp_path / name).write_text(name)
    persons = [Item(tmp_path / name, name, extra=tmp_path / "pose") for name in ("p1", "p2", "p3")]
    pairs = [(person, Item(tmp_path / name, name)) for person in persons for name in ("g1", "g2")]
    hashed = []
    monkeypatch.setattr(jobs, "sha256", lambda path: hashed.append(path.name) or sha256(path))
    results = PairResults(tmp_path / "out", {})
    for person, garment in pairs:
        job = Job(f"{person.name}_{garment.name}", (person, garment), KINDS)
        results.write_record(job, pending=True)
    plan = Run()
    results.plan(pairs, plan)
    assert (len(plan.jobs), plan.failures) == (6, [])
    assert sorted(hashed) == ["g1", "g2", "p1", "p2", "p3", "pose"]
    (tmp_path / "g1").write_text("g3")
    plan = Run()
    results.plan(pairs, plan)
    assert (len(plan.jobs), len(plan.failures)) == (3, 3)
    assert "is of another garment: pass" in plan.failures[0]
    assert hashed[6:] == ["g1"]


def test_pairs_of_a_file(run, doll_photos, tmp_path):
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("1.png garments/2.png\n2.png 3.png\n9.png 3.png\n1.png 2.png\n")
    outcome = run([doll_photos / "persons"], [doll_photos / "garments"], tmp_path / "out", pairs=pairs)
    assert outcome.done == 2
    assert sorted(path.stem for path in (tmp_path / "out" / "try-on").iterdir()) == ["1_2", "2_3"]
    assert outcome.failures == [f"{pairs}: 9.png is none of the photos given with --person"]


def test_a_pairs_file_names_links_and_what_they_lead_to(tmp_path, monkeypatch):
    """The end of a path must be whole parts of it."""
    (tmp_path / "there" / "me").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    for name in ("me/1.png", "shirt.png"):
        (tmp_path / "there" / name).touch()
    (tmp_path / "links" / "a.png").symlink_to(tmp_path / "there" / "me" / "1.png")
    (tmp_path / "links" / "b.png").symlink_to(tmp_path / "links" / "b.png")
    persons = [Item(tmp_path / "links" / f"{name}.png", name) for name in "ab"]
    monkeypatch.chdir(tmp_path / "there")
    garments, pairs, refused = [Item(Path("shirt.png"), "shirt")], tmp_path / "pairs.txt", Run()

    def chosen(*lines):
        pairs.write_text("\n".join(lines))
        return [(person.name, garment.name) for person, garment in choose_pairs(persons, garments, pairs, refused)]

    assert chosen("a.png shirt.png", "b.png there/shirt.png") == [("a", "shirt"), ("b", "shirt")]
    assert chosen("me/1.png shirt.png", f"{tmp_path}/links/b.png shirt.png") == [("a", "shirt"), ("b", "shirt")]
    assert chosen('"a.PNG" "shirt.png"', "b.png,shirt.png") == [("a", "shirt"), ("b", "shirt")]
    garments.append(Item(Path("\u00e9 shirt.png"), "accent"))
    assert chosen("a.png\te\u0301 shirt.png") == [("a", "accent")]
    assert not refused.failures
    assert chosen("e/1.png shirt.png", "nks/b.png shirt.png") == []
    assert len(refused.failures) == 2


def test_bad_inputs_are_said_and_the_others_done(run, doll_photos, png_bomb, tmp_path, capsys):
    bad = tmp_path / "bad"
    bad.mkdir()
    good = doll_photos / "persons" / "1.png"
    (bad / "text.jpg").write_text("not a photo")
    (bad / "bomb.png").write_bytes(png_bomb)
    Image.open(good).save(bad / "cut.jpg")
    (bad / "cut.jpg").write_bytes((bad / "cut.jpg").read_bytes()[:2000])
    Image.open(good).resize((20, 20)).save(bad / "tiny.png")
    Image.new("RGB", (200, 300), (90, 120, 90)).save(bad / "nobody.png")
    Image.new("RGB", (200, 300), "white").save(bad / "blank.png")
    poses = shutil.copytree(doll_photos / "pose", tmp_path / "pose")
    for name in ("text", "tiny", "nobody", "cut"):
        shutil.copy(poses / "1_keypoints.json", poses / f"{name}_keypoints.json")
    people = json.loads((poses / "2_keypoints.json").read_text())
    (poses / "2_keypoints.json").write_text(json.dumps({**people, "people": people["people"] * 2}))
    (poses / "3_keypoints.json").unlink()
    outcome = run(
        [
            *(bad / name for name in ("text.jpg", "tiny.png", "nobody.png", "cut.jpg")),
            tmp_path / "none.jpg",
            doll_photos / "persons",
        ],
        [bad / "blank.png", bad / "text.jpg", bad / "bomb.png", doll_photos / "garments" / "3.png"],
        tmp_path / "out",
        pose=poses,
    )
    assert outcome.done == 2
    assert {path.stem for path in (tmp_path / "out" / "try-on").iterdir()} == {"1_3", "2_3"}
    expected = [
        f"{tmp_path / 'none.jpg'} does not exist",
        f"{doll_photos / 'persons' / '3.png'} has no pose",
        f"{bad / 'text.jpg'} is not an image",
        f"{bad / 'tiny.png'} is too small: 20x20",
        f"{bad / 'cut.jpg'} is not a whole image",
        f"{bad / 'bomb.png'} is too large to decode",
        f"{bad / 'nobody.png'} with {poses / 'nobody_keypoints.json'}: no person in the photo",
        f"{bad / 'blank.png'}: no garment in the photo",
    ]
    said = capsys.readouterr().err
    for message in expected:
        assert any(failure.startswith(message) for failure in outcome.failures), message
        assert f"error: {message}" in said
    assert any("the keypoints are of 2 people" in text for text in record(tmp_path / "out", "2_3")["warnings"])


def save_kinds(source, folder):
    """A photo as CMYK, gray of 16 bits, palette with alpha, and turned by EXIF."""
    photo, exif = Image.open(source), Image.Exif()
    exif[274] = 6
    folder.mkdir()
    photo.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(folder / "deep.png")
    photo.quantize(64).save(folder / "clear.png", transparency=bytes([0] + 63 * [255]))
    photo.rotate(90, expand=True).save(folder / "turned.png", exif=exif)


def test_photos_of_any_kind_are_dressed_upright(run, oracle, doll_photos, tmp_path):
    source, poses = doll_photos / "persons" / "1.png", tmp_path / "pose"
    save_kinds(source, tmp_path / "persons")
    poses.mkdir()
    photo = read_photo(source)
    label_map = oracle(photo).label_map(fill_holes=False)
    for path in (tmp_path / "persons").iterdir():
        oracle.learn(read_photo(path), label_map)
        shutil.copy(doll_photos / "pose" / "1_keypoints.json", poses / f"{path.stem}_keypoints.json")
    save_kinds(doll_photos / "garments" / "2.png", tmp_path / "garments")
    names = sorted(path.name for path in (tmp_path / "persons").iterdir())
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("".join(f"{name} {name}\n" for name in names))
    outcome = run([tmp_path / "persons"], [tmp_path / "garments"], tmp_path / "out", pose=poses, pairs=pairs)
    assert (outcome.done, outcome.failures) == (4, [])
    for name in ("cmyk", "turned"):
        made = np.array(Image.open(tmp_path / "out" / "try-on" / f"{name}_{name}.png")).astype(int)
        kept = np.isin(label_map, DEEPFASHION15.unions.head)
        assert record(tmp_path / "out", f"{name}_{name}")["size"] == [144, 192]
        assert np.abs(made - photo)[kept].mean() < 12  # upright and in color


def test_a_mask_or_pose_at_fault_is_named(run, doll_photos, tmp_path):
    masks, poses = tmp_path / "masks", tmp_path / "poses"
    masks.mkdir(), poses.mkdir()
    Image.new("L", (50, 60), "white").save(masks / "1.png")
    joints = [value for _ in range(18) for value in (5000, 5000, 1)]
    (poses / "2_keypoints.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": joints}]}))
    person, garment = doll_photos / "persons" / "2.png", doll_photos / "garments" / "1.png"
    outcome = run([person], [garment], tmp_path / "out", garment_masks=masks, pose=poses)
    assert outcome.done == 0
    said = sorted(outcome.failures)
    assert len(said) == 2
    assert said[0].startswith(f"{garment} with {masks / '1.png'}: the garment mask is 50x60 and the photo 144x192")
    assert said[1].startswith(f"{person} with {poses / '2_keypoints.json'}: none of the keypoints lies on the person")


def test_pose_models_and_device_reach_the_estimator_and_the_records(run, doll_photos, tmp_path, monkeypatch):
    given = []

    def load(*arguments):
        given.append(arguments)
        return lambda image: []

    monkeypatch.setattr("seg_vton.pose.files.resolve_backend", lambda backend, models: backend)
    monkeypatch.setattr("seg_vton.pose.files.load_estimator", load)
    models = [tmp_path / "detector.onnx", tmp_path / "pose.onnx"]
    for path in models:
        path.write_text(path.name)
    inputs = [doll_photos / "persons" / "1.png"], [doll_photos / "garments" / "2.png"]
    assert run(*inputs, tmp_path / "out", pose="rtmlib", pose_models=models).done == 1
    assert {*given} == {("rtmlib", tuple(map(str, models)), "cpu")}
    assert record(tmp_path / "out", "1_2")["stamp"]["pose_models"] == [sha256(path) for path in models]
    models[0].write_text("another")
    outcome = run(*inputs, tmp_path / "out", pose="rtmlib", pose_models=models)
    assert "is of another pose_models" in outcome.failures[0]


def test_masks_are_found_by_name(run, doll_photos, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    shutil.copy(doll_photos / "masks" / "1.png", masks / "1.png")
    garments = doll_photos / "garments" / "1.png", masks / "2.png"  # a garment is not its own mask
    shutil.copy(doll_photos / "garments" / "2.png", garments[1])
    run([doll_photos / "persons" / "2.png"], garments, tmp_path / "out", garment_masks=masks)
    found = {name: record(tmp_path / "out", name) for name in ("2_1", "2_2")}
    assert not any("mask" in warning for warning in found["2_1"]["warnings"])
    assert [found[name]["garment_mask"] for name in found] == ["given mask", "cut-out"]
    assert found["2_1"]["garment"]["mask"]["sha256"] == sha256(masks / "1.png")


def test_garments_without_a_mask_are_said_and_a_mask_may_shout(run, doll_photos, tmp_path, capsys):
    masks = tmp_path / "masks"
    masks.mkdir()
    shutil.copy(doll_photos / "masks" / "1.png", masks / "1.PNG")
    shutil.copy(doll_photos / "masks" / "2.png", masks / "mask-2.png")
    garments = [doll_photos / "garments" / f"{i}.png" for i in (1, 2, 3)]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("2.png 1.png\n2.png 2.png\n")
    run([doll_photos / "persons" / "2.png"], garments, tmp_path / "out", garment_masks=masks, pairs=pairs)
    assert record(tmp_path / "out", "2_1")["garment_mask"] == "given mask"
    said = capsys.readouterr().err  # the third is in no pair
    assert f"{masks} has no mask of 1 of 2 garments, which are left" in said
    assert f"the cut-out: {garments[1]}. A mask" in said
    run([doll_photos / "persons" / "2.png"], garments[:1], tmp_path / "out", garment_masks=masks)
    assert "no mask" not in capsys.readouterr().err


def test_photos_of_one_name_have_poses_and_masks_of_their_own_or_none(run, doll_photos, tmp_path):
    """The pose and the mask lie as the photos do; what lies above them could be of either photo."""
    inputs, poses, masks = (tmp_path / name for name in ("in", "pose", "mask"))
    for number, folder in ((1, "x"), (2, "y")):
        for kind, root, name in (("persons", inputs / "p", "a.png"), ("garments", inputs / "g", "a.png")):
            (root / folder).mkdir(parents=True)
            shutil.copy(doll_photos / kind / f"{number}.png", root / folder / name)
        for root in (poses, masks):
            (root / folder).mkdir(parents=True)
        shutil.copy(doll_photos / "pose" / f"{number}_keypoints.json", poses / folder / "a_keypoints.json")
        shutil.copy(doll_photos / "masks" / f"{number}.png", masks / folder / "a.png")
    shutil.copy(doll_photos / "pose" / "3_keypoints.json", poses / "a_keypoints.json")
    out = tmp_path / "out"
    outcome = run([inputs / "p"], [inputs / "g"], out, pose=poses, garment_masks=masks)
    assert (outcome.done, outcome.failures) == (4, [])
    for facts in map(json.loads, (path.read_text() for path in (out / "records").iterdir())):
        for role, extra in (("person", "pose"), ("garment", "mask")):
            assert Path(facts[role]["path"]).parent.name == Path(facts[role][extra]["path"]).parent.name
    shutil.rmtree(poses / "x"), shutil.rmtree(poses / "y")
    for path in masks.rglob("*.png"):
        path.rename(masks / "a.png")
    outcome = run([inputs / "p" / "x", inputs / "p" / "y"], [inputs / "g"], tmp_path / "other", pose=poses)
    assert outcome.done == 0
    (message,) = outcome.failures
    persons = [str(inputs / "p" / folder / "a.png") for folder in "xy"]
    assert message.startswith(f"{poses / 'a_keypoints.json'} would be of {' and of '.join(persons)}: ")
    outcome = run([inputs / "p" / "x"], [inputs / "g"], tmp_path / "third", pose=poses, garment_masks=masks)
    assert outcome.done == 0
    assert outcome.failures[0].startswith(f"{masks / 'a.png'} would be of {inputs / 'g' / 'x' / 'a.png'} and of ")


def test_without_poses_it_is_said(run, doll_photos, tmp_path):
    outcome = run([doll_photos / "persons" / "1.png"], [doll_photos / "garments" / "2.png"], tmp_path, pose="none")
    assert outcome.warnings["1_2"][0].startswith("no pose")
    assert record(tmp_path, "1_2")["pose"] == "none"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"pose": "nowhere"}, "nowhere is neither a folder of keypoint files nor one of"),
        ({"pose_models": ["a.onnx", "b.onnx"]}, "--pose-models is for estimators, and --pose .* is a folder"),
        ({"garment_masks": "nowhere"}, "--garment-mask nowhere is not a folder"),
        ({"pairs": "nowhere.txt"}, r"nowhere\.txt does not exist"),
    ],
)
def test_wrong_settings_are_refused(run, doll_photos, tmp_path, settings, expected):
    with pytest.raises(UserError, match=expected):
        run([doll_photos / "persons"], [doll_photos / "garments"], tmp_path / "out", **settings)


def test_nothing_to_do_is_an_outcome_and_nowhere_to_write_an_error(run, doll_photos, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = run([tmp_path / "empty"], [doll_photos / "garments"], tmp_path / "out")
    assert (outcome.done, outcome.complete) == (0, 0)
    assert [message.partition(":")[0] for message in outcome.failures] == [f"{tmp_path / 'empty'} has no photos"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"file/out/records/1_2\.json cannot be written"):
        run([doll_photos / "persons" / "1.png"], [doll_photos / "garments" / "2.png"], tmp_path / "file" / "out")


def test_a_parsers_records_are_not_taken_for_ours(run, doll_photos, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "a.json").write_text('{"schema": 1, "photo": "a.jpg"}')
    with pytest.raises(UserError, match="is no record of this tool"):
        run([doll_photos / "persons"], [doll_photos / "garments"], tmp_path)
