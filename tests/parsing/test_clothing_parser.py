import shutil

import numpy as np
import pytest
import torch
from forged_models import forge
from mmdet.apis import inference_detector
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from PIL import Image

from seg_vton.engine.launch import load_config
from seg_vton.engine.model_folder import write_folder
from seg_vton.errors import UserError
from seg_vton.files import sha256
from seg_vton.labels import CLOTHING_CLASSES, DEEPFASHION15
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import limited


@pytest.fixture(scope="module")
def checkpoint(tiny_weights):
    return tiny_weights[0]


@pytest.fixture(scope="module")
def photo(tiny_coco):
    return np.array(Image.open(tiny_coco / "images" / "1.png"))


def mmdets_own(config_file, checkpoint, image):
    """`inference_detector` on a model built the long way; BGR, as mmdet reads files."""
    config = load_config(config_file)
    init_default_scope("mmdet")
    model = MODELS.build(config.model)
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    model.cfg = config
    return inference_detector(model.eval(), np.ascontiguousarray(image[..., ::-1])).pred_instances


@pytest.mark.parametrize("score_thr", [0.0, 0.1])
def test_the_instances_are_mmdets(tiny_config_file, checkpoint, photo, score_thr):
    expected = mmdets_own(tiny_config_file, checkpoint, photo)
    kept = expected[expected.scores >= score_thr]
    assert len(kept) > 2
    parser = ClothingParser(tiny_config_file, checkpoint, device="cpu", score_thr=score_thr, one_per_class=False)
    parsing = parser(photo)
    assert np.allclose(parsing.scores, kept.scores, atol=1e-6)
    assert np.allclose(parsing.boxes, kept.bboxes, atol=1e-3)
    assert parsing.labels.tolist() == [label + 1 for label in kept.labels.tolist()]
    assert np.array_equal(parsing.masks, kept.masks.numpy())
    assert parsing.masks.shape[1:] == parsing.shape == photo.shape[:2]


def test_the_threshold_saves_masks_and_changes_nothing_above_it(tiny_config_file, checkpoint, photo):
    everything = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0, one_per_class=False)(photo)
    threshold = float(everything.scores[len(everything) // 2])  # equal to a score: that one is in
    parser = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=threshold, one_per_class=False)
    assert parser(photo).scores.tolist() == everything.scores[everything.scores >= np.float32(threshold)].tolist()


def test_one_instance_of_each_class_is_the_default(tiny_config_file, checkpoint, photo):
    everything = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0, one_per_class=False)(photo)
    best = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0)(photo)
    assert len(set(everything.labels)) == len(best) < len(everything)
    for label, score in zip(best.labels, best.scores, strict=True):
        assert score == everything.scores[everything.labels == label].max()


def test_a_batch_is_its_photos_one_by_one(tiny_config_file, checkpoint, photo, tiny_coco):
    parser = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0.05)
    other = np.array(Image.open(tiny_coco / "images" / "7.png"))
    assert other.shape == photo.shape
    batch = parser.parse_batch([photo, other, photo])
    assert parser.parse_batch([]) == []
    for image, found in zip([photo, other, photo], batch, strict=True):
        alone = parser(image)
        assert len(alone) > 1
        assert np.allclose(found.scores, alone.scores, atol=1e-5)
        assert found.classes == alone.classes
        assert (found.masks == alone.masks).mean() > 0.999
    sizes = parser.parse_batch([photo, photo[:60, :50].copy()])
    assert [parsing.shape for parsing in sizes] == [photo.shape[:2], (60, 50)]


def test_a_large_photo_is_looked_at_small_and_found_at_its_size(tiny_config_file, checkpoint, photo, monkeypatch):
    """Memory: what the network's masks take does not grow with the photo."""
    parser = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0.05)
    large = np.asarray(Image.fromarray(photo).resize((1200, 4096)))
    sizes, run = [], parser.pipeline
    monkeypatch.setattr(parser, "pipeline", lambda results: sizes.append(results["img"].shape) or run(results))
    found, small = parser.parse_batch([large, limited(large)])
    assert sizes == 2 * [(2048, 600, 3)]
    assert found.shape == found.label_map().shape == (4096, 1200)
    assert len(found) > 1
    assert np.allclose(found.boxes, small.boxes * 2, atol=1e-3)
    assert np.allclose(found.scores, small.scores, atol=1e-6)
    assert (found.masks[:, ::2, ::2] == small.masks).mean() > 0.99


def test_the_default_scope_of_another_half_does_not_matter(tiny_config_file, checkpoint, photo):
    init_default_scope("seg_vton")
    assert len(ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0.05)(photo)) > 1
    assert DefaultScope.get_current_instance().scope_name == "seg_vton"


def test_nothing_above_the_threshold_is_a_result(tiny_config_file, checkpoint, photo):
    parsing = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=1.0)(photo)
    assert len(parsing) == 0
    assert parsing.masks.shape == (0, *photo.shape[:2])
    assert not parsing.label_map().any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU, and DEVICE=cuda")
def test_a_gpu_finds_what_the_cpu_finds(tiny_config_file, checkpoint, photo, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # whose 10 bits change the order of close scores
    on_cpu, on_gpu = (
        ClothingParser(tiny_config_file, checkpoint, device, score_thr=0.1)(photo) for device in ("cpu", "cuda")
    )
    assert len(on_cpu) > 0
    assert on_gpu.classes == on_cpu.classes
    assert np.allclose(on_gpu.scores, on_cpu.scores, atol=1e-2)
    assert (on_gpu.masks == on_cpu.masks).mean() > 0.99


@pytest.mark.parametrize(
    "image", [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 3)), np.zeros((3, 40, 40), np.uint8)]
)
def test_arrays_of_another_kind_are_refused(tiny_config_file, checkpoint, image):
    parser = ClothingParser(tiny_config_file, checkpoint, "cpu")
    with pytest.raises(ValueError, match=r"expected RGB uint8 \(H, W, 3\)"):
        parser(image)


def test_the_stamp_names_all_that_a_parsing_depends_on(tiny_config_file, checkpoint):
    stamp = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0.3).stamp
    assert stamp["checkpoint_sha256"] == sha256(checkpoint)
    assert (stamp["config"], stamp["checkpoint"]) == ("mask-rcnn_tiny.py", "0.pth")
    assert (stamp["score_thr"], stamp["one_per_class"], stamp["map"]) == (0.3, True, "instances")
    options = {
        "threshold": {"model.test_cfg.rcnn.score_thr": 0.002},
        "image": {"test_dataloader.dataset.pipeline.1.scale": (64, 96)},
        "model": {"model.test_cfg.rcnn.max_per_img": 5},
        "unrelated": {"train_cfg.max_epochs": 7, "work_dir": "elsewhere"},
        "training": {"model.roi_head.mask_head.type": "FCNMaskHead"},
    }
    changed = {
        name: ClothingParser(load_config(tiny_config_file, option), checkpoint, "cpu", score_thr=0.3).stamp
        for name, option in options.items()
    }
    assert changed.pop("unrelated") == changed.pop("training") == stamp
    assert len({stamp["model_sha256"], *(other["model_sha256"] for other in changed.values())}) == 4
    higher = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0.6).stamp
    assert higher == stamp | {"score_thr": 0.6}


def test_a_config_object_is_not_changed(tiny_config_file, checkpoint):
    config = load_config(tiny_config_file)
    before = config.to_dict()
    ClothingParser(config, checkpoint, "cpu", score_thr=0.7)
    assert config.to_dict() == before


def test_class_names_come_from_the_checkpoint_then_from_the_config(tiny_config_file, checkpoint, photo, tmp_path):
    turned = CLOTHING_CLASSES[::-1]
    content = torch.load(checkpoint, weights_only=True)
    bare = tmp_path / "bare.pth"
    torch.save({f"module.{key}": value for key, value in content["state_dict"].items()}, bare)
    renamed = tmp_path / "renamed.pth"
    torch.save(content | {"meta": {"dataset_meta": {"classes": turned}}}, renamed)
    assert ClothingParser(tiny_config_file, bare, "cpu").classes == CLOTHING_CLASSES
    parser = ClothingParser(tiny_config_file, renamed, "cpu", score_thr=0.05)
    assert parser.classes == turned
    names = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0.05)(photo).classes
    assert parser(photo).classes == tuple(turned[CLOTHING_CLASSES.index(name)] for name in names)
    config = load_config(tiny_config_file, {"test_dataloader.dataset.metainfo": {"classes": turned}})
    assert ClothingParser(config, bare, "cpu").classes == turned
    assert ClothingParser(config, bare, "cpu", classes=CLOTHING_CLASSES).classes == CLOTHING_CLASSES
    assert DEEPFASHION15.classes[1:] == CLOTHING_CLASSES


def broken(name, checkpoint, folder):
    """A checkpoint with a fault."""
    content = torch.load(checkpoint, weights_only=True)
    state = content["state_dict"]
    path = folder / f"{name}.pth"
    if name == "cut":
        path.write_bytes(checkpoint.read_bytes()[:-2000])
    elif name == "pickle":
        torch.save(content | {"payload": Config({"a": 1})}, path)
    elif name == "less":
        torch.save({"state_dict": {k: v for k, v in state.items() if "mask_head" not in k}}, path)
    elif name == "shape":
        torch.save({"state_dict": state | {"neck.fpn_convs.0.conv.weight": torch.ones(2, 2)}}, path)
    elif name == "coco":
        torch.save(content | {"meta": {"dataset_meta": {"classes": ("person", "dog")}}}, path)
    elif name == "twice":
        torch.save(content | {"meta": {"dataset_meta": {"classes": 15 * ("person",)}}}, path)
    elif name == "meta":
        torch.save({"state_dict": {"a.weight": torch.ones(2)}, "meta": {"dataset_meta": None}}, path)
    elif name == "numbers":
        torch.save({1: torch.ones(2), "neck.fpn_convs.0.conv.weight": "text"}, path)
    elif name == "few":
        torch.save(content | {"meta": {"dataset_meta": {"classes": CLOTHING_CLASSES[:3]}}}, path)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", r"none\.pth does not exist"),
        ("cut", r"cut\.pth cannot be read as a checkpoint"),
        ("pickle", r"pickle\.pth was refused: it asks for mmengine"),
        ("less", r"does not fit the model of the config \(\d+ missing"),
        ("shape", "1 of another shape: neck.fpn_convs.0.conv.weight 2x2 instead of"),
        ("coco", "knows 2 classes and the model of .* has 15"),
        ("twice", "has two classes of one name"),
        ("meta", r"does not fit the model of the config \(\d+ missing"),
        ("numbers", r"1 unexpected: 1; 1 of another shape: neck.fpn_convs.0.conv.weight no tensor instead of"),
        ("few", "knows 3 classes and the model of .* has 15"),
    ],
)
def test_wrong_checkpoints_are_refused(tiny_config_file, checkpoint, tmp_path, name, expected):
    with pytest.raises(UserError, match=expected):
        ClothingParser(tiny_config_file, broken(name, checkpoint, tmp_path), "cpu")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"score_thr": 1.5}, "score threshold is 1.5: it must be from 0 to 1"),
        ({"device": "cuda:99"}, "device cuda:99 cannot be used"),
        ({"device": "abacus"}, "device abacus cannot be used"),
        ({"config": "none.py"}, r"none\.py does not exist"),
    ],
)
def test_wrong_arguments_are_refused(tiny_config_file, checkpoint, change, expected):
    arguments = {"config": tiny_config_file, "checkpoint": checkpoint, "device": "cpu", **change}
    with pytest.raises(UserError, match=expected):
        ClothingParser(**arguments)


def test_a_config_without_masks_is_refused(tiny_config_file, checkpoint):
    config = load_config(tiny_config_file)
    del config.model.roi_head["mask_head"]
    with pytest.raises(UserError, match="no model with a mask head"):
        ClothingParser(config, checkpoint, "cpu")


def test_a_model_with_a_semantic_head_gives_its_map_in_the_photos_frame(tiny_panoptic, photo):
    parser = ClothingParser(*tiny_panoptic, "cpu", score_thr=0.05)
    assert parser.stamp["map"] == "fused"
    small = photo[:60, :50].copy()
    for image, found in zip((photo, small), parser.parse_batch([photo, small]), strict=True):
        assert found.semantic.shape == found.label_map().shape == image.shape[:2]
        assert found.semantic.dtype == np.uint8
        alone = parser(image)
        assert (alone.semantic == found.semantic).mean() > 0.95
        assert len(np.unique(found.semantic)) > 1
        assert len(found) > 1
    turned = ClothingParser(*tiny_panoptic, "cpu", score_thr=0.05, classes=CLOTHING_CLASSES[::-1])(photo)
    ids = np.array([0, *range(15, 0, -1)])
    assert np.array_equal(turned.semantic, ids[parser(photo).semantic])
    nothing = ClothingParser(*tiny_panoptic, "cpu", score_thr=1.0)(photo)
    assert np.array_equal(nothing.label_map(), parser(photo).semantic)


def test_a_model_folder_gives_what_its_config_and_checkpoint_give(
    exported, tiny_config_file, checkpoint, photo, tmp_path
):
    """Bit for bit as exported, and nearly so from float16."""
    facts = {"classes": list(CLOTHING_CLASSES), "score_thr": 0.05}
    write_folder(tmp_path / "half", {"segmenter": (load_config(tiny_config_file), checkpoint, facts)}, half=True)
    trained = ClothingParser(tiny_config_file, checkpoint, "cpu", score_thr=0.05)
    loaded = ClothingParser.load(exported, "cpu")
    expected, found = trained(photo), loaded(photo)
    assert len(found) > 1
    for name in ("scores", "boxes", "labels"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    assert np.array_equal(np.asarray(found.masks), np.asarray(expected.masks))
    assert loaded.stamp["model_sha256"] == trained.stamp["model_sha256"]
    assert loaded.stamp["checkpoint_sha256"] == sha256(exported / "segmenter.safetensors")
    assert ClothingParser.load(exported, "cpu", score_thr=0.2).score_thr == 0.2
    close = ClothingParser.load(tmp_path / "half", "cpu")(photo)
    assert (close.label_map() == expected.label_map()).mean() > 0.97


MODEL = ("config", "model")
FORGED = {
    "a list for a dict": (*MODEL, "roi_head", []),
    "a list for settings": (*MODEL, "test_cfg", []),
    "a text for a dict": (*MODEL, "backbone", "resnet"),
    "no type": (*MODEL, "neck", "type", None),
    "no settings of the test": (*MODEL, "test_cfg", None),
    "a number for a type": (*MODEL, "type", 3),
    "a number as text": (*MODEL, "rpn_head", "feat_channels", "8"),
    "a negative number of channels": (*MODEL, "rpn_head", "feat_channels", -8),
    "a list for the model": (*MODEL, [[[]]]),
    "no model": (*MODEL, None),
    "a list for the data": ("config", "test_dataloader", []),
    "a number for the pipeline": ("config", "test_dataloader", "dataset", "pipeline", 3),
    "a step of another kind": ("config", "test_dataloader", "dataset", "pipeline", [[]]),
    "a scope of another kind": ("config", "default_scope", {}),
    "numbers for classes": ("classes", list(range(15))),
    "a list for a class": ("classes", [[]] * 15),
    "too high a threshold": ("score_thr", 10**400),
    "a threshold as text": ("score_thr", "0.3"),
    "no name of a file": ("weights", "x" * 10_000 + ".safetensors"),
    # These fail when a photo is parsed.
    "no list of proposals": (*MODEL, "test_cfg", "rpn", "nms", []),
    "a list for a number": (*MODEL, "test_cfg", "rcnn", "mask_thr_binary", []),
    "a scale of words": ("config", "test_dataloader", "dataset", "pipeline", 1, "scale", ["a", "b"]),
}


@pytest.fixture(scope="module")
def exported(tiny_config_file, checkpoint, tmp_path_factory):
    facts = {"classes": list(CLOTHING_CLASSES), "score_thr": 0.05}
    folder = tmp_path_factory.mktemp("exported") / "models"
    write_folder(folder, {"segmenter": (load_config(tiny_config_file), checkpoint, facts)})
    return folder


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_model_folder_is_refused_in_one_message_that_names_the_file(exported, name, photo, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "models")
    forge(folder, "segmenter", *FORGED[name])
    with pytest.raises(UserError, match=r"models/model\.json"):
        ClothingParser.load(folder, "cpu")(photo)


def test_after_a_first_photo_nothing_is_blamed_on_the_model_folder(exported, photo, monkeypatch):
    parser = ClothingParser.load(exported, "cpu")
    parser(photo)
    monkeypatch.setattr(parser, "pipeline", lambda results: results["no such key"])
    with pytest.raises(KeyError):
        parser(photo)
