"""The predictor: persons, garments, try-ons, and what it refuses."""

import json
import shutil
from copy import copy

import numpy as np
import pytest
import torch
from forged_models import forge
from mmengine.config import Config
from tryon_pipelines import PREDICTED_TEST, build
from tryon_pipelines import changed as changed_steps

from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15
from seg_vton.parsing.instances import space_of
from seg_vton.pictures.photos import read_photo
from seg_vton.pose.keypoints import read_people
from seg_vton.registry import MODELS
from seg_vton.tryon.datasets.dataset import build_pipeline
from seg_vton.tryon.export import export
from seg_vton.tryon.inference.panel import draw_panel
from seg_vton.tryon.inference.person import prepare_person
from seg_vton.tryon.models import GMM
from seg_vton.tryon.predictor import TryOn


def photo_of(doll_photos, number=1, folder="persons"):
    return read_photo(doll_photos / folder / f"{number}.png")


def people_of(doll_photos, number=1):
    return read_people(doll_photos / "pose" / f"{number}_keypoints.json", (96, 128))


def changed(predictor, **attributes):
    """The predictor with other attributes; loading takes longer."""
    other = copy(predictor)
    other.__dict__.update(attributes)
    return other


@pytest.fixture(scope="module")
def dressed(predictor, doll_photos):
    """A person, a garment and the try-on."""
    person = predictor.person(photo_of(doll_photos), people_of(doll_photos))
    garment = predictor.garment(photo_of(doll_photos, 2, "garments"))
    return person, garment, predictor(person, garment)


def test_shapes_and_sources(dressed):
    person, garment, result = dressed
    assert result.image.shape == person.photo.shape == (192, 144, 3)
    assert result.warped_cloth.shape == (person.box.height, person.box.width, 3)
    assert result.mask.shape == (person.box.height, person.box.width)
    assert {picture.dtype for picture in (result.image, result.warped_cloth, result.mask)} == {np.dtype(np.uint8)}
    assert person.box.height == pytest.approx(person.box.width, abs=1)  # the tiny models see squares
    assert garment.source == "cut-out"
    assert result.outputs["try_on"].shape == (1, 3, 64, 64)
    assert person.full_label_map().shape == (192, 144)
    assert person.results["parsing"].shape == person.parse.shape == (64, 64)
    assert result.warnings == person.warnings + garment.warnings


def test_a_photo_that_is_framed_already_gives_the_data_sets_own_input(oracle, tiny_dolls, doll_photos):
    dataset = build(tiny_dolls, "test_pairs.txt", "paper_doll", "deepfashion15", "test", image_size=(64, 48))
    expected, photo = dataset[0]["inputs"]["agnostic"], photo_of(doll_photos)
    person = prepare_person(photo, oracle(photo).label_map(fill_holes=False), people_of(doll_photos), (64, 48))
    assert tuple(person.box) == (0, 0, 144, 192)
    steps = build_pipeline([{"type": "LoadPerson"}, {"type": "CPVTONAgnostic"}])
    arrays = {**person.results, "parsing_space": "deepfashion15", "image_size": (64, 48), "inputs": {}}
    got = torch.from_numpy(steps(arrays)["inputs"]["agnostic"])
    assert torch.equal(got[0], expected[0])  # of a map enlarged and reduced
    assert (got[4:] - expected[4:]).abs().mean() < 0.02  # joints may round to the next pixel
    assert (got[1:4] - expected[1:4]).abs().mean() < 0.05  # the photo was resized twice


def test_a_parsing_map_of_another_label_space_is_said_to_be_odd(oracle, doll_photos):
    photo = photo_of(doll_photos)
    labels = oracle(photo).label_map(fill_holes=False)
    of_acgpn = np.select([np.isin(labels, (1, 4, 5)), labels == 15, labels > 0], [5, 12, 14]).astype(np.uint8)
    person = prepare_person(photo, of_acgpn, people_of(doll_photos), (64, 48), "lip20")
    assert any("the nose lies on skirt: is the map of another label space than lip20?" in w for w in person.warnings)


def test_each_stage_gets_what_its_own_configs_pipeline_makes(oracle, stages, doll_photos):
    """Here the TOM's config marks joints by larger squares; targets, which need a truth, are left out."""
    config = load_config(stages["tom"][0])
    config.test_dataloader.dataset.pipeline = changed_steps("CPVTONAgnostic", pose_radius=3)
    try_on = TryOn(oracle, stages["gmm"], (config, stages["tom"][1]))
    person = try_on.person(photo_of(doll_photos), people_of(doll_photos))
    gmm, tom = try_on.inputs(person, try_on.garment(photo_of(doll_photos, 2, "garments")))
    assert gmm.keys() == tom.keys() == {"agnostic", "image", "cloth", "cloth_mask"}
    assert gmm["agnostic"].shape == (1, 22, 64, 64)
    assert torch.equal(gmm["agnostic"][:, :4], tom["agnostic"][:, :4])
    squares = [(each["agnostic"][0, 4:] > 0).sum((1, 2)).max() for each in (gmm, tom)]
    assert squares == [9, 49]


def test_equal_pipelines_run_once_and_all_maps_that_they_load_are_the_segmenters(oracle, stages, doll_photos):
    configs = [load_config(stages[name][0]) for name in ("gmm", "tom")]
    for config in configs:
        config.test_dataloader.dataset.pipeline = PREDICTED_TEST
    try_on = TryOn(oracle, (configs[0], stages["gmm"][1]), (configs[1], stages["tom"][1]))
    person = try_on.person(photo_of(doll_photos), people_of(doll_photos))
    gmm, tom = try_on.inputs(person, try_on.garment(photo_of(doll_photos, 2, "garments")))
    assert gmm is tom
    assert (gmm["agnostic"][0, 1:4] > -1).any()


def test_outside_the_window_and_where_nothing_changes_the_photo_is_untouched(predictor, oracle, doll_photos):
    photo, people = photo_of(doll_photos), people_of(doll_photos)
    wide = np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    wide[60:252, 200:344] = photo
    label_map = np.zeros((300, 500), np.uint8)
    label_map[60:252, 200:344] = oracle(photo).label_map(fill_holes=False)
    oracle.learn(wide, label_map)
    moved = [joints + np.where(joints[:, 2:] > 0, [200, 60, 0], 0) for joints in people]
    person = predictor.person(wide, moved)
    garment = predictor.garment(photo_of(doll_photos, 2, "garments"))
    inside = np.zeros((300, 500), bool)
    box = person.box
    inside[max(box.top, 0) : box.top + box.height, max(box.left, 0) : box.left + box.width] = True
    assert 0 < inside.sum() < inside.size
    whole = changed(predictor, whole_window=True)
    kept, replaced = predictor(person, garment).image, whole(person, garment).image
    for image in (kept, replaced):
        assert np.array_equal(image[~inside], wide[~inside])
    assert (replaced[inside] != wide[inside]).any(1).mean() > 0.9
    head = np.isin(label_map, DEEPFASHION15.unions.head) & inside
    assert (kept[head] == wide[head]).all(1).mean() > 0.5 > (replaced[head] == wide[head]).all(1).mean()
    upper = np.isin(label_map, DEEPFASHION15.unions.upper) & inside
    assert (kept[upper] != wide[upper]).any(1).mean() > 0.8


def test_the_same_inputs_give_the_same_bytes(predictor, dressed):
    person, garment, result = dressed
    again = predictor(person, garment)
    assert np.array_equal(again.image, result.image)
    assert np.array_equal(again.mask, result.mask)


# ---- persons


def test_of_several_people_the_one_on_the_body_is_taken(predictor, doll_photos):
    photo, (own,) = photo_of(doll_photos), people_of(doll_photos)
    other = np.zeros_like(own)
    other[0], other[1] = (5, 5, 1), (140, 190, 1)
    alone = predictor.person(photo, [own])
    person = predictor.person(photo, [other, own])
    assert np.array_equal(person.joints, own)
    assert np.array_equal(person.results["joints"], alone.results["joints"])
    assert [text for text in person.warnings if "the keypoints are of 2 people" in text]
    assert not [text for text in alone.warnings if "people:" in text]


def test_without_a_pose_the_maps_are_empty_and_it_is_said(predictor, doll_photos):
    for people in ([], [np.zeros((18, 3), np.float32)]):
        person = predictor.person(photo_of(doll_photos), people)
        assert person.joints is None
        assert person.results["joints"] is None
        assert [text for text in person.warnings if text.startswith("no pose")]


def test_a_pose_of_another_photo_is_refused(predictor, doll_photos):
    joints = np.zeros((18, 3))
    joints[:3] = (1000, 900, 1)
    with pytest.raises(UserError, match="none of the keypoints lies on the person"):
        predictor.person(photo_of(doll_photos), [joints])


def test_joints_far_outside_count_as_missing(predictor, doll_photos):
    photo, (own,) = photo_of(doll_photos), people_of(doll_photos)
    missing, far = own.copy(), own.copy()
    missing[4], far[4] = 0, (1e300, 50, 1)
    expected, person = predictor.person(photo, [missing]), predictor.person(photo, [far])
    assert person.box == expected.box
    assert np.array_equal(person.results["joints"], expected.results["joints"])
    assert "1 joints lie outside the photo and count as missing" in person.warnings
    assert not [text for text in expected.warnings if "outside" in text]


def test_without_a_person_the_photo_is_refused(predictor, oracle):
    nobody = np.full((200, 150, 3), 90, np.uint8)
    with pytest.raises(UserError, match=r"no person in the photo: found no upper body .*sees nothing"):
        predictor.person(nobody)
    label_map = np.zeros((200, 150), np.uint8)
    label_map[50:60] = DEEPFASHION15.id_of("skin")
    shoe = nobody + 1
    oracle.learn(shoe, label_map)
    with pytest.raises(UserError, match=r"no upper body .*sees skin"):
        predictor.person(shoe)


def test_a_tiny_person_is_refused_and_a_dress_is_said(predictor, oracle):
    photo = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    label_map = np.zeros((400, 300), np.uint8)
    label_map[200:230, 150:170] = DEEPFASHION15.id_of("dress")
    oracle.learn(photo, label_map)
    with pytest.raises(UserError, match=r"the person is too small: .* pixels high, 64 needed"):
        predictor.person(photo)
    label_map = np.zeros((400, 300), np.uint8)
    label_map[100:330, 100:200] = DEEPFASHION15.id_of("dress")
    oracle.learn(photo, label_map)
    warnings = predictor.person(photo).warnings
    assert any("wears a dress" in text for text in warnings)
    assert any("finds no head" in text for text in warnings)


def test_a_large_photo_is_parsed_small_and_kept_whole(predictor, doll_photos):
    """8000 pixels: what the segmenter gets is bounded, what comes out is the photo's size."""
    photo = np.full((8000, 900, 3), 200, np.uint8)
    shapes = []

    class Parser:
        device, stamp = torch.device("cpu"), {}

        def __call__(self, image):
            shapes.append(image.shape)
            return self

        def label_map(self, space):
            label_map = np.zeros(shapes[-1][:2], np.uint8)
            label_map[300:420, 60:170] = DEEPFASHION15.id_of("top")
            label_map[240:300, 90:130] = DEEPFASHION15.id_of("hair")
            return label_map

    large = changed(predictor, parser=Parser())
    person = large.person(photo)
    result = large(person, predictor.garment(photo_of(doll_photos, 2, "garments")))
    assert max(shapes[0]) == 2048
    assert result.image.shape == photo.shape
    box = person.box
    assert box.top < 300 * 8000 / 2048 < 420 * 8000 / 2048 < box.top + box.height
    assert np.array_equal(result.image[: box.top], photo[: box.top])


def test_maps_of_another_space_serve_by_its_own_unions_in_the_place_of_a_segmenter(
    predictor, oracle, stages, doll_photos
):
    own = TryOn(None, stages["gmm"], stages["tom"], label_space="tryon8")
    photo, people = photo_of(doll_photos), people_of(doll_photos)
    person = own.person(photo, people, oracle(photo).label_map("tryon8"))
    garment = own.garment(photo_of(doll_photos, 2, "garments"))
    expected = predictor(predictor.person(photo, people), garment)
    assert (person.space, own.stamp["segmenter"]) == ("tryon8", {"label_space": "tryon8"})
    assert np.array_equal(own(person, garment).image, expected.image)
    assert draw_panel(person, garment, expected, "a doll").ndim == 3
    with pytest.raises(UserError, match="label map is"):
        own.person(photo, people, np.zeros((9, 9), np.uint8))


def test_a_class_derived_of_gmm_is_a_gmm(predictor, oracle, stages, doll_photos):
    @MODELS.register_module(force=True)
    class OwnGMM(GMM):
        """A researcher's own."""

    config = load_config(stages["gmm"][0], {"model.type": "OwnGMM"})
    own = TryOn(oracle, (config, stages["gmm"][1]), stages["tom"])
    photo = photo_of(doll_photos)
    pair = predictor.person(photo), predictor.garment(photo)
    assert np.array_equal(own(*pair).image, predictor(*pair).image)


# ---- what it refuses


def test_checkpoints_and_configs_of_other_models_are_refused(oracle, stages, tmp_path):
    gmm, tom = stages["gmm"], stages["tom"]
    other = copy(oracle)
    other.space = space_of(["hat", "scarf"])
    with pytest.raises(UserError, match=r"own\(hat, scarf\) cannot become deepfashion15"):
        TryOn(other, gmm, tom)
    with pytest.raises(UserError, match=r"tom_tiny\.py is of TOM: --gmm needs a config of GMM"):
        TryOn(oracle, tom, tom)
    with pytest.raises(UserError, match=r"gmm\.pth does not fit the model of the config"):
        TryOn(oracle, gmm, (tom[0], gmm[1]))
    with pytest.raises(UserError, match=r"none\.pth does not exist"):
        TryOn(oracle, (gmm[0], tmp_path / "none.pth"), tom)
    payload = tmp_path / "payload.pth"
    torch.save({"state_dict": torch.load(gmm[1], weights_only=True), "extra": Config({"a": 1})}, payload)
    with pytest.raises(UserError, match=r"payload\.pth was refused: it asks for mmengine"):
        TryOn(oracle, (gmm[0], payload), tom)
    other = load_config(tom[0])
    other.test_dataloader.dataset.image_size = (128, 96)
    with pytest.raises(UserError, match=r"is for images of \(128, 96\)"):
        TryOn(oracle, gmm, (other, tom[1]))
    other = load_config(tom[0])
    other.test_dataloader.dataset.garment_classes = ("pants", "skirt")
    with pytest.raises(UserError, match=r"tom_tiny\.py tries on pants, skirt, and own photos are dressed in upper"):
        TryOn(oracle, gmm, (other, tom[1]))
    other = load_config(tom[0])
    del other.test_dataloader.dataset["pipeline"]
    with pytest.raises(UserError, match=r"tom_tiny\.py has no test_dataloader\.dataset\.pipeline"):
        TryOn(oracle, gmm, (other, tom[1]))


def test_the_stamp_names_all_checkpoints_and_is_json(predictor, stages):
    stamp = json.loads(json.dumps(predictor.stamp))
    assert stamp["segmenter"] == {"checkpoint": "truth"}
    assert (stamp["gmm"]["checkpoint"], stamp["tom"]["checkpoint"]) == ("gmm.pth", "tom.pth")
    assert stamp["gmm"]["checkpoint_sha256"] != stamp["tom"]["checkpoint_sha256"]


def test_a_model_folder_gives_what_its_configs_and_checkpoints_give(
    oracle, stages, tiny_config_file, tiny_weights, doll_photos, tmp_path
):
    segmenter = (tiny_config_file, tiny_weights[0])
    export(tmp_path / "models", segmenter, stages["gmm"], stages["tom"], licenses=["ours"])
    trained = TryOn(None, stages["gmm"], stages["tom"], label_space="deepfashion15")
    loaded = TryOn.load(tmp_path / "models", "cpu", label_space="deepfashion15")
    photo = photo_of(doll_photos)
    pair = (
        trained.person(photo, people_of(doll_photos), oracle(photo).label_map()),
        trained.garment(photo_of(doll_photos, 2, "garments")),
    )
    expected, found = trained(*pair), loaded(*pair)
    assert np.array_equal(found.image, expected.image)
    assert np.array_equal(found.mask, expected.mask)
    assert loaded.stamp["tom"]["model_sha256"] == trained.stamp["tom"]["model_sha256"]
    assert TryOn.load(tmp_path / "models", "cpu", score_thr=0.2).parser.score_thr == 0.2
    with pytest.raises(UserError, match="--gmm and --tom go together"):
        export(tmp_path / "other", segmenter, stages["gmm"])
    for forged in (
        ("gmm", "config", "model", []),
        ("gmm", "config", "model", "image_size", 3),
        ("gmm", "config", "model", "image_size", [8, 8]),
        ("tom", "config", "model", "backbone", []),
        ("tom", "config", "test_dataloader", "dataset", [[]]),
        ("tom", "config", "test_dataloader", "dataset", "pipeline", [3]),
        ("tom", "config", "test_dataloader", "dataset", "pipeline", []),
        ("gmm", "config", "test_dataloader", "dataset", "pipeline", [{"type": "LoadPerson"}]),  # fails when it runs
    ):
        folder = shutil.copytree(tmp_path / "models", tmp_path / "forged", dirs_exist_ok=True)
        forge(folder, *forged)
        with pytest.raises(UserError, match=r"forged/model\.json"):
            TryOn.load(folder, "cpu", label_space="deepfashion15")(*pair)
    export(tmp_path / "models", segmenter, overwrite=True)
    with pytest.raises(UserError, match="has no gmm and no tom: give --gmm"):
        TryOn.load(tmp_path / "models", "cpu")
