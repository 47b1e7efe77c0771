"""The perceptual loss of CP-VTON on VGG19 features (Johnson et al., ECCV 2016; Simonyan and Zisserman, ICLR 2015)."""

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn
from torch.nn import functional as F

from seg_vton.errors import UserError
from seg_vton.registry import MODELS
from seg_vton.tryon.models.frozen import fill, freeze

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


@MODELS.register_module()
class PerceptualLoss(nn.Module):
    """Weighted mean absolute differences of VGG19's features after relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.

    The layers' weights are 1/32, 1/16, 1/8, 1/4 and 1. VGG19's are read in `init_weights`, which a training calls
    before its first step: building the loss needs no file. They are no part of a state dict.

    Args:
        weights: VGG19's, under torchvision's names: 'torchvision://vgg19', which is downloaded once, or a file. One
            that stops early serves as far as it goes; the other terms are left out, and one log line says which are
            used.
        loss_weight: factor of the loss.
        input_range: what VGG gets: 'published' is RGB in [-1, 1], which CP-VTON's code feeds to torchvision's weights
            though they were trained otherwise; 'imagenet' is what they were trained on; 'caffe' is BGR in [0, 255] less
            the mean, for weights converted from Caffe.

    Attributes:
        layers: those of `LAYERS` that the weights reach; none before they are read.

    Raises:
        UserError: `input_range` is unknown.
    """

    def __init__(
        self, weights: str = "torchvision://vgg19", loss_weight: float = 1.0, input_range: str = "published"
    ) -> None:
        from torchvision.models import vgg19  # here, since most rows of the doll do without

        super().__init__()
        if input_range not in INPUTS:
            raise UserError(f"PerceptualLoss.input_range is one of {', '.join(INPUTS)}, not {input_range!r}")
        self.weights, self.loss_weight = weights, loss_weight
        self.order, scale, offset = INPUTS[input_range]
        self.register_buffer("scale", torch.tensor(scale).view(3, 1, 1), persistent=False)
        self.register_buffer("offset", torch.tensor(offset).view(3, 1, 1), persistent=False)
        with torch.device("meta"):  # draws no random numbers
            features = vgg19().features[: max(LAYERS) + 1]
        self.vgg, self.layers = freeze(features.to_empty(device=self.scale.device)), []

    def init_weights(self) -> None:
        """Reads VGG19; `UserError` where the file is missing, refused or no VGG19, or cannot be downloaded."""
        try:
            content = CheckpointLoader.load_checkpoint(self.weights, "cpu")
            state = content.get("state_dict", content)
            state = {str(key).removeprefix("features."): value for key, value in state.items()}
            own = {key: buffer.shape for key, buffer in self.vgg.named_buffers()}
            missing = [key for key, shape in own.items() if getattr(state.get(key), "shape", None) != shape]
            first = min((int(key.split(".")[0]) for key in missing), default=len(self.vgg))
            self.layers = [index for index in LAYERS if index < first]
            if not self.layers:
                raise UserError(f"{self.weights} holds no VGG19: expected features.0.weight of 64x3x3x3 and so on")
        except UserError as error:
            raise UserError(
                f"the perceptual loss has no VGG19: {error}. Name a file of torchvision's with --cfg-options "
                "model.loss_perceptual.weights=FILE, or train without this loss: model.loss_perceptual=None"
            ) from error
        del self.vgg[self.layers[-1] + 1 :]
        fill(self.vgg, state)
        print_log(f"perceptual loss from {self.weights}: {', '.join(map(LAYERS.get, self.layers))}", "current")

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compares two batches of images, RGB in [-1, 1], `(B, 3, H, W)`; the target gets no gradient. A scalar."""
        if not self.layers:
            raise RuntimeError("PerceptualLoss has no weights: call its or the model's init_weights() before the loss")
        with torch.no_grad():
            wanted = self._features(target)
        pairs = zip(self.layers, self._features(prediction), wanted, strict=True)
        return self.loss_weight * sum(LAYER_WEIGHTS[index] * F.l1_loss(ours, theirs) for index, ours, theirs in pairs)

    def _features(self, images: Tensor) -> list[Tensor]:
        x, features = images[:, self.order] * self.scale + self.offset, []
        for index, layer in enumerate(self.vgg):
            x = layer(x)
            if index in self.layers:
                features.append(x)
        return features
