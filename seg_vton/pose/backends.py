"""Estimating a person's pose with a library that is installed beside this one.

None of them is a dependency: their models are large, and each has its own demands on numpy and OpenCV.
"""

import importlib.util
import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from seg_vton.errors import UserError
from seg_vton.pose.joints import MIN_SCORE, NUM_JOINTS, from_coco17, from_mediapipe33

_Estimate = Callable[[np.ndarray], np.ndarray]

_FIX = (
    "`pip install seg-vton[pose]` for rtmlib, pass OpenPose's JSON files instead, or choose `none` for empty pose maps"
)


class PoseEstimator:
    """A pose estimator as a function from a photo to OpenPose's 18 joints.

    Args:
        backend: one of `BACKENDS`. `rtmlib` runs a person detector (YOLOX) and RTMPose with ONNX Runtime; `mediapipe`
            the model that MediaPipe's package holds; `none` finds no joint; `auto` is the first that is installed of
            rtmlib and MediaPipe.
        models: the ONNX files of rtmlib's detector and pose model. Without them rtmlib downloads its own to its cache
            at the first use, and says so.

    Attributes:
        backend: the backend that runs, never `auto`.

    Raises:
        UserError: the backend is unknown or not installed, or a model is not there.
    """

    def __init__(self, backend: str = "auto", models: Sequence[str | Path] | None = None) -> None:
        self.backend = resolve_backend(backend)
        if models is not None and self.backend != "rtmlib":
            raise UserError(f"the pose backend {self.backend} takes no models: they are for rtmlib")
        self._estimate = _BUILDERS[self.backend](tuple(map(Path, models or ())))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Finds the joints of the most prominent person in an upright photo, RGB uint8 `(H, W, 3)`.

        float32 `(18, 3)` of x, y in pixels and score, in COCO's order with the neck as joint 1; missing joints are 0 0
        0, all of them where nobody was found.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected RGB uint8 (H, W, 3), found {image.dtype} {image.shape}")
        return self._estimate(image)


def estimate(image: np.ndarray, backend: str = "auto", models: Sequence[str | Path] | None = None) -> np.ndarray:
    """Finds the joints of the most prominent person in a photo, as `PoseEstimator`; models are loaded once."""
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
        installed = [name for name in ("rtmlib", "mediapipe") if _installed(name)]
        if not installed:
            raise UserError(f"no pose estimator is installed: {_FIX}")
        return installed[0]
    if backend != "none" and not _installed(backend):
        raise UserError(f"the pose backend {backend} is not installed: {_FIX}")
    return backend


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _build_none(models: tuple[Path, ...]) -> _Estimate:
    return lambda image: np.zeros((NUM_JOINTS, 3), np.float32)


def _build_rtmlib(models: tuple[Path, ...]) -> _Estimate:
    import rtmlib

    if models:
        detector, pose = _check_models(models)
        sizes = {"det_input_size": _input_size(detector), "pose_input_size": _input_size(pose)[::-1]}
        body = rtmlib.Body(det=str(detector), pose=str(pose), **sizes, backend="onnxruntime")
    else:
        from mmengine.logging import print_log

        print_log("rtmlib downloads its models at the first use; models=(DETECTOR, POSE) names files", logger="current")
        body = rtmlib.Body(mode="balanced", backend="onnxruntime")

    def run(image: np.ndarray) -> np.ndarray:
        people, scores = body(np.ascontiguousarray(image[..., ::-1]))  # rtmlib's models take BGR
        main = _main_person(np.asarray(people), np.asarray(scores))
        return from_coco17(people[main], scores[main], image.shape[:2])

    return run


def _check_models(models: tuple[Path, ...]) -> tuple[Path, Path]:
    """The two files, which rtmlib would take for addresses to download where they are not there."""
    if len(models) != 2:
        raise UserError(f"rtmlib takes two models, a detector's and a pose model's, found {len(models)}")
    for path in models:
        if not path.is_file():
            raise UserError(f"the pose model {path} does not exist: give an ONNX file, or no models for rtmlib's own")
    return models


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


def _main_person(people: np.ndarray, scores: np.ndarray) -> int:
    """Index of the person whose joints span the largest area, of people `(N, 17, 2)` and scores `(N, 17)`."""
    found = scores >= MIN_SCORE
    areas = [float(np.prod(np.ptp(joints[there], axis=0))) if there.any() else -1.0
             for joints, there in zip(people, found, strict=True)]  # fmt: skip
    if sum(area > 0 for area in areas) > 1:
        from mmengine.logging import print_log

        print_log(
            f"{len(areas)} people were found in the photo; the largest is taken", "current", level=logging.WARNING
        )
    return int(np.argmax(areas))


def _build_mediapipe(models: tuple[Path, ...]) -> _Estimate:
    import mediapipe

    if not hasattr(mediapipe, "solutions"):
        raise UserError(
            f"mediapipe {getattr(mediapipe, '__version__', '')} has no `mediapipe.solutions`, which holds a pose model "
            f"up to 0.10.21: install that version, {_FIX}"
        )
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)  # 1 is in the package

    def run(image: np.ndarray) -> np.ndarray:
        found = pose.process(image).pose_landmarks
        if found is None:
            return np.zeros((NUM_JOINTS, 3), np.float32)
        landmarks = np.array([(point.x, point.y, point.visibility) for point in found.landmark])
        return from_mediapipe33(landmarks, image.shape[:2])

    return run


_BUILDERS = MappingProxyType({"rtmlib": _build_rtmlib, "mediapipe": _build_mediapipe, "none": _build_none})

BACKENDS = ("auto", *_BUILDERS)
"""What `estimate` can run."""
