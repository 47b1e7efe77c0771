"""SSIM, MS-SSIM and PSNR of images, each image for itself, in one stated convention.

The values are those of torchmetrics. Other libraries pad, crop or convert otherwise, which moves SSIM by .01 to .03,
so `CONVENTIONS` says for every table what was computed.
"""

import torch
import torchmetrics
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

_LIBRARY = f"torchmetrics {torchmetrics.__version__}"
_WINDOW = "11 x 11 Gaussian window of sigma 1.5, reflect padding, K1 .01, K2 .03, mean over RGB"
_SCALES = 5
MS_SSIM_LEAST_SIDE = 11 * 2 ** (_SCALES - 1)
"""Pixels of the shorter side from which the 11 x 11 window fits into the fifth scale."""

CONVENTIONS = {
    "SSIM": f"{_LIBRARY}; {_WINDOW}, borders included; mean over images",
    "MS-SSIM": f"{_LIBRARY}; {_SCALES} scales by 2 x 2 averaging with the weights of Wang et al. (2003); {_WINDOW}, "
    "borders left out of the contrast terms; mean over images",
    "PSNR": f"{_LIBRARY}; of each image's squared error over all pixels and channels, in dB; mean over images",
}
"""What each number is, by the name that tables use."""


def as_unit_range(images: Tensor) -> Tensor:
    """Images as their 8-bit files have them, so that numbers can be computed again from the PNGs.

    Args:
        images: `(..., H, W)` in [-1, 1].

    Returns:
        The same shape in {0, 1/255, ..., 1}.
    """
    return as_bytes(images).float() / 255


def as_bytes(images: Tensor) -> Tensor:
    """Images `(..., H, W)` in [-1, 1] as uint8 in [0, 255], rounded to the nearest level."""
    return ((images.double().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def ssim(predicted: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (Wang et al., 2004) of each image.

    Args:
        predicted: `(B, 3, H, W)` in [0, 1].
        target: the same shape.

    Returns:
        `(B,)` in [-1, 1].
    """
    return structural_similarity_index_measure(predicted, target, data_range=1.0, reduction="none").reshape(-1)


def ms_ssim(predicted: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik, 2003) of each image.

    Args:
        predicted: `(B, 3, H, W)` in [0, 1], both sides of `MS_SSIM_LEAST_SIDE` pixels at least.
        target: the same shape.

    Returns:
        `(B,)` in [0, 1].

    Raises:
        ValueError: the images are too small for five scales.
    """
    values = multiscale_structural_similarity_index_measure(predicted, target, data_range=1.0, reduction="none")
    return values.reshape(-1)


def psnr(predicted: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image.

    Args:
        predicted: `(B, 3, H, W)` in [0, 1].
        target: the same shape.

    Returns:
        `(B,)` in dB; infinite where an image equals its target.
    """
    return peak_signal_noise_ratio(predicted, target, data_range=1.0, reduction="none", dim=(1, 2, 3))
