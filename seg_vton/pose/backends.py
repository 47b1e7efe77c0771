"""Estimating poses: with torchvision, which is always there, or a library that is installed beside this one.

rtmlib and MediaPipe are no dependencies: each has its own demands on numpy and OpenCV.
"""

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from textwrap import shorten
from types import MappingProxyType

import numpy as np

from seg_vton.errors import UserError
from seg_vton.machine import usable_device
from seg_vton.pose.choice import choose_pose
from seg_vton.pose.joints import MIN_SCORE, NUM_JOINTS, OF_COCO_17, OF_MEDIAPIPE_33, to_openpose18

Estimator = Callable[[np.ndarray], list[np.ndarray]]
"""From a photo to the joints of everybody in it, see `load_estimator`."""

_INSTALL = MappingProxyType({"rtmlib": 'pip install -e ".[pose]"', "mediapipe": 'pip install "mediapipe<=0.10.21"'})
_NUM_MODELS = MappingProxyType({"rtmlib": 2, "torchvision": 1})
_NO_JOINTS = "pass keypoint files with --pose DIR, or go without joints with --pose none"
_PERSON_SCORE = 0.5  # of Keypoint R-CNN's boxes: it is surer that somebody is there than that nobody is
# A joint's score is the height of its heat map before the softmax over places: no probability. From 2 on Detectron and
# maskrcnn-benchmark draw a joint of such a model (`kp_thresh`), so 2 gets the score from which one counts here.
_JOINT_LOGIT = 2.0


@cache
def load_estimator(
    backend: str = "auto", models: tuple[str | Path, ...] | None = None, device: str | None = None
) -> Estimator:
    """The process's one estimator of its kind: a function from a photo to the joints of everybody in it.

    It takes an upright photo, RGB uint8 `(H, W, 3)`, and gives float32 `(18, 3)` of x, y in pixels and score for each
    person, in COCO's order with the neck as joint 1; missing joints are 0 0 0. MediaPipe finds one person.

    Args:
        backend: one of `BACKENDS`. `rtmlib` runs a person detector (YOLOX) and RTMPose with ONNX Runtime on the CPU;
            `mediapipe` the model that MediaPipe's package holds; `torchvision` Keypoint R-CNN (He et al., Mask R-CNN,
            2017) on the device; `none` finds no joint; `auto` is the backend that takes so many `models`, or else the
            first of these that is installed.
        models: the ONNX files of rtmlib's detector and pose model, or the file of Keypoint R-CNN's weights. Without
            them rtmlib and torch download their own to their caches at the first use, and say so.
        device: torch's; None takes the GPU where there is one.

    Raises:
        UserError: the backend is unknown or not installed, or a model is not there or not of its kind.
    """
    find = _BUILDERS[resolve_backend(backend, models)](tuple(map(Path, models or ())), device)

    def people(image: np.ndarray) -> list[np.ndarray]:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected RGB uint8 (H, W, 3), found {image.dtype} {image.shape}")
        return [joints for joints in find(image) if joints.any()]

    return people


def estimate(image: np.ndarray, backend: str = "auto", models: Sequence[str | Path] | None = None) -> np.ndarray:
    """Finds the joints `(18, 3)` of the person in a photo whose joints span the largest area; see `load_estimator`.

    All joints are missing where nobody was found. Models are loaded once.
    """
    people = load_estimator(backend, None if models is None else tuple(map(str, models)))(image)
    choice = choose_pose(people, np.zeros(image.shape[:2], bool))  # no body that one could be on
    return np.zeros((NUM_JOINTS, 3), np.float32) if choice is None else choice.joints


def resolve_backend(backend: str, models: Sequence[str | Path] | None = None) -> str:
    """The backend that a name means with these model files, never `auto`; nothing is loaded.

    `UserError` where it is not installed, does not take that many files, or one is not there; None is its default.
    """
    if backend not in BACKENDS:
        raise UserError(f"unknown pose backend {backend!r}; known: {', '.join(BACKENDS)}")
    if backend == "auto":
        taking = [name for name, number in _NUM_MODELS.items() if models and len(models) == number]
        backend = (taking or [name for name in _BUILDERS if importlib.util.find_spec(name)])[0]
    expected = _NUM_MODELS.get(backend, 0)
    if models is not None and len(models) != expected:
        raise UserError(
            f"--pose-models: {backend} takes {expected} pose models, found {len(models)}: two files are for rtmlib, "
            "its detector and its pose model; one is for torchvision, Keypoint R-CNN's weights"
        )
    for path in models or ():  # rtmlib would take what is not there for an address to download
        if not Path(path).is_file():
            raise UserError(f"--pose-models: {path} does not exist; without this option {backend} downloads its own")
    if backend in _INSTALL and not importlib.util.find_spec(backend):
        raise UserError(
            f"the pose backend {backend} is not installed: run `{_INSTALL[backend]}` in this repository's folder and "
            "environment. Or take --pose torchvision, which needs no other package, only its weights file "
            f"({keypoint_rcnn_url()}), {_NO_JOINTS}"
        )
    return backend


def keypoint_rcnn_url() -> str:
    """Where the weights of torchvision's Keypoint R-CNN are downloaded from."""
    from torchvision.models import detection

    return detection.KeypointRCNN_ResNet50_FPN_Weights.COCO_V1.url


def add_pose_options(parser: argparse.ArgumentParser, *aliases: str) -> None:
    """Adds `--pose`, also under other names, and `--pose-models`: the arguments of `seg_vton.pose.Poses`."""
    pose = (
        "folder of keypoint files NAME_keypoints.json, or the estimator of the joints: rtmlib, mediapipe, or "
        "torchvision, which needs no other package; auto is the one that takes as many --pose-models as given, or "
        "else the first that is installed; none leaves the pose maps empty (default: auto)"
    )
    parser.add_argument("--pose", *aliases, default="auto", metavar="|".join(("DIR", *BACKENDS)), help=pose)
    models = "rtmlib's DETECTOR and POSE (ONNX), or torchvision's Keypoint R-CNN weights (default: they are downloaded)"
    parser.add_argument("--pose-models", nargs="+", metavar="FILE", help=models)


def _build_none(models: tuple[Path, ...], device: str | None) -> Estimator:
    return lambda image: []


def _build_rtmlib(models: tuple[Path, ...], device: str | None) -> Estimator:
    import rtmlib

    if models:
        detector, pose = models
        sizes = {"det_input_size": _input_size(detector), "pose_input_size": _input_size(pose)[::-1]}
        body = rtmlib.Body(det=str(detector), pose=str(pose), **sizes, backend="onnxruntime")
    else:
        from mmengine.logging import print_log

        print_log("rtmlib downloads its models at the first use; --pose-models names files", logger="current")
        try:
            body = rtmlib.Body(mode="balanced", backend="onnxruntime")
        except OSError as error:
            raise UserError(
                f"rtmlib could not download its models ({error}): name its files with --pose-models DETECTOR POSE, or "
                f"{_NO_JOINTS}"
            ) from error

    def run(image: np.ndarray) -> list[np.ndarray]:
        people, scores = body(np.ascontiguousarray(image[..., ::-1]))  # rtmlib's models take BGR
        return [to_openpose18(*person, OF_COCO_17, image.shape[:2]) for person in zip(people, scores, strict=True)]

    return run


def _input_size(path: Path) -> tuple[int, int]:
    """(height, width) that an ONNX model takes."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (errors.InvalidProtobuf, errors.InvalidGraph, errors.Fail) as error:
        raise UserError(f"{path} is not an ONNX model ({str(error).splitlines()[0]})") from None
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or not all(isinstance(side, int) for side in shape[2:]):
        raise UserError(f"{path}: expected a model with an input of (N, 3, H, W) of fixed H and W, found {shape}")
    return shape[2], shape[3]


def _build_mediapipe(models: tuple[Path, ...], device: str | None) -> Estimator:
    import mediapipe

    if not hasattr(mediapipe, "solutions"):
        raise UserError(
            f"mediapipe {getattr(mediapipe, '__version__', '')} has no `mediapipe.solutions`, which holds a pose model "
            f"up to 0.10.21: `{_INSTALL['mediapipe']}`, or {_NO_JOINTS}"
        )
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)  # 1 is in the package

    def run(image: np.ndarray) -> list[np.ndarray]:
        found = pose.process(image).pose_landmarks
        if found is None:
            return []
        shares = np.array([(point.x, point.y) for point in found.landmark])  # of the photo's width and height
        seen = np.array([point.visibility for point in found.landmark])
        return [to_openpose18(shares * image.shape[1::-1], seen, OF_MEDIAPIPE_33, image.shape[:2])]

    return run


def _build_torchvision(models: tuple[Path, ...], device: str | None) -> Estimator:
    import torch
    from mmengine.runner import CheckpointLoader  # which reads weights only, see `seg_vton.engine.checkpoint`
    from torchvision.models import detection
    from torchvision.ops import FrozenBatchNorm2d

    source = str(models[0]) if models else keypoint_rcnn_url()
    try:
        content = CheckpointLoader.load_checkpoint(source, map_location="cpu", logger="silent")
    except UserError as error:
        if models:
            raise
        raise UserError(
            "nothing estimates joints: torchvision's Keypoint R-CNN needs no other package, only its weights file, and "
            f"{error}. Or name the file with --pose-models FILE, {_NO_JOINTS}"
        ) from error
    backbone = detection.backbone_utils.resnet_fpn_backbone(backbone_name="resnet50", weights=None)
    network = detection.KeypointRCNN(backbone, num_classes=2, num_keypoints=17, box_score_thresh=_PERSON_SCORE)
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0  # as torchvision has it for these weights
    try:
        network.load_state_dict(content.get("state_dict", content))
    except (RuntimeError, TypeError) as error:  # other tensors, no tensors
        raise UserError(
            f"{source} does not hold the weights of torchvision's keypointrcnn_resnet50_fpn for COCO's 17 joints: "
            f"{shorten(str(error), 300)}"
        ) from error
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise UserError(f"{source} holds NaN or infinity: get the file again")
    place = usable_device(device)
    network.eval().to(place)

    def run(image: np.ndarray) -> list[np.ndarray]:
        levels = torch.from_numpy(np.ascontiguousarray(image)).to(place).permute(2, 0, 1)
        with torch.inference_mode():
            (found,) = network([levels / 255])
        scores = (found["keypoints_scores"] - _JOINT_LOGIT + torch.tensor(MIN_SCORE).logit()).sigmoid()
        people = found["keypoints"][..., :2].cpu().numpy(), scores.cpu().numpy()
        return [to_openpose18(*person, OF_COCO_17, image.shape[:2]) for person in zip(*people, strict=True)]

    return run


_BUILDERS = MappingProxyType(
    {
        "rtmlib": _build_rtmlib,
        "mediapipe": _build_mediapipe,
        "torchvision": _build_torchvision,
        "none": _build_none,
    }
)

BACKENDS = ("auto", *_BUILDERS)
"""What `estimate` can run."""
