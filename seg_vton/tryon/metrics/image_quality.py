"""SSIM, MS-SSIM and PSNR of images, each image for itself, in one stated convention.

The values are those of torchmetrics, by OpenCV's separable filters: torchmetrics convolves with the whole 11 x 11
window, which on a CPU takes dozens of times longer than decoding the pictures. Other libraries pad, crop or convert
otherwise, which moves SSIM by .01 to .03, so `CONVENTIONS` says for every table what was computed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

_LIBRARY = f"torchmetrics {version('torchmetrics')}"
_CONSTANTS = "reflect padding, K1 .01, K2 .03"
_WINDOW = f"11 x 11 Gaussian window of sigma 1.5, {_CONSTANTS}, mean over RGB"
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik (2003)
_RADIUS = 5
MS_SSIM_LEAST_SIDE = (2 * _RADIUS + 1) * 2 ** (len(_SCALE_WEIGHTS) - 1)
"""Pixels of the shorter side from which the 11 x 11 window fits into the fifth scale."""
TOO_SMALL = (
    "images of {} x {} are too small for it: five scales of an 11 x 11 window need "
    f"{MS_SSIM_LEAST_SIDE} pixels a side"
)
"""Why there is no MS-SSIM, with the sides."""
INFINITE = "it is infinite: {} images equal their target"
"""Why there is no PSNR, with the number of images."""

CONVENTIONS = {
    "SSIM": f"{_LIBRARY}; {_WINDOW}, borders included; mean over images",
    "MS-SSIM": f"{_LIBRARY}; {len(_SCALE_WEIGHTS)} scales by 2 x 2 averaging with the weights of Wang et al. (2003); "
    f"{_WINDOW}, borders left out of the contrast terms; mean over images",
    "PSNR": f"{_LIBRARY}; of each image's squared error over all pixels and channels, in dB; mean over images",
}
"""What each number is, by the name that tables use."""

SSIM_FORMS = {
    "rgb": CONVENTIONS["SSIM"],
    "gray": "scikit-image with gaussian_weights=True, use_sample_covariance=False; of gray levels (Pillow's L); "
    "11 x 11 Gaussian window of sigma 1.5, K1 .01, K2 .03, borders of 5 pixels left out; mean over images",
    "uniform": f"{_LIBRARY} with gaussian_kernel=False; 7 x 7 uniform window, {_CONSTANTS}, mean over RGB, borders "
    "included; mean over images",
}
"""Forms of SSIM that published numbers have, and what each is. `rgb` is the one of all other tables."""

_TAPS = cv2.getGaussianKernel(2 * _RADIUS + 1, 1.5, cv2.CV_32F)
_gaussian = partial(cv2.sepFilter2D, ddepth=-1, kernelX=_TAPS, kernelY=_TAPS, borderType=cv2.BORDER_REFLECT_101)
_uniform = partial(cv2.blur, ksize=(7, 7), borderType=cv2.BORDER_REFLECT_101)


def as_bytes(images: Tensor) -> Tensor:
    """Images `(..., H, W)` in [-1, 1] as their 8-bit files have them: uint8, rounded to the nearest level."""
    return ((images.double().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def image_numbers(predicted: np.ndarray, target: np.ndarray, form: str = "rgb") -> dict[str, float]:
    """The numbers of one image.

    Args:
        predicted: RGB uint8 `(H, W, 3)`.
        target: the same shape.
        form: of SSIM, a name of `SSIM_FORMS`.

    Returns:
        `SSIM` (Wang et al., 2004) in [-1, 1]; `PSNR` in dB, infinite where the images are equal; where both sides have
        `MS_SSIM_LEAST_SIDE` pixels, `MS-SSIM` (Wang, Simoncelli and Bovik, 2003) in [0, 1].
    """
    predicted, target = np.ascontiguousarray(predicted), np.ascontiguousarray(target)  # OpenCV takes no other layout
    pair = _unit(predicted), _unit(target)
    error = cv2.norm(predicted, target, cv2.NORM_L2SQR) / predicted.size / 255**2
    found = {"PSNR": float(-10 * np.log10(error)) if error else np.inf}
    similarity, contrast = _similarity(*pair, _gaussian)
    if min(predicted.shape[:2]) >= MS_SSIM_LEAST_SIDE:
        terms = []
        at_scale = similarity
        for _ in _SCALE_WEIGHTS[:-1]:
            terms.append(_mean(contrast[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]))
            pair = _halved(pair[0]), _halved(pair[1])
            at_scale, contrast = _similarity(*pair, _gaussian)
        terms.append(_mean(at_scale))
        found["MS-SSIM"] = float(np.prod(np.maximum(terms, 0) ** _SCALE_WEIGHTS))
    if form == "gray":
        gray = (_unit(np.asarray(Image.fromarray(image).convert("L"))) for image in (predicted, target))
        similarity = _similarity(*gray, _gaussian)[0][_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
    elif form == "uniform":
        similarity, _ = _similarity(_unit(predicted), _unit(target), _uniform)
    return {"SSIM": _mean(similarity), **found}


def per_image(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, list[float | None]]:
    """The numbers of each image, by name, as results keep them; names that no row has are left out."""
    columns = {name: [row.get(name) for row in rows] for name in names if any(name in row for row in rows)}
    return {name: [None if value is None else round(value, 6) for value in found] for name, found in columns.items()}


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean over images like these, by the bootstrap.

    Args:
        values: `(N,)`, a number of each of two images or more.
    """
    from scipy import stats  # here, since it takes a second to import and few tests are compared

    found = stats.bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0))
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _unit(image: np.ndarray) -> np.ndarray:
    return np.divide(image, 255, dtype=np.float32)


def _mean(values: np.ndarray) -> float:
    return sum(cv2.mean(values)) / (values.size // (values.shape[0] * values.shape[1]))


def _similarity(
    a: np.ndarray, b: np.ndarray, smooth: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """SSIM and its contrast term at every pixel of two images `(H, W)` or `(H, W, 3)` in [0, 1]."""
    c1, c2 = 0.01**2, 0.03**2
    mean_a, mean_b = smooth(a), smooth(b)
    # In place: in new memory each of these steps would take as long as a filter.
    luminance = mean_a * mean_b
    squares = cv2.accumulateSquare(mean_b, np.square(mean_a, out=mean_a))
    contrast = smooth(a * b)
    contrast -= luminance
    variances = smooth(cv2.accumulateSquare(b, a * a))
    variances -= squares
    np.maximum(variances, 0, out=variances)
    for above, below, constant in ((contrast, variances, c2), (luminance, squares, c1)):
        above *= 2
        above += constant
        below += constant
        above /= below
    luminance *= contrast
    return luminance, contrast


def _halved(image: np.ndarray) -> np.ndarray:
    """The means of 2 x 2 pixels; a last odd row or column is left out."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
