"""Sets of pairs on disk, made from the persons of a small paper-doll set."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from tryon_pipelines import PREDICTED_TRAIN, build

from seg_vton.data.photo_pairs import Plan, Settings, SplitRule, find_labeled, write_photo_pairs
from seg_vton.data.photo_pairs.write import MARKER, PREDICTED
from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, convert, load_palette_png, save_palette_png
from seg_vton.parsing.jobs import read_records
from seg_vton.tryon.models import TPSGrid

SIZE = (64, 48)  # height, width
RULE = SplitRule(train=["000001_0", "000002_0"], test=["000003_0", "000004_0", "000005_0"])


@pytest.fixture
def album(tiny_dolls, tmp_path):
    """A folder with `photos`, `maps` and `poses` of five persons."""
    for source, name in (("image", "photos"), ("image-parse", "maps"), ("pose", "poses")):
        shutil.copytree(tiny_dolls / "train" / source, tmp_path / "album" / name)
    return tmp_path / "album"


def plan_of(album, **changes):
    settings = Settings(size=SIZE, min_garment=500)
    plan = Plan(find_labeled(album / "photos", [album / "maps"]), str(album / "poses"), RULE, settings)
    return replace(plan, **changes)


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines(path):
    return [tuple(line.split()) for line in path.read_text().splitlines()]


def test_the_try_on_data_set_reads_it(album, tmp_path):
    outcome = write_photo_pairs(tmp_path / "set", plan_of(album))
    assert (dict(outcome.persons), outcome.dropped, outcome.faults) == ({"train": 2, "test": 3}, {}, [])
    for split, pairs, count in (("train", "train_pairs.txt", 2), ("test", "test_unpaired_pairs.txt", 3)):
        data = build(tmp_path / "set", pairs, "viton", "deepfashion15", split, image_size=SIZE)
        assert len(data) == count
        item = data[0]
        assert item["data_samples"].paired == (split == "train")
        assert item["inputs"]["parse_cloth_mask"].mean() > 0.03
        assert item["inputs"]["cloth_mask"].mean() > 0.15
        assert (item["inputs"]["agnostic"][4:] > 0).flatten(1).any(1).sum() >= 8


def test_a_set_of_maps_that_cannot_become_deepfashion15_stays_in_their_space(album, tmp_path):
    write_photo_pairs(tmp_path / "set", plan_of(album))
    for path in (album / "maps").iterdir():
        save_palette_png(
            path, convert(load_palette_png(path, "deepfashion15"), "deepfashion15", "tryon8"), "tryon8", True
        )
    photos = find_labeled(album / "photos", [album / "maps"], "tryon8")
    write_photo_pairs(tmp_path / "other", plan_of(album, photos=photos))
    for name in ("train/image-parse/000001_0_0.png", "test/image-parse/000003_0_0.png"):
        expected = convert(load_palette_png(tmp_path / "set" / name, "deepfashion15"), "deepfashion15", "tryon8")
        assert np.array_equal(load_palette_png(tmp_path / "other" / name, "tryon8"), expected)
    assert json.loads((tmp_path / "other" / "dataset.json").read_text())["label_space"] == "tryon8"


def test_lists(album, tmp_path):
    write_photo_pairs(tmp_path / "set", plan_of(album))
    train, test, unpaired = (lines(tmp_path / "set" / f"{n}_pairs.txt") for n in ("train", "test", "test_unpaired"))
    assert train == [(f"00000{i}_0_0.jpg", f"00000{i}_0_1.jpg") for i in (1, 2)]
    assert test == [(f"00000{i}_0_0.jpg", f"00000{i}_0_1.jpg") for i in (3, 4, 5)]
    assert [person for person, _ in unpaired] == [person for person, _ in test]
    assert sorted(garment for _, garment in unpaired) == [garment for _, garment in test]
    assert not set(unpaired) & set(test)


def test_same_seed_same_bytes_in_one_process_or_two(album, tmp_path):
    for name, workers, seed in (("a", 1, 0), ("b", 2, 0), ("c", 1, 1)):
        write_photo_pairs(tmp_path / name, plan_of(album, seed=seed), workers)
    first, again, other = (files(tmp_path / name) for name in "abc")
    assert first == again
    assert first["test/cloth/000003_0_1.jpg"] != other["test/cloth/000003_0_1.jpg"]
    assert first["test/image/000003_0_0.jpg"] == other["test/image/000003_0_0.jpg"]


def test_a_photo_does_not_depend_on_the_others(album, tmp_path):
    whole = plan_of(album)
    write_photo_pairs(tmp_path / "all", whole)
    write_photo_pairs(tmp_path / "one", replace(whole, photos=whole.photos[3:4], rule=SplitRule(test=["*"])))
    all_files, one = files(tmp_path / "all"), files(tmp_path / "one")
    shared = [name for name in one if name.startswith("test/")]
    assert len(shared) == 6
    assert all(all_files[name] == one[name] for name in shared)


def test_training_pairs_are_mirrored_as_a_whole_and_test_pairs_never(album, tmp_path):
    for name, mirror in (("plain", 0.0), ("mirrored", 1.0)):
        write_photo_pairs(tmp_path / name, plan_of(album, mirror=mirror))
    plain, mirrored = (files(tmp_path / name) for name in ("plain", "mirrored"))
    assert all(plain[n] == mirrored[n] for n in plain if n.startswith("test/"))

    def parse(name):
        return np.asarray(Image.open(tmp_path / name / "train/image-parse/000001_0_0.png"))

    def joints(name):
        text = (tmp_path / name / "train/pose/000001_0_0_keypoints.json").read_text()
        return np.array(json.loads(text)["people"][0]["pose_keypoints_2d"]).reshape(18, 3)

    assert np.array_equal(parse("mirrored"), parse("plain")[:, ::-1])
    assert joints("mirrored")[2, 0] == pytest.approx(SIZE[1] - 1 - joints("plain")[5, 0], abs=0.01)


def test_variants_are_of_the_training_photos_alone(album, tmp_path):
    outcome = write_photo_pairs(tmp_path / "set", plan_of(album, variants=3, mirror=0.0))
    assert outcome.pairs == {"train_pairs.txt": 6, "test_pairs.txt": 3, "test_unpaired_pairs.txt": 3}
    warps = [np.load(path) for path in sorted((tmp_path / "set/train/warp").glob("000001_0*"))]
    assert len({warp.tobytes() for warp in warps}) == 3
    images = {path.read_bytes() for path in (tmp_path / "set/train/image").glob("000001_0*")}
    assert len(images) == 1


def test_a_photo_that_is_called_as_a_variant_is_refused_before_any_work(album, tmp_path):
    for kind, ending in (("photos", ".jpg"), ("maps", ".png"), ("poses", "_keypoints.json")):
        (album / kind / f"000002_0{ending}").rename(album / kind / f"000001_0-v2{ending}")
    rule = SplitRule(train=["000001_0", "000001_0-v2"], test=["000003_0"])
    with pytest.raises(UserError, match="the photo 000001_0-v2 has the name of garment 2 of the photo 000001_0"):
        write_photo_pairs(tmp_path / "set", plan_of(album, rule=rule, variants=2))
    apart = SplitRule(train=["000001_0"], test=["000001_0-v2"])
    assert write_photo_pairs(tmp_path / "set", plan_of(album, rule=apart, variants=2)).pairs["train_pairs.txt"] == 2


def spoil(album):
    """Makes each photo but the first unusable in a way of its own."""
    maps, top = album / "maps", DEEPFASHION15.id_of("top")
    labels = np.asarray(Image.open(maps / "000002_0.png"))
    bare = np.where(np.isin(labels, (1, 4, 5)), DEEPFASHION15.id_of("skin"), labels)
    save_palette_png(maps / "000002_0.png", bare, "deepfashion15", overwrite=True)
    small = bare.copy()
    small[30:33, 22:25] = top
    save_palette_png(maps / "000003_0.png", small, "deepfashion15", overwrite=True)
    (album / "poses" / "000004_0_keypoints.json").write_text('{"people": []}')
    labels = np.asarray(Image.open(maps / "000005_0.png"))
    headless = np.where(np.isin(labels, (9, 10, 13, 14, 15)), 0, labels)  # without skin, which might be a face
    save_palette_png(maps / "000005_0.png", headless, "deepfashion15", overwrite=True)


def test_photos_that_lack_something_are_left_out_and_counted(album, tmp_path):
    spoil(album)
    outcome = write_photo_pairs(tmp_path / "set", plan_of(album))
    assert outcome.dropped == {
        "no upper garment": ["000002_0"],
        "upper garment smaller than 500 pixels at 256 x 192": ["000003_0"],
        "no pose": ["000004_0"],
        "no head": ["000005_0"],
    }
    assert lines(tmp_path / "set" / "train_pairs.txt") == [("000001_0_0.jpg", "000001_0_1.jpg")]
    assert not (tmp_path / "set" / "test_pairs.txt").exists()
    assert json.loads((tmp_path / "set" / MARKER).read_text())["dropped"] == outcome.dropped


def test_faults_are_told_and_the_others_written(album, tmp_path):
    plan = plan_of(album)
    photo = album / "photos" / "000001_0.jpg"
    photo.write_bytes(photo.read_bytes()[:600])
    (album / "poses" / "000002_0_keypoints.json").unlink()
    Image.open(album / "maps" / "000003_0.png").crop((0, 0, 47, 64)).save(album / "maps" / "000003_0.png")
    (album / "poses" / "000004_0_keypoints.json").write_text('{"people": [{}]}')
    outcome = write_photo_pairs(tmp_path / "set", plan)
    for said in (
        "000001_0.jpg is not a whole image",
        "has no pose",
        "masks are 47x64",
        "one of the people has none of the keys",
    ):
        assert sum(said in fault for fault in outcome.faults) == 1
    assert (len(outcome.faults), dict(outcome.persons)) == (4, {"test": 1})


def test_photos_of_one_name_do_not_share_a_pose(album, tmp_path):
    for folder, stem in (("x", "000001_0"), ("y", "000002_0")):
        for kind, ending in (("photos", ".jpg"), ("maps", ".png")):
            (album / kind / folder).mkdir()
            (album / kind / f"{stem}{ending}").rename(album / kind / folder / f"a{ending}")
    (album / "poses" / "000001_0_keypoints.json").rename(album / "poses" / "a_keypoints.json")
    rule = SplitRule(train=["x/a", "y/a"], test=["000003_0"])
    both = " and of ".join(rf"\S*{folder}/a\.jpg" for folder in "xy")
    with pytest.raises(UserError, match=rf"poses/a_keypoints\.json would be of {both}: "):
        write_photo_pairs(tmp_path / "set", plan_of(album, rule=rule))
    (album / "poses" / "y").mkdir()
    (album / "poses" / "000002_0_keypoints.json").rename(album / "poses" / "y" / "a_keypoints.json")
    assert write_photo_pairs(tmp_path / "set", plan_of(album, rule=rule)).persons["train"] == 2


def test_of_several_people_the_one_on_the_body_is_taken(album, tmp_path):
    write_photo_pairs(tmp_path / "alone", plan_of(album))
    path = album / "poses" / "000004_0_keypoints.json"
    pose = json.loads(path.read_text())
    (own,) = pose["people"]
    stranger = {key: [2.0, 60.0, 1.0] + [0.0] * 51 for key in own if key.startswith("pose_keypoints")}
    path.write_text(json.dumps({**pose, "people": [stranger, own]}))
    outcome = write_photo_pairs(tmp_path / "both", plan_of(album))
    assert (outcome.several, outcome.faults) == (["000004_0"], [])
    alone, both = files(tmp_path / "alone"), files(tmp_path / "both")
    assert {name for name in both if alone[name] != both[name]} == {MARKER}
    assert [person["people"] for person in json.loads(both[MARKER])["persons"]] == [1, 1, 1, 2, 1]
    beside = {key: value[:3] + [1.0, 1.0, 1.0] * 17 for key, value in own.items() if key.startswith("pose_keypoints")}
    path.write_text(json.dumps({**pose, "people": [beside]}))
    outcome = write_photo_pairs(tmp_path / "beside", plan_of(album))
    assert (outcome.beside, outcome.persons.total()) == (["000004_0"], 5)
    path.write_text(json.dumps({**pose, "people": [stranger]}))
    assert write_photo_pairs(tmp_path / "none", plan_of(album)).dropped == {"no joint on the person": ["000004_0"]}


def test_no_pose_when_none_is_wanted(album, tmp_path):
    plan = plan_of(album, poses="none")
    plan = replace(plan, settings=replace(plan.settings, pose_needed=False))
    assert write_photo_pairs(tmp_path / "set", plan).persons.total() == 5
    assert json.loads((tmp_path / "set/test/pose/000003_0_0_keypoints.json").read_text())["people"] == []


def test_single_garments_alone(album, tmp_path):
    labels = np.asarray(Image.open(album / "maps" / "000001_0.png")).copy()
    upper = np.argwhere(np.isin(labels, (1, 4, 5)))
    labels[tuple(upper[: len(upper) // 2].T)], labels[tuple(upper[len(upper) // 2 :].T)] = 1, 5
    save_palette_png(album / "maps" / "000001_0.png", labels, "deepfashion15", overwrite=True)
    plan = plan_of(album)
    outcome = write_photo_pairs(tmp_path / "set", replace(plan, settings=replace(plan.settings, garment="single")))
    assert "000001_0" in outcome.dropped["several upper garments"]


def test_nothing_usable_leaves_nothing(album, tmp_path):
    plan = plan_of(album)
    with pytest.raises(UserError, match="no photo can be used: 5 x upper garment smaller than 49000 pixels"):
        write_photo_pairs(tmp_path / "set", replace(plan, settings=replace(plan.settings, min_garment=49000)))
    assert [path.name for path in tmp_path.iterdir()] == ["album"]


def test_existing_folders(album, tmp_path):
    plan = plan_of(album)
    write_photo_pairs(tmp_path / "set", plan)
    with pytest.raises(UserError, match="exists already: pass --overwrite"):
        write_photo_pairs(tmp_path / "set", plan)
    write_photo_pairs(
        tmp_path / "set", replace(plan, photos=plan.photos[:1], rule=SplitRule(train=["*"])), overwrite=True
    )
    assert len(files(tmp_path / "set")) == 6 + 2
    with pytest.raises(UserError, match="is not a set of the kind 'photo pairs'"):
        write_photo_pairs(album, plan, overwrite=True)
    assert (album / "photos" / "000001_0.jpg").exists()


def test_the_marker_says_how_it_was_made_and_names_no_place(album, tmp_path):
    write_photo_pairs(tmp_path / "set", plan_of(album))
    text = (tmp_path / "set" / MARKER).read_text()
    content = json.loads(text)
    assert str(tmp_path) not in text
    assert (content["data_set"], content["label_space"], content["seed"]) == ("photo pairs", "deepfashion15", 0)
    assert [person["split"] for person in content["persons"]] == ["train"] * 2 + ["test"] * 3
    assert len(content["persons"][0]["box"]) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variants": 0}, "--variants is 0"),
        ({"mirror": 2.0}, "--mirror is 2"),
        ({"settings": Settings(size=(16, 16))}, "--size is 16 16"),
        ({"settings": Settings(strength=-1.0)}, "--strength is -1"),
        ({"settings": Settings(min_garment=0)}, "--min-garment must be 1 or more"),
        ({"poses": "nowhere"}, "pose source nowhere is neither a folder of keypoint files nor one of auto"),
        ({"rule": SplitRule(train=["1-9"], test=["000001_0", "9-1"])}, "range 9-1 is empty"),
        (
            {"rule": SplitRule(train=["1", "2"], test=["*"])},
            "--train 1 2 matches no person; ids look like 000001_0",
        ),
        ({"rule": SplitRule(train=["*"], test=["000001_0"])}, "000001_0 is in --train and in --test"),
    ],
)
def test_plans_that_make_no_sense(album, tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        write_photo_pairs(tmp_path / "set", plan_of(album, **changes))
    assert not (tmp_path / "set").exists()


def test_persons_stand_before_white_unless_the_photo_is_wanted(album, tmp_path):
    plan = plan_of(album)
    write_photo_pairs(tmp_path / "white", plan)
    write_photo_pairs(tmp_path / "photo", replace(plan, settings=replace(plan.settings, background="photo")))
    white, photo, labels = (
        np.asarray(Image.open(tmp_path / name)).astype(int)
        for name in (
            "white/train/image/000001_0_0.jpg",
            "photo/train/image/000001_0_0.jpg",
            "white/train/image-parse/000001_0_0.png",
        )
    )
    far = 3  # pixels from the person's edge, beyond what resizing mixes
    disc = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * far + 1, 2 * far + 1))
    person = (labels > 0).astype(np.uint8)
    outside, inside = cv2.dilate(person, disc) == 0, cv2.erode(person, disc) == 1
    assert outside.sum() > 100
    assert inside.sum() > 100
    assert white[outside].min() > 235
    assert photo[outside].mean() < 235
    np.testing.assert_allclose(white[inside], photo[inside], atol=25)  # JPEG


def test_what_a_segmenter_predicted_comes_along(album, tmp_path):
    """Here it predicted the truth, so that what came along, cut and mirrored alike, is the set's own map."""
    photos = find_labeled(album / "photos", [album / "maps"])
    seen = {photo.place: replace(photo, stamp={"checkpoint_sha256": "aa"}) for photo in photos}
    plan = plan_of(album, predicted=seen, mirror=1)
    assert write_photo_pairs(tmp_path / "set", plan).persons == {"train": 2, "test": 3}
    stamps = [record["stamp"] for record in read_records(tmp_path / "set" / "train" / PREDICTED).values()]
    assert stamps == 2 * [{"checkpoint_sha256": "aa", "label_space": "deepfashion15"}]
    size = {"split": "train", "image_size": SIZE}
    predicted = {"pipeline": PREDICTED_TRAIN, "folders": {"predicted_parse": PREDICTED}}
    own = build(tmp_path / "set", "train_pairs.txt", "viton", "deepfashion15", **size)
    seen = build(tmp_path / "set", "train_pairs.txt", "viton", "deepfashion15", **size, **predicted)
    assert len(own) == len(seen) == 2
    for a, b in zip(own, seen, strict=True):
        assert a["inputs"].keys() == b["inputs"].keys()
        assert all(a["inputs"][key].equal(b["inputs"][key]) for key in a["inputs"])


def test_a_photo_without_a_prediction_is_a_fault(album, tmp_path):
    photos = find_labeled(album / "photos", [album / "maps"])
    plan = plan_of(album, predicted={photo.place: photo for photo in photos[1:]})
    outcome = write_photo_pairs(tmp_path / "set", plan)
    assert len(outcome.faults) == 1
    assert photos[0].photo.name in outcome.faults[0]
    assert "--predicted has no label map" in outcome.faults[0]


def test_the_known_warp_lays_the_worn_garment_on_the_in_shop_one(album, tmp_path):
    """The spline of the file takes the in-shop garment back to where it is worn."""
    write_photo_pairs(tmp_path / "set", plan_of(album, mirror=1))
    settings = {"split": "train", "image_size": SIZE, "folders": {"theta": "warp"}}
    for item in build(tmp_path / "set", "train_pairs.txt", "viton", "deepfashion15", **settings):
        inputs = {key: value[None] for key, value in item["inputs"].items()}
        grid = TPSGrid(SIZE)(inputs["theta"])
        worn, laid = inputs["parse_cloth_mask"], inputs["cloth_mask"]
        warped = torch.nn.functional.grid_sample(laid, grid, align_corners=True) > 0.5
        both, either = (warped & (worn > 0)).sum(), (warped | (worn > 0)).sum()
        assert both / either > 0.8  # what arms hide is in the one and not in the other
        unmoved = (laid > 0.5) & (worn > 0)
        assert unmoved.sum() / ((laid > 0.5) | (worn > 0)).sum() < 0.7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no array", "is not an array of offsets"),
        (np.full(50, 2.0), r"not the 50 offsets in \[-1, 1\]"),
        (np.zeros((2, 25)), r"has float64 \(2, 25\), not the 50 offsets"),
        (np.zeros(72), r"has float64 \(72,\), not the 50 offsets .* of 5 x 5 control points"),
    ],
)
def test_broken_known_warps_are_named(album, tmp_path, content, message):
    write_photo_pairs(tmp_path / "set", plan_of(album))
    file = tmp_path / "set/train/warp/000001_0_0.npy"
    file.write_bytes(content) if isinstance(content, bytes) else np.save(file, content)
    settings = {"split": "train", "image_size": SIZE, "folders": {"theta": "warp"}}
    with pytest.raises(UserError, match=f"000001_0_0.npy.*{message}"):
        build(tmp_path / "set", "train_pairs.txt", "viton", "deepfashion15", **settings)[0]
