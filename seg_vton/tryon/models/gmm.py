"""CP-VTON's Geometric Matching Module (Wang et al., ECCV 2018, section 3.2): warps an in-shop garment to a person."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn import functional as F

from seg_vton.errors import UserError
from seg_vton.registry import MODELS, build_model
from seg_vton.tryon.models.base import Inputs, TryOnModel, need
from seg_vton.tryon.models.tps import TPSGrid

STRIDE = 16  # of the extractors' features


def _initialize(module: nn.Module) -> None:
    """The published initialization of the extractors; biases of convolutions keep torch's."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class FeatureExtraction(nn.Module):
    """Four 4 x 4 convolutions of stride 2, then two 3 x 3; each with ReLU, then batch norm, but none after the last.

    `base_channels` are those of the first convolution, doubled up to eight times that.
    """

    def __init__(self, in_channels: int, base_channels: int = 64) -> None:
        super().__init__()
        channels = [in_channels, *(base_channels * factor for factor in (1, 2, 4, 8, 8, 8))]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(channels)):
            kernel, step = (4, 2) if number < 4 else (3, 1)
            layers += [nn.Conv2d(before, after, kernel, step, 1), nn.ReLU(True), nn.BatchNorm2d(after)]
        self.model = nn.Sequential(*layers[:-1])
        self.model.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, in_channels, H, W)` to `(B, 8 * base_channels, H // 16, W // 16)`, not negative."""
        return self.model(x)


def l2_normalize(features: Tensor) -> Tensor:
    """Divides each position's vector by `sqrt(sum f^2 + 1e-6)`; `(B, C, H, W)` as given."""
    return features * (features.square().sum(1, keepdim=True) + 1e-6).rsqrt()


def correlate(person: Tensor, garment: Tensor) -> Tensor:
    """Products of every position of the person with every position of the garment, `(B, C, H, W)` each.

    Returns `(B, W * H, H, W)`: channel w * H + h is the person's position (h, w), down the columns first as published;
    the spatial position is the garment's.
    """
    columns = person.transpose(2, 3).flatten(2)
    return torch.bmm(columns.transpose(1, 2), garment.flatten(2)).unflatten(2, garment.shape[2:])


class FeatureRegression(nn.Module):
    """Offsets of the control points from the correlation map.

    `feature_size` is the features' (height, width), (16, 12) as published; `out_features` 50 for 5 x 5 points;
    `base_channels` 64 as published: 512, 256, 128, 64.
    """

    def __init__(self, feature_size: tuple[int, int], out_features: int, base_channels: int = 64) -> None:
        super().__init__()
        height, width = feature_size
        channels = [height * width, *(base_channels * factor for factor in (8, 4, 2, 1))]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(channels)):
            kernel, step = (4, 2) if number < 2 else (3, 1)
            layers += [nn.Conv2d(before, after, kernel, step, 1), nn.BatchNorm2d(after), nn.ReLU(True)]
        self.conv = nn.Sequential(*layers)
        self.linear = nn.Linear(base_channels * (height // 4) * (width // 4), out_features)

    def forward(self, correlation: Tensor) -> Tensor:
        """`(B, W * H, H, W)` to `(B, out_features)` in (-1, 1)."""
        return self.linear(self.conv(correlation).flatten(1)).tanh()


@MODELS.register_module()
class GMM(TryOnModel):
    """Matches the cloth-agnostic person with a garment and warps the garment by a thin-plate spline.

    With `aux_head=None` the state dict has the 104 tensors (19,057,650 parameters) of the published network under their
    published names, so that files which the published code writes load.

    Args:
        aux_head: config of the decoder on the two extractors' concatenated features, or None; see `TryOnModel`.
        image_size: height and width; the regressor's layers follow it. At least 64 each.
        grid_size: control points along each side.
        base_channels: width of the network, 64 as published.
        person_channels: channels of `agnostic`, the cloth-agnostic person representation; CP-VTON's has 22.
        align_corners: whether -1 and 1 are the centers of the corner pixels for the sampler too, as they are for the
            grid. The published code samples with False, which shrinks the garment by half a pixel at each border.
        loss_warp: compares the warped garment with the one on the person.
        loss_grid: CP-VTON+'s regularizer of the grid (`GridIntervalLoss`), or None.
        loss_theta: compares the control points' offsets with known ones, for pairs that are made from photos, or None.
            The warped garment alone does not say where a pale one belongs: white on white costs nothing.
        data_preprocessor: config; None builds `TryOnDataPreprocessor`.
        init_cfg: as in mmengine.

    Raises:
        UserError: `image_size` or `grid_size` is too small.
    """

    def __init__(
        self,
        aux_head: dict[str, Any] | None = None,
        image_size: tuple[int, int] = (256, 192),
        grid_size: int = 5,
        base_channels: int = 64,
        person_channels: int = 22,
        align_corners: bool = True,
        loss_warp: dict[str, Any] | None = None,
        loss_grid: dict[str, Any] | None = None,
        loss_theta: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(person_channels, data_preprocessor, init_cfg)
        if min(image_size) < 4 * STRIDE or grid_size < 2:
            raise UserError(
                f"GMM needs images of at least 64 x 64 pixels and 2 x 2 control points, got image_size={image_size} "
                f"and grid_size={grid_size}"
            )
        self.image_size, self.align_corners = tuple(image_size), align_corners
        feature_size = (image_size[0] // STRIDE, image_size[1] // STRIDE)
        self.extractionA = FeatureExtraction(person_channels, base_channels)
        self.extractionB = FeatureExtraction(3, base_channels)
        self.regression = FeatureRegression(feature_size, 2 * grid_size**2, base_channels)
        self.tps = TPSGrid(self.image_size, grid_size)
        # Last, so that with and without it a seed gives the other layers the same weights.
        features = {"in_channels": (16 * base_channels,), "stride": STRIDE}
        self.aux_head = aux_head and build_model({**aux_head, **features})
        self.loss_warp = build_model(loss_warp or {"type": "L1Loss"})
        self.loss_grid = loss_grid and build_model(loss_grid)
        self.loss_theta = loss_theta and build_model(loss_theta)

    def warp(self, images: Tensor, grid: Tensor, padding_mode: str) -> Tensor:
        """Samples images `(B, C, h, w)` of any size at a grid `(B, H, W, 2)`, bilinearly: `(B, C, H, W)`.

        `padding_mode` says what lies outside: 'border' for garments, 'zeros' for masks.
        """
        sample = partial(F.grid_sample, images, padding_mode=padding_mode, align_corners=self.align_corners)
        if not self.training:
            return sample(grid)
        # The loss has to say NaN, which torch takes for -1 and, on a CPU, crashes on in the backward pass (2.11). No
        # branch: it would have a GPU waited for.
        finite = grid.isfinite().all()
        return sample(grid.where(finite, 0)).where(finite, torch.nan)

    def generate(self, inputs: Inputs) -> dict[str, Tensor]:
        """The warped garment, from `agnostic` and `cloth`, and `cloth_mask` if it is to be warped too.

        Returns:
            `theta` `(B, 2 * grid_size**2)` in (-1, 1), `grid` `(B, H, W, 2)`, `warped_cloth` `(B, 3, H, W)`;
            `warped_mask` `(B, 1, H, W)` with `cloth_mask`; `seg_logits` `(B, K, H, W)` with the auxiliary decoder.
        """
        outputs = self._match(inputs)
        if "cloth_mask" in inputs:
            outputs["warped_mask"] = self.warp(inputs["cloth_mask"], outputs["grid"], "zeros")
        return outputs

    def _match(self, inputs: Inputs) -> dict[str, Tensor]:
        agnostic, cloth = self.person(inputs), need(inputs, "cloth", "GMM")
        if agnostic.shape[2:] != self.image_size or cloth.shape[2:] != self.image_size:
            raise UserError(
                f"GMM was built for image_size={self.image_size}, got agnostic of {tuple(agnostic.shape[2:])} and "
                f"cloth of {tuple(cloth.shape[2:])}: set the data set's image_size and the model's to the same"
            )
        person, garment = self.extractionA(agnostic), self.extractionB(cloth)
        theta = self.regression(correlate(l2_normalize(person), l2_normalize(garment)))
        grid = self.tps(theta)
        outputs = {"theta": theta, "grid": grid, "warped_cloth": self.warp(cloth, grid, "border")}
        if self.aux_head is not None:
            outputs["seg_logits"] = self.aux_head([torch.cat([person, garment], dim=1)], self.image_size)
        return outputs

    def loss(self, inputs: Inputs, data_samples: list[BaseDataElement] | None) -> dict[str, Tensor]:
        """Training losses.

        Args:
            inputs: `agnostic`, `cloth`, `parse_cloth`, `theta` with its loss, and `parse` with the auxiliary decoder.
            data_samples: for the auxiliary decoder; their label space must be its own.

        Returns:
            `loss_warp`; `loss_grid` with the regularizer; `loss_theta` with known warps; with the decoder `loss_seg`
            and `aux_pixel_accuracy`.
        """
        outputs = self._match(inputs)
        losses = {"loss_warp": self.loss_warp(outputs["warped_cloth"], need(inputs, "parse_cloth", "GMM's loss"))}
        if self.loss_grid is not None:
            losses["loss_grid"] = self.loss_grid(outputs["grid"])
        if self.loss_theta is not None:
            theta, known = outputs["theta"], need(inputs, "theta", "GMM's loss_theta")
            if known.shape != theta.shape:
                raise UserError(
                    f"the known warps have {known.shape[1]} offsets and GMM's grid has {theta.shape[1]}: set the "
                    "model's grid_size to that of the pairs, or its loss_theta to None"
                )
            losses["loss_theta"] = self.loss_theta(theta, known)
        return losses | self.aux_losses(outputs, inputs, data_samples)
