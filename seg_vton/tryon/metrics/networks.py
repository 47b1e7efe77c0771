"""FID and LPIPS: the measures that need a trained network, and so a file that the user brings."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.errors import UserError
from seg_vton.files import sha256

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
ALEXNET_FILE = "alexnet-owt-7be5be79.pth"


class InceptionFeatures:
    """Features of torch-fidelity's InceptionV3, which is the one of the original FID (Heusel et al., NeurIPS 2017).

    Args:
        weights: torch-fidelity's file of its TensorFlow-converted weights, called `INCEPTION_FILE` there.

    Raises:
        UserError: the file is broken, refused or another network's.
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
        self.convention = (
            f"{_fidelity()}; InceptionV3's 2048 pooled features (weights {sha256(weights)[:12]}), resized to 299 x 299 "
            "as TensorFlow 1 does; predictions against the photographs of the persons of the same pairs"
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Features float32 `(B, 2048)`, on the CPU, of uint8 RGB `(B, 3, H, W)`."""
        with torch.no_grad():
            (features,) = self._network.to(images.device)(images)
        return features.cpu()


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """FID between two sets of features `(N, D)` and `(M, D)` of two images or more each (Heusel et al., 2017)."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    statistics = (fid_features_to_statistics(torch.from_numpy(features)) for features in (first, second))
    return fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]


class PerceptualDistance:
    """LPIPS 0.1 with AlexNet (Zhang et al., CVPR 2018), by torchmetrics, which carries the linear layers' weights.

    Args:
        weights: torchvision's ImageNet weights of AlexNet, called `ALEXNET_FILE` there.

    Raises:
        UserError: the file is broken, refused or another network's.
    """

    def __init__(self, weights: str | Path) -> None:
        import torchmetrics
        from torchmetrics.functional.image.lpips import _NoTrainLpips

        # torchmetrics' public classes download AlexNet; only this one can start without (`pnet_rand`).
        self._network = _NoTrainLpips(net="alex", pnet_rand=True)
        state = load_checkpoint_file(weights, map_location="cpu")
        try:
            self._network.net.load_state_dict(_by_slice(self._network.net, state))
        except (KeyError, RuntimeError) as error:
            raise _another_network(weights, f"torchvision's AlexNet ({ALEXNET_FILE})", error) from None
        self.convention = (
            f"LPIPS 0.1 by torchmetrics {torchmetrics.__version__}; AlexNet (weights {sha256(weights)[:12]}); "
            "mean over images"
        )

    def __call__(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Distance `(B,)` between images `(B, 3, H, W)` in [0, 1]."""
        network = self._network.to(predicted.device)
        with torch.no_grad():
            return network(predicted.float(), target.float(), normalize=True).reshape(-1)


def _by_slice(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's tensors under the names of LPIPS: `features.3.weight` is `slice2.3.weight` there."""
    return {key: state[f"features.{key.split('.', 1)[1]}"] for key in network.state_dict()}


def _fidelity() -> str:
    import torch_fidelity

    return f"torch-fidelity {torch_fidelity.__version__}"


def _another_network(path: str | Path, expected: str, error: Exception) -> UserError:
    first = str(error).splitlines()
    return UserError(f"{path} does not hold the weights of {expected}: {' '.join(line.strip() for line in first[:2])}")
