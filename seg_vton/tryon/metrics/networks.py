"""FID, KID and LPIPS: the measures that need a trained network, and so a file that the user brings."""

import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.errors import UserError
from seg_vton.files import sha256

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
ALEXNET_LEAST_SIDE = 31
"""Pixels of the shorter side from which AlexNet's second pooling has something to pool."""
_LONG = 200  # characters of another library's message that are shown


class InceptionFeatures:
    """Features of torch-fidelity's InceptionV3, which is the one of the original FID (Heusel et al., NeurIPS 2017).

    `weights` is torch-fidelity's file of its TensorFlow-converted weights, called `INCEPTION_FILE` there; `UserError`
    where it is broken, refused or another network's.
    """

    def __init__(self, weights: str | Path) -> None:
        # Here, because it imports every network and data set that it has.
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        state = load_checkpoint_file(weights, map_location="cpu")
        with tempfile.TemporaryDirectory() as folder:
            # torch-fidelity unpickles whatever its file holds: it gets the tensors that were read safely.
            copy = Path(folder) / "weights.pth"
            torch.save(dict(state), copy)
            try:
                self._network = FeatureExtractorInceptionV3("inception-v3", ["2048"], str(copy))
            except RuntimeError as error:
                raise _another_network(weights, f"torch-fidelity's {INCEPTION_FILE}", error) from None
        self._weights = weights
        self._features = f"InceptionV3's 2048 pooled features (weights {sha256(weights)[:12]}), resized to 299 x 299"

    def conventions(self, predicted: int, target: int) -> dict[str, str]:
        """What `FID` and `KID` between sets of so many images are."""
        common = f"torch-fidelity {version('torch-fidelity')}; {self._features} as TensorFlow 1 does"
        number, size = _kid_subsets(predicted, target)
        subsets = "of all images" if number == 1 else f"mean over {number} subsets of {size} images"
        return {"FID": common, "KID": f"{common}; cubic polynomial kernel, unbiased, {subsets}, not times 1000"}

    def __call__(self, images: Tensor) -> Tensor:
        """Features float32 `(B, 2048)`, on the CPU, of uint8 RGB `(B, 3, H, W)`; `UserError` unless finite."""
        with torch.no_grad():
            (features,) = self._network.to(images.device)(images)
        if not features.isfinite().all():
            raise UserError(
                f"{self._weights} makes features with NaN or infinity: the file is damaged or of half precision; "
                f"download torch-fidelity's {INCEPTION_FILE} again"
            )
        return features.cpu()


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """FID between two sets of features `(N, D)` and `(M, D)` of two images or more each (Heusel et al., 2017).

    It is torch-fidelity's. With centered features A and B the trace of the root of the product of their covariances is
    the sum of the singular values of A B^T, for which QR leaves min(N, D) rows: of 2,032 images that takes as long as
    torch-fidelity's eigenvalues of a D x D matrix, seconds, and of few images, as in a demo, no time.
    """
    sets = [features.astype(np.float64) for features in (first, second)]
    means = [features.mean(axis=0) for features in sets]
    spreads = [(each - mean) / np.sqrt(len(each) - 1) for each, mean in zip(sets, means, strict=True)]
    roots = [np.linalg.qr(spread, mode="r") for spread in spreads]
    common = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(np.sum((means[0] - means[1]) ** 2) + sum(np.sum(spread**2) for spread in spreads) - 2 * common)


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """KID between two sets of features `(N, D)` and `(M, D)` of two images or more each (Binkowski et al., ICLR 2018).

    It is the mean over 100 subsets of 1000 images of each set, or of as many as the smaller set has.
    """
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    number, size = _kid_subsets(len(first), len(second))
    features = (torch.from_numpy(each) for each in (first, second))
    found = kid_features_to_metric(*features, kid_subset_size=size, kid_subsets=number, verbose=False)
    return found[KEY_METRIC_KID_MEAN]


def _kid_subsets(first: int, second: int) -> tuple[int, int]:
    """Number and size of KID's subsets; one where all would be of the same images."""
    size = min(1000, first, second)
    return (1 if first == second == size else 100), size


def set_numbers(predicted: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """`FID` and `KID` of two sets of features `(N, D)` and `(M, D)`; none where a set has less than two images."""
    if min(len(predicted), len(target)) < 2:
        return {}
    return {"FID": frechet_distance(predicted, target), "KID": kernel_distance(predicted, target)}


class PerceptualDistance:
    """LPIPS 0.1 with AlexNet (Zhang et al., CVPR 2018), by torchmetrics, which carries the linear layers' weights.

    `weights` are torchvision's ImageNet weights of AlexNet, called `ALEXNET_FILE` there; `UserError` where the file is
    broken, refused or another network's.
    """

    def __init__(self, weights: str | Path) -> None:
        from torchmetrics.functional.image.lpips import _NoTrainLpips

        # torchmetrics' public classes download AlexNet; only this one can start without (`pnet_rand`).
        self._network = _NoTrainLpips(net="alex", pnet_rand=True)
        state = load_checkpoint_file(weights, map_location="cpu")
        try:
            # LPIPS calls torchvision's `features.3.weight` `slice2.3.weight`.
            named = {key: state[f"features.{key.split('.', 1)[1]}"] for key in self._network.net.state_dict()}
            self._network.net.load_state_dict(named)
        except (KeyError, RuntimeError) as error:
            raise _another_network(weights, f"torchvision's AlexNet ({ALEXNET_FILE})", error) from None
        self.convention = (
            f"LPIPS 0.1 by torchmetrics {version('torchmetrics')}; AlexNet (weights {sha256(weights)[:12]}); "
            "mean over images"
        )

    def __call__(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Distance `(B,)` between uint8 RGB images `(B, 3, H, W)`."""
        network = self._network.to(predicted.device)
        with torch.no_grad():
            return network(predicted.float() / 255, target.float() / 255, normalize=True).reshape(-1)


def _another_network(path: str | Path, expected: str, error: Exception) -> UserError:
    said = " ".join(str(error).split())
    said = said if len(said) < _LONG else f"{said[:_LONG]} ..."  # it lists every tensor
    return UserError(f"{path} does not hold the weights of {expected}: {said}")
