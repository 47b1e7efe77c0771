"""The perceptual loss of CP-VTON on VGG19 features (Johnson et al., ECCV 2016; Simonyan and Zisserman, ICLR 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import vgg

from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.errors import UserError
from seg_vton.registry import MODELS
from seg_vton.tryon.models.frozen import Frozen
from seg_vton.tryon.models.winograd import WinogradConv2d

LAYERS = {1: "relu1_1", 6: "relu2_1", 11: "relu3_1", 20: "relu4_1", 29: "relu5_1"}
LAYER_WEIGHTS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}

# (order of the channels, scale, offset) of `scale * image + offset`, from an RGB image in [-1, 1].
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # BGR in [0, 255]
INPUTS = {
    "published": ((0, 1, 2), (1.0,) * 3, (0.0,) * 3),
    "imagenet": (
        (0, 1, 2),
        tuple(0.5 / s for s in _IMAGENET_STD),
        tuple((0.5 - m) / s for m, s in zip(_IMAGENET_MEAN, _IMAGENET_STD, strict=True)),
    ),
    "caffe": ((2, 1, 0), (127.5,) * 3, tuple(127.5 - m for m in _CAFFE_MEAN)),
}


def load_vgg19(path: str | Path) -> tuple[nn.Sequential, list[int]]:
    """VGG19's convolutions from a file, as far as the file has them.

    Args:
        path: a state dict with torchvision's names, `features.0.weight` on, or of `features` alone; float16 is cast.

    Returns:
        The layers up to the last of `LAYERS` that the file reaches, and the indices that it reaches.

    Raises:
        UserError: the file is missing, is refused, or has not even the first convolution of VGG19.
    """
    state = _feature_state(load_checkpoint_file(path, "cpu"))
    with torch.device("meta"):  # draws no random numbers and fills nothing
        features = vgg.make_layers(vgg.cfgs["E"])
    missing = [i for i, layer in enumerate(features) if isinstance(layer, nn.Conv2d) and not _has(state, i, layer)]
    reached = [index for index in LAYERS if index < min(missing, default=len(features))]
    if not reached:
        raise UserError(
            f"{path} holds no VGG19: expected features.0.weight of 64x3x3x3 and so on, as in torchvision's vgg19-*.pth"
        )
    features = features[: reached[-1] + 1]
    with torch.device("meta"):
        for index, layer in enumerate(features):
            if isinstance(layer, nn.Conv2d):
                features[index] = WinogradConv2d(layer.in_channels, layer.out_channels, max_tile=4)
    features.load_state_dict({key: state[key].float() for key in features.state_dict()}, assign=True)
    return features, reached


def _feature_state(content: Mapping[str, object]) -> dict[str, Tensor]:
    state = content.get("state_dict", content)
    return {str(key).removeprefix("features."): value for key, value in state.items() if isinstance(value, Tensor)}


def _has(state: dict[str, Tensor], index: int, layer: nn.Conv2d) -> bool:
    named = {f"{index}.{name}": value.shape for name, value in layer.named_parameters()}
    return all(key in state and state[key].shape == shape for key, shape in named.items())


@MODELS.register_module()
class PerceptualLoss(nn.Module):
    """Weighted mean absolute differences of VGG19's features after relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.

    The weights are 1/32, 1/16, 1/8, 1/4 and 1. A file that stops early serves as far as it goes; the other terms are
    left out. One log line says which are used.

    Args:
        weights: file with VGG19's weights under torchvision's names, or None to switch the loss off.
        loss_weight: factor of the loss.
        input_range: what VGG gets: 'published' is RGB in [-1, 1], which CP-VTON's code feeds to torchvision's weights
            though they were trained otherwise; 'imagenet' is what they were trained on; 'caffe' is BGR in [0, 255] less
            the mean, for weights converted from Caffe.

    Raises:
        UserError: the file is missing or is no VGG19, or `input_range` is unknown.
    """

    def __init__(self, weights: str | None = None, loss_weight: float = 1.0, input_range: str = "published") -> None:
        super().__init__()
        if input_range not in INPUTS:
            raise UserError(f"PerceptualLoss.input_range is one of {', '.join(INPUTS)}, not {input_range!r}")
        self.loss_weight = loss_weight
        self.order, scale, offset = INPUTS[input_range]
        self.register_buffer("scale", torch.tensor(scale).view(3, 1, 1), persistent=False)
        self.register_buffer("offset", torch.tensor(offset).view(3, 1, 1), persistent=False)
        self.vgg = self._load(weights)

    def _load(self, weights: str | None) -> Frozen | None:
        if weights is None:
            print_log("perceptual loss off: no file with VGG19's weights (loss_perceptual.weights)", "current")
            return None
        features, self.layers = load_vgg19(weights)
        print_log(f"perceptual loss from {weights}: {', '.join(LAYERS[index] for index in self.layers)}", "current")
        return Frozen(features)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor | None:
        """Compares two batches of images.

        Args:
            prediction: RGB in [-1, 1], `(B, 3, H, W)`.
            target: the same; it gets no gradient.

        Returns:
            Scalar loss, or None where the loss is switched off.
        """
        if self.vgg is None:
            return None
        with torch.no_grad():
            wanted = self._features(target)
        pairs = zip(self.layers, self._features(prediction), wanted, strict=True)
        return self.loss_weight * sum(LAYER_WEIGHTS[index] * F.l1_loss(ours, theirs) for index, ours, theirs in pairs)

    def _features(self, images: Tensor) -> list[Tensor]:
        x, features = images[:, self.order] * self.scale + self.offset, []
        for index, layer in enumerate(self.vgg.network):
            x = layer(x)
            if index in self.layers:
                features.append(x)
        return features
