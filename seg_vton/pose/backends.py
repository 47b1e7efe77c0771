"""Estimating poses: with torchvision, which is always there, or a library that is installed beside this one.

rtmlib and MediaPipe are no dependencies: each has its own demands on numpy and OpenCV.
"""

import argparse
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from seg_vton.errors import UserError
from seg_vton.pose.choice import choose_pose
from seg_vton.pose.joints import MIN_SCORE, NUM_JOINTS, from_coco17, from_mediapipe33

_Estimate = Callable[[np.ndarray], list[np.ndarray]]

_FIX = (
    "`pip install seg-vton[pose]` for rtmlib, pass OpenPose's JSON files instead, or choose `none` for empty pose maps"
)
_NUM_MODELS = MappingProxyType({"rtmlib": 2, "torchvision": 1})
_PERSON_SCORE = 0.5  # of Keypoint R-CNN's boxes: it is surer that somebody is there than that nobody is
# A joint's score is the height of its heat map before the softmax over places: no probability. From 2 on Detectron and
# maskrcnn-benchmark draw a joint of such a model (`kp_thresh`), so 2 gets the score from which one counts here.
_JOINT_LOGIT = 2.0


class PoseEstimator:
    """A pose estimator as a function from a photo to OpenPose's 18 joints.

    Args:
        backend: one of `BACKENDS`. `rtmlib` runs a person detector (YOLOX) and RTMPose with ONNX Runtime; `mediapipe`
            the model that MediaPipe's package holds; `torchvision` Keypoint R-CNN (He et al., Mask R-CNN, 2017), on the
            GPU where there is one; `none` finds no joint; `auto` is the first of these that is installed.
        models: the ONNX files of rtmlib's detector and pose model, or the file of Keypoint R-CNN's weights. Without
            them rtmlib and torch download their own to their caches at the first use, and say so.

    Attributes:
        backend: the backend that runs, never `auto`.

    Raises:
        UserError: the backend is unknown or not installed, or a model is not there or not of its kind.
    """

    def __init__(self, backend: str = "auto", models: Sequence[str | Path] | None = None) -> None:
        self.backend = resolve_backend(backend)
        check_models(self.backend, models)
        self._estimate = _BUILDERS[self.backend](tuple(map(Path, models or ())))

    def people(self, image: np.ndarray) -> list[np.ndarray]:
        """Finds the joints of everybody in an upright photo, RGB uint8 `(H, W, 3)`; MediaPipe finds one person.

        float32 `(18, 3)` of x, y in pixels and score for each, in COCO's order with the neck as joint 1; missing joints
        are 0 0 0.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected RGB uint8 (H, W, 3), found {image.dtype} {image.shape}")
        return [joints for joints in self._estimate(image) if joints.any()]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The one of `people` whose joints span the largest area; all joints are missing where nobody was found."""
        choice = choose_pose(self.people(image), np.zeros(image.shape[:2], bool))  # no body that one could be on
        return np.zeros((NUM_JOINTS, 3), np.float32) if choice is None else choice.joints


def estimate(image: np.ndarray, backend: str = "auto", models: Sequence[str | Path] | None = None) -> np.ndarray:
    """Finds the joints of the largest person in a photo, as `PoseEstimator`; models are loaded once."""
    return shared_estimator(backend, None if models is None else tuple(map(str, models)))(image)


@cache
def shared_estimator(backend: str, models: tuple[str, ...] | None = None) -> PoseEstimator:
    """The process's one estimator of a backend with the same models."""
    return PoseEstimator(backend, models)


def resolve_backend(backend: str) -> str:
    """The backend that a name means, `auto` resolved; nothing is loaded. `UserError` where it is not installed."""
    if backend not in BACKENDS:
        raise UserError(f"unknown pose backend {backend!r}; known: {', '.join(BACKENDS)}")
    if backend == "auto":
        return next(name for name in _BUILDERS if importlib.util.find_spec(name))
    if backend != "none" and not importlib.util.find_spec(backend):
        raise UserError(f"the pose backend {backend} is not installed: {_FIX}")
    return backend


def check_models(backend: str, models: Sequence[str | Path] | None) -> None:
    """Raises `UserError` where a backend, `auto` resolved, does not take that many model files; None is its default."""
    expected = _NUM_MODELS.get(backend, 0)
    if models is not None and len(models) != expected:
        raise UserError(
            f"--pose-models: {backend} takes {expected} pose models, found {len(models)}: two files are for rtmlib, "
            "its detector and its pose model; one is for torchvision, Keypoint R-CNN's weights; --pose says which runs"
        )


def add_pose_options(parser: argparse.ArgumentParser, *aliases: str) -> None:
    """Adds `--pose`, also under other names, and `--pose-models`: the arguments of `seg_vton.pose.Poses`."""
    pose = (
        "folder of keypoint files NAME_keypoints.json, or what finds the joints: rtmlib, mediapipe, or torchvision, "
        "which needs no other package; auto is the first of them that is installed; none leaves the pose maps empty "
        "(default: auto)"
    )
    parser.add_argument("--pose", *aliases, default="auto", metavar="|".join(("DIR", *BACKENDS)), help=pose)
    models = "rtmlib's DETECTOR and POSE (ONNX), or torchvision's Keypoint R-CNN weights (default: their own download)"
    parser.add_argument("--pose-models", nargs="+", metavar="FILE", help=models)


def _build_none(models: tuple[Path, ...]) -> _Estimate:
    return lambda image: []


def _build_rtmlib(models: tuple[Path, ...]) -> _Estimate:
    import rtmlib

    if models:
        for path in models:  # rtmlib would take what is not there for an address to download
            if not path.is_file():
                raise UserError(
                    f"the pose model {path} does not exist: give an ONNX file, or no models for rtmlib's own"
                )
        detector, pose = models
        sizes = {"det_input_size": _input_size(detector), "pose_input_size": _input_size(pose)[::-1]}
        body = rtmlib.Body(det=str(detector), pose=str(pose), **sizes, backend="onnxruntime")
    else:
        from mmengine.logging import print_log

        print_log("rtmlib downloads its models at the first use; models=(DETECTOR, POSE) names files", logger="current")
        body = rtmlib.Body(mode="balanced", backend="onnxruntime")

    def run(image: np.ndarray) -> list[np.ndarray]:
        people, scores = body(np.ascontiguousarray(image[..., ::-1]))  # rtmlib's models take BGR
        return [from_coco17(*person, image.shape[:2]) for person in zip(people, scores, strict=True)]

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


def _build_mediapipe(models: tuple[Path, ...]) -> _Estimate:
    import mediapipe

    if not hasattr(mediapipe, "solutions"):
        raise UserError(
            f"mediapipe {getattr(mediapipe, '__version__', '')} has no `mediapipe.solutions`, which holds a pose model "
            f"up to 0.10.21: install that version, {_FIX}"
        )
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)  # 1 is in the package

    def run(image: np.ndarray) -> list[np.ndarray]:
        found = pose.process(image).pose_landmarks
        if found is None:
            return []
        landmarks = np.array([(point.x, point.y, point.visibility) for point in found.landmark])
        return [from_mediapipe33(landmarks, image.shape[:2])]

    return run


def _build_torchvision(models: tuple[Path, ...]) -> _Estimate:
    import torch
    from mmengine.runner import CheckpointLoader  # which reads weights only, see `seg_vton.engine.checkpoint`
    from torchvision.models import detection
    from torchvision.ops import FrozenBatchNorm2d

    source = str(models[0]) if models else detection.KeypointRCNN_ResNet50_FPN_Weights.COCO_V1.url
    try:
        content = CheckpointLoader.load_checkpoint(source, map_location="cpu", logger="silent")
    except UserError as error:
        if models:
            raise
        raise UserError(f"{error}, or name it with --pose-models. It estimates poses; other ways: {_FIX}") from error
    backbone = detection.backbone_utils.resnet_fpn_backbone(backbone_name="resnet50", weights=None)
    network = detection.KeypointRCNN(backbone, num_classes=2, num_keypoints=17, box_score_thresh=_PERSON_SCORE)
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0  # as torchvision has it for these weights
    _fill(network, content.get("state_dict", content), source)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.eval().to(device)

    def run(image: np.ndarray) -> list[np.ndarray]:
        levels = torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)
        with torch.inference_mode():
            (found,) = network([levels / 255])
        scores = (found["keypoints_scores"] - _JOINT_LOGIT + torch.tensor(MIN_SCORE).logit()).sigmoid()
        people = found["keypoints"][..., :2].cpu().numpy(), scores.cpu().numpy()
        return [from_coco17(*person, image.shape[:2]) for person in zip(*people, strict=True)]

    return run


def _fill(network: Any, state: Any, source: str) -> None:
    """Fills Keypoint R-CNN from a file's state dict; `UserError` where that is another model's or not of numbers."""
    expected, found = (
        {str(key): tuple(getattr(value, "shape", ())) for key, value in dict(tensors).items()}
        for tensors in (network.state_dict(), state if isinstance(state, Mapping) else {})
    )
    # torchvision's own file lacks the counters of batch norms, which have no use.
    wrong = [k for k in expected | found if expected.get(k) != found.get(k) and not k.endswith("num_batches_tracked")]
    if wrong:
        raise UserError(
            f"{source} does not hold the weights of torchvision's keypointrcnn_resnet50_fpn for COCO's 17 joints. "
            f"Expected tensors such as {wrong[0]} {expected.get(wrong[0], '(none)')}, found "
            f"{found.get(wrong[0], 'none of this name')}; {len(wrong)} differ, and the file has {len(found)}: "
            f"{', '.join(list(found)[:3])}, ..."
        )
    if not all(value.isfinite().all() for value in state.values()):
        raise UserError(f"{source} holds NaN or infinity: get the file again")
    network.load_state_dict(state)


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
