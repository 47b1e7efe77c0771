"""The pose backends: small modules of the same interface stand in for libraries, random weights for Keypoint R-CNN's.

What they prove is the glue (color order, arguments, mapping, messages), not that the models find people.
"""

import importlib.machinery
import importlib.util
import sys
import types

import numpy as np
import onnx
import pytest
import torch
from torchvision.models import detection

from seg_vton.errors import UserError
from seg_vton.pose import BACKENDS, estimate, load_estimator, resolve_backend
from seg_vton.pose.joints import OF_COCO_17, to_openpose18

IMAGE = np.zeros((120, 80, 3), np.uint8)
IMAGE[..., 0] = 200  # red


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch):
    """No backend is there, whatever the machine has, and none is remembered."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in ("rtmlib", "mediapipe") else real(name)
    )
    load_estimator.cache_clear()
    yield
    load_estimator.cache_clear()


def install(monkeypatch, module):
    known = importlib.util.find_spec
    spec = importlib.machinery.ModuleSpec(module.__name__, None)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == module.__name__ else known(name))
    return module


def people(*shifts):
    """People whose joint i is at (10 + i, 20 + 2 i), scaled about (10, 20), with scores of 0.9."""
    joints = np.column_stack([np.arange(17.0), 2 * np.arange(17.0)])
    return np.array([joints * scale + (10, 20) for scale in shifts]), np.full((len(shifts), 17), 0.9)


class FakeBody:
    """rtmlib's Body: takes BGR, returns COCO's joints and scores of N people."""

    found = people(1.0)
    built: list = []

    def __init__(self, **settings):
        FakeBody.built.append(settings)

    def __call__(self, image):
        """The people that a test put in."""
        assert image.flags.c_contiguous
        assert image[0, 0].tolist() == [0, 0, 200]
        return self.found


@pytest.fixture
def rtmlib(monkeypatch):
    FakeBody.built, FakeBody.found = [], people(1.0)
    return install(monkeypatch, types.SimpleNamespace(__name__="rtmlib", Body=FakeBody))


def fake_mediapipe(found):
    class Pose:
        def __init__(self, static_image_mode, model_complexity):
            assert (static_image_mode, model_complexity) == (True, 1)

        def process(self, image):
            assert image[0, 0].tolist() == [200, 0, 0]
            return types.SimpleNamespace(pose_landmarks=found)

    return types.SimpleNamespace(
        __name__="mediapipe", solutions=types.SimpleNamespace(pose=types.SimpleNamespace(Pose=Pose))
    )


def write_onnx(path, shape):
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_rtmlib(rtmlib):
    joints = estimate(IMAGE, "rtmlib")
    assert joints.shape == (18, 3)
    assert joints[0] == pytest.approx([10, 20, 0.9])
    assert joints[2] == pytest.approx([16, 32, 0.9])  # right shoulder, COCO's 6
    assert joints[1] == pytest.approx([15.5, 31, 0.9])
    assert FakeBody.built == [{"mode": "balanced", "backend": "onnxruntime"}]


def test_models_are_loaded_once(rtmlib):
    for _ in range(3):
        estimate(IMAGE, "rtmlib")
    assert len(FakeBody.built) == 1


def test_the_largest_person_is_taken(rtmlib):
    FakeBody.found = people(0.5, 1.5, 1.0)
    assert estimate(IMAGE, "rtmlib")[2, :2] == pytest.approx([19, 38])
    assert [joints[2, 0] for joints in load_estimator("rtmlib")(IMAGE)] == pytest.approx([13, 19, 16])
    FakeBody.found[1][1] = 0.1  # rtmlib gives joints of any box, with low scores where there is nobody
    assert estimate(IMAGE, "rtmlib")[2, :2] == pytest.approx([16, 32])


def test_nobody_in_the_photo(rtmlib):
    FakeBody.found = (people(1.0)[0], np.full((1, 17), 0.1))
    assert not estimate(IMAGE, "rtmlib").any()
    assert load_estimator("rtmlib")(IMAGE) == []


def test_rtmlib_with_models_by_path_is_told_their_input_sizes(rtmlib, tmp_path):
    detector = write_onnx(tmp_path / "detector.onnx", ["N", 3, 416, 416])
    pose = write_onnx(tmp_path / "pose.onnx", [1, 3, 256, 192])
    load_estimator("rtmlib", (detector, pose))(IMAGE)
    assert FakeBody.built == [
        {
            "det": str(detector),
            "pose": str(pose),
            "det_input_size": (416, 416),
            "pose_input_size": (192, 256),
            "backend": "onnxruntime",
        }
    ]


def test_models_that_cannot_be_used(rtmlib, tmp_path):
    good = write_onnx(tmp_path / "good.onnx", [1, 3, 256, 192])
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    with pytest.raises(UserError, match=r"rtmlib takes 2 pose models, found 1: .* one is for torchvision"):
        load_estimator("rtmlib", (good,))
    with pytest.raises(UserError, match=r"torchvision takes 1 pose models, found 2"):
        load_estimator("torchvision", (good, good))
    with pytest.raises(UserError, match=r"gone\.onnx does not exist"):
        load_estimator("rtmlib", (good, tmp_path / "gone.onnx"))
    with pytest.raises(UserError, match=r"text\.onnx is not an ONNX model"):
        load_estimator("rtmlib", (good, text))
    with pytest.raises(UserError, match="of fixed H and W"):
        load_estimator("rtmlib", (good, write_onnx(tmp_path / "free.onnx", [1, 3, "H", "W"])))
    with pytest.raises(UserError, match="none takes 0 pose models"):
        load_estimator("none", (good, good))


def test_mediapipe(monkeypatch):
    points = [types.SimpleNamespace(x=0.01 * i, y=0.02 * i, visibility=0.8) for i in range(33)]
    install(monkeypatch, fake_mediapipe(types.SimpleNamespace(landmark=points)))
    joints = estimate(IMAGE, "mediapipe")
    assert joints[2] == pytest.approx([0.12 * 80, 0.24 * 120, 0.8])  # right shoulder, MediaPipe's 12


def test_mediapipe_finds_nobody(monkeypatch):
    install(monkeypatch, fake_mediapipe(None))
    joints = estimate(IMAGE, "mediapipe")
    assert joints.shape == (18, 3)
    assert not joints.any()


def test_mediapipe_without_its_bundled_model(monkeypatch):
    install(monkeypatch, types.SimpleNamespace(__name__="mediapipe", __version__="0.10.33"))
    with pytest.raises(UserError, match=r"0\.10\.33 has no `mediapipe\.solutions`.*0\.10\.21"):
        estimate(IMAGE, "mediapipe")


def test_auto_prefers_rtmlib(monkeypatch, rtmlib):
    install(monkeypatch, fake_mediapipe(None))
    assert resolve_backend("auto") == "rtmlib"


def test_auto_takes_mediapipe_when_it_is_all_there_is(monkeypatch):
    install(monkeypatch, fake_mediapipe(None))
    assert resolve_backend("auto") == "mediapipe"


def test_auto_is_torchvision_where_no_other_is_installed():
    assert resolve_backend("auto") == "torchvision"


def test_auto_is_the_one_that_takes_so_many_files(rtmlib, tmp_path):
    files = [write_onnx(tmp_path / f"{name}.onnx", [1, 3, 256, 192]) for name in "ab"]
    assert resolve_backend("auto", files) == "rtmlib"
    assert resolve_backend("auto", files[:1]) == "torchvision"
    with pytest.raises(UserError, match="rtmlib takes 2 pose models, found 3"):
        resolve_backend("auto", [*files, files[0]])


@pytest.fixture(scope="module")
def keypoint_rcnn(tmp_path_factory):
    """A file of random weights, the settings for a small image, and what torchvision's network finds in `IMAGE`."""
    settings = {"min_size": 64, "rpn_post_nms_top_n_test": 6}
    torch.manual_seed(0)
    network = detection.keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None, **settings)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-12  # next to none, as in the backend
    state = network.eval().state_dict()
    for name in ("rpn.head.cls_logits", "rpn.head.bbox_pred", "roi_heads.box_predictor.cls_score"):
        state[f"{name}.weight"].zero_()  # boxes that no rounding changes
    state["roi_heads.box_predictor.cls_score.bias"] += torch.tensor([0.0, 9.0])  # each is a person
    state["roi_heads.keypoint_predictor.kps_score_lowres.bias"][::2] -= 30  # each other joint is unsure
    path = tmp_path_factory.mktemp("weights") / "keypoints.pth"
    torch.save({key: value for key, value in state.items() if "num_batches" not in key}, path)
    with torch.inference_mode():
        return path, settings, network([torch.from_numpy(IMAGE).permute(2, 0, 1) / 255])[0]


def test_torchvision(keypoint_rcnn, monkeypatch):
    path, settings, found = keypoint_rcnn
    built, real = [], detection.KeypointRCNN
    monkeypatch.setattr(
        detection, "KeypointRCNN", lambda *given, **named: built.append(1) or real(*given, **named, **settings)
    )
    estimator = load_estimator("torchvision", (str(path),))
    places, logits = found["keypoints"][..., :2].numpy(), found["keypoints_scores"].numpy()
    scores = 1 / (1 + 7 / 3 * np.exp(2 - logits))  # 0.3 at 2
    expected = [to_openpose18(*person, OF_COCO_17, IMAGE.shape[:2]) for person in zip(places, scores, strict=True)]
    assert 0 < np.count_nonzero(expected[0][:, 2]) < 17
    assert np.array(estimator(IMAGE)) == pytest.approx(np.array(expected), abs=0.01)
    largest = max(expected, key=lambda joints: np.ptp(joints[joints[:, 2] > 0, :2], axis=0).prod())
    assert estimate(IMAGE, "torchvision", (path,)) == pytest.approx(largest, abs=0.01)
    assert len(built) == 1


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A network of two tensors in the place of Keypoint R-CNN, no network outside, and an empty cache of torch's."""
    network = torch.nn.Linear(3, 2)
    monkeypatch.setattr(detection, "KeypointRCNN", lambda *given, **named: network)
    monkeypatch.setattr(detection.backbone_utils, "resnet_fpn_backbone", lambda **given: None)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return network


def refuse(*arguments, **settings):
    raise OSError("no route to host")


def test_without_network_the_message_says_what_is_wanted_and_where(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    name = "keypointrcnn_resnet50_fpn_coco-fc266e95.pth"
    with pytest.raises(UserError, match="no route to host") as error:
        load_estimator("torchvision")
    for said in (
        f"https://download.pytorch.org/models/{name}",
        tmp_path / "hub" / "checkpoints" / name,
        "--pose-models FILE",
        "--pose none",
    ):
        assert str(said) in str(error.value)


def test_weights_are_downloaded_once(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda url, path, _: torch.save(tiny.state_dict(), path))
    load_estimator("torchvision")
    load_estimator.cache_clear()
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    load_estimator("torchvision")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"weight": torch.zeros(5, 3), "bias": torch.zeros(2)}, r"size mismatch for weight: .*5, 3.* is .*2, 3"),
        ({"fc": torch.zeros(1)}, 'Missing key.*"weight".* Unexpected key.*"fc"'),
        ({"weight": 1, "bias": torch.zeros(2)}, r'"weight", expected torch\.Tensor'),
        ({"state_dict": [1]}, "keypointrcnn_resnet50_fpn .* dict-like"),
        ({"weight": torch.zeros(2, 3), "bias": torch.full((2,), torch.nan)}, "NaN"),
        ([1], "expected a dict"),
        (None, "cannot be read as a checkpoint"),
    ],
)
def test_other_weights_are_named(tiny, tmp_path, content, said):
    path = tmp_path / "wrong.pth"
    path.write_text("text") if content is None else torch.save(content, path)
    with pytest.raises(UserError, match=said) as error:
        load_estimator("torchvision", (path,))
    assert str(path) in str(error.value)
    with pytest.raises(UserError, match=r"gone\.pth does not exist"):
        load_estimator("torchvision", (tmp_path / "gone.pth",))


def test_a_device_that_is_not_there_is_a_message(tiny, tmp_path):
    torch.save(tiny.state_dict(), tmp_path / "net.pth")
    with pytest.raises(UserError, match="device abacus cannot be used"):
        load_estimator("torchvision", (tmp_path / "net.pth",), "abacus")


@pytest.mark.parametrize("backend", ["rtmlib", "mediapipe"])
def test_without_a_library_the_message_names_the_fix(backend):
    with pytest.raises(UserError, match=r'installed: run `pip install (-e "\.\[pose\]"|"mediapipe<.*)`.*--pose none'):
        estimate(IMAGE, backend)


def test_rtmlib_without_network(rtmlib, monkeypatch):
    monkeypatch.setattr(rtmlib, "Body", refuse)
    with pytest.raises(UserError, match=r"no route to host.*--pose-models DETECTOR POSE.*--pose none"):
        load_estimator("rtmlib")


def test_none_finds_no_joint():
    joints = estimate(IMAGE, "none")
    assert (joints.shape, joints.dtype, joints.any()) == ((18, 3), np.float32, False)


def test_unknown_backend():
    with pytest.raises(UserError, match="'openpose'; known: auto, rtmlib, mediapipe, torchvision, none"):
        estimate(IMAGE, "openpose")
    assert BACKENDS == ("auto", "rtmlib", "mediapipe", "torchvision", "none")


@pytest.mark.parametrize("image", [IMAGE[..., 0], IMAGE.astype(np.float32), np.zeros((5, 5, 4), np.uint8)])
def test_wrong_arrays(image):
    with pytest.raises(ValueError, match="expected RGB uint8"):
        estimate(image, "none")
