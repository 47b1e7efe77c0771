"""The auxiliary decoder: which human segmentation to expect once the person wears the garment.

From Ayush et al., *Powering Virtual Try-On via Auxiliary Human Segmentation Learning* (ICCV Workshops 2019): each stage
gets a second decoder on its shared encoder, trained with a weighted cross-entropy. The paper leaves open the classes,
the weights and the decoder's shape; the defaults here are this repository's.
"""

from collections.abc import Mapping, Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn import functional as F

from seg_vton.labels import IGNORE_INDEX, get_space
from seg_vton.registry import MODELS


@MODELS.register_module()
class AuxSegHead(nn.Module):
    """Convolutions and bilinear upsampling from the encoder's coarsest features to class scores.

    At each stride s from the coarsest features' down to 4: a 3 x 3 convolution to `min(s / 4 * base_channels,
    max_channels)` channels, batch norm, ReLU, bilinear to stride s / 2, where the encoder's features of that stride are
    appended if there are any. The scores come from a 3 x 3 convolution at stride 2 and are resized to the image.

    Args:
        in_channels: channels of the encoder's features, the coarsest first, each next one of half the stride. The stage
            that owns the head gives it.
        stride: of the coarsest features, a power of 2 from 4; the stage gives it.
        label_space: name of the label space of the scores and of `parse`.
        class_weight: class name -> weight in the cross-entropy; 1 for all others.
        loss_weight: factor of the loss beside the stage's own.
        base_channels: channels at stride 2.
        max_channels: most channels at any stride.

    Raises:
        UserError: the label space is unknown or lacks a class that `class_weight` names.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        stride: int,
        label_space: str = "tryon8",
        class_weight: Mapping[str, float] | None = None,
        loss_weight: float = 1.0,
        base_channels: int = 64,
        max_channels: int = 256,
    ) -> None:
        super().__init__()
        self.label_space, self.loss_weight = label_space, loss_weight
        space = get_space(label_space)
        weights = torch.ones(len(space.classes))
        for name, weight in (class_weight or {}).items():
            weights[space.id_of(name)] = weight
        self.register_buffer("class_weight", weights, persistent=False)
        self.stages = nn.ModuleList()
        stages = stride.bit_length() - 2
        skips = (*in_channels, *[0] * stages)[1 : stages + 1]
        width = in_channels[0]
        for number, skip in enumerate(skips):
            out = min((stride >> number + 2) * base_channels, max_channels)
            self.stages.append(nn.Sequential(nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(True)))
            width = out + skip
        self.classifier = nn.Conv2d(width, len(self.class_weight), 3, padding=1)

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Class scores: `(B, K, H, W)` logits, K classes of the label space.

        Args:
            features: the encoder's, as `in_channels` says: `(B, C_i, H_i, W_i)`.
            size: height and width of the image.
        """
        x = features[0]
        for number, stage in enumerate(self.stages, start=1):
            x = stage(x)
            if number < len(features):
                skip = features[number]
                x = torch.cat([_resize(x, skip.shape[2:]), skip], dim=1)
            else:
                x = _resize(x, (2 * x.shape[2], 2 * x.shape[3]))
        return _resize(self.classifier(x), size)

    def loss(
        self, logits: Tensor, parse: Tensor, data_samples: list[BaseDataElement] | None = None
    ) -> dict[str, Tensor]:
        """Weighted cross-entropy over the pixels that have a label, divided by the sum of their weights.

        Args:
            logits: `(B, K, H, W)`.
            parse: int64 `(B, H, W)`, 255 where there is no label; a batch without any label costs 0.
            data_samples: unused; a head may weigh its losses by them.

        Returns:
            `loss_seg`, times `loss_weight`, and `aux_pixel_accuracy`, the share of labeled pixels that are right.
        """
        labeled = parse != IGNORE_INDEX
        total = self.class_weight[parse.where(labeled, 0)].mul(labeled).sum()
        cost = F.cross_entropy(logits, parse, self.class_weight, ignore_index=IGNORE_INDEX, reduction="sum")
        right = (logits.detach().argmax(1) == parse).sum() / labeled.sum().clamp(min=1)
        return {"loss_seg": self.loss_weight * cost / total.clamp(min=1e-6), "aux_pixel_accuracy": right}


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
