"""CP-VTON's Try-On Module (Wang et al., ECCV 2018, section 3.3): puts a warped garment on a person."""

from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from seg_vton.errors import UserError
from seg_vton.ops.cpu_forms import UpsampleTo
from seg_vton.registry import MODELS, build_model
from seg_vton.tryon.models.base import Inputs, TryOnModel, need
from seg_vton.tryon.models.warper import Warper

WIDTHS = (1, 2, 4, 8, 8, 8)  # of the levels, in units of the first
MASK_TARGETS = ("warped_mask", "parse_cloth_mask")


class UNetBlock(nn.Module):
    """A level of the U-Net around the next deeper one; `model` has the published layers in their published places.

    Args:
        in_channels: channels that come in from above.
        width: channels of the level.
        out_channels: channels that go up.
        inner: the next deeper level, or None at the deepest.
        outermost: whether the level is the first, which has no norm and no activation on the way down.
        output_norm: whether the way up ends in an instance norm.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        out_channels: int,
        inner: "UNetBlock | None",
        outermost: bool = False,
        output_norm: bool = True,
    ) -> None:
        super().__init__()
        down: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, 2, 1)]
        if not outermost:
            down.insert(0, nn.LeakyReLU(0.2))
        if inner is not None and not outermost:
            down.append(nn.InstanceNorm2d(width))
        up = [
            nn.ReLU(),
            UpsampleTo(scale_factor=2, mode="bilinear"),
            nn.Conv2d(width if inner is None else 2 * width, out_channels, 3, 1, 1),
            nn.InstanceNorm2d(out_channels) if output_norm else nn.Identity(),
        ]
        self.model = nn.Sequential(*down, *([] if inner is None else [inner]), *up)

    def forward(self, x: Tensor, features: list[Tensor]) -> Tensor:
        """`(B, in_channels, h, w)` to `(B, out_channels, h, w)`.

        `features` get what the level makes on the way down, `(B, width, h // 2, w // 2)`, then the deeper levels' own.
        """
        *down, relu, upsample, conv, norm = self.model
        inner = down.pop() if isinstance(down[-1], UNetBlock) else None
        own = x
        for layer in down:
            own = layer(own)
        features.append(own)
        if inner is not None:
            own = torch.cat([own, inner(own, features)], dim=1)
        return norm(conv(upsample(relu(own), tuple(x.shape[2:]))))


def build_unet(in_channels: int, out_channels: int, base_channels: int, output_norm: bool) -> UNetBlock:
    """The published U-Net: 6 levels of 1, 2, 4, 8, 8 and 8 times `base_channels`."""
    widths = [base_channels * factor for factor in WIDTHS]
    block = None
    for level in reversed(range(1, len(widths))):
        block = UNetBlock(widths[level - 1], widths[level], widths[level - 1], block)
    return UNetBlock(in_channels, widths[0], out_channels, block, outermost=True, output_norm=output_norm)


@MODELS.register_module()
class TOM(TryOnModel):
    """Renders the person and a composition mask m: `try_on = m * warped_cloth + (1 - m) * rendered`.

    With `aux_head=None` the state dict has the 24 tensors (21,349,252 parameters) of the published network under their
    published names, so that files which the published code writes load. The warper is not among them.

    Args:
        aux_head: config of the second decoder, on the features of all levels of the U-Net's encoder, or None; see
            `TryOnModel`.
        warper: `dict(config=..., checkpoint=None)`, the GMM that warps garments on the fly, see `Warper`. It serves
            batches without `warped_cloth`; None where every batch has it.
        base_channels: width of the network, 64 as published.
        person_channels: channels of `agnostic`, the cloth-agnostic person representation; CP-VTON's has 22.
        output_norm: whether the output passes an instance norm before tanh and sigmoid, as published. It gives every
            image's rendered channels, and the mask before its sigmoid, the same mean and variance.
        loss_l1: compares the try-on with the person.
        loss_perceptual: the same, see `PerceptualLoss`; None for none.
        loss_mask: compares the composition mask with `mask_target`.
        mask_target: 'warped_mask' as in CP-VTON, or 'parse_cloth_mask', the garment on the person, as in CP-VTON+.
        data_preprocessor: config; None builds `TryOnDataPreprocessor`.
        init_cfg: as in mmengine.

    Raises:
        UserError: the warper's config is missing, or `mask_target` is unknown.
    """

    def __init__(
        self,
        aux_head: dict[str, Any] | None = None,
        warper: dict[str, Any] | None = None,
        base_channels: int = 64,
        person_channels: int = 22,
        output_norm: bool = True,
        loss_l1: dict[str, Any] | None = None,
        loss_perceptual: dict[str, Any] | None = None,
        loss_mask: dict[str, Any] | None = None,
        mask_target: str = "warped_mask",
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(person_channels, data_preprocessor, init_cfg)
        if mask_target not in MASK_TARGETS:
            raise UserError(f"TOM.mask_target is one of {', '.join(MASK_TARGETS)}, not {mask_target!r}")
        self.mask_target = mask_target
        self.model = build_unet(person_channels + 3, 4, base_channels, output_norm)
        # Last, so that with and without it a seed gives the other layers the same weights.
        widths = tuple(base_channels * factor for factor in reversed(WIDTHS))
        self.aux_head = aux_head and build_model({**aux_head, "in_channels": widths, "stride": 2 ** len(WIDTHS)})
        self.loss_l1 = build_model(loss_l1 or {"type": "L1Loss"})
        self.loss_perceptual = loss_perceptual and build_model(loss_perceptual)
        self.loss_mask = build_model(loss_mask or {"type": "L1Loss"})
        self.warper = warper and Warper(**warper)

    def generate(self, inputs: Inputs) -> dict[str, Tensor]:
        """The person in the garment.

        Args:
            inputs: `agnostic`, and `warped_cloth` (with `warped_mask`) or `cloth` (with `cloth_mask`) for the warper.

        Returns:
            `rendered` `(B, 3, H, W)` in (-1, 1), `mask` `(B, 1, H, W)` in (0, 1), `try_on` and `warped_cloth`
            `(B, 3, H, W)` in [-1, 1]; `warped_mask` `(B, 1, H, W)` where the inputs give one; `seg_logits`
            `(B, K, H, W)` with the auxiliary decoder.
        """
        agnostic, outputs = self.person(inputs), self._warped(inputs)
        warped_cloth = outputs["warped_cloth"]
        features: list[Tensor] = []  # of all levels, at strides 2 to 64
        found = self.model(torch.cat([agnostic, warped_cloth], dim=1), features)
        # In the garment's precision, float32, under autocast too: colors have more than bfloat16's 8 bits.
        rendered, mask = found.to(warped_cloth.dtype).split([3, 1], dim=1)
        rendered, mask = rendered.tanh(), mask.sigmoid()
        outputs |= {"rendered": rendered, "mask": mask, "try_on": torch.lerp(rendered, warped_cloth, mask)}
        if self.aux_head is not None:
            outputs["seg_logits"] = self.aux_head(features[::-1], tuple(agnostic.shape[2:]))
        return outputs

    def _warped(self, inputs: Inputs) -> dict[str, Tensor]:
        """`warped_cloth` and, where it can be had, `warped_mask`: from the inputs or, without gradient, the warper."""
        if "warped_cloth" not in inputs and self.warper is None:
            raise UserError(
                "TOM got no warped_cloth and has no warper: set model.warper.config to a trained GMM's config, or "
                "use a data set with exported warps"
            )
        warps = inputs if "warped_cloth" in inputs else self.warper(inputs)
        return {name: warps[name] for name in ("warped_cloth", "warped_mask") if name in warps}

    def loss(self, inputs: Inputs, data_samples: list[BaseDataElement] | None) -> dict[str, Tensor]:
        """Training losses.

        Args:
            inputs: those of `generate`, `image`, the target of the mask, and `parse` with the auxiliary decoder.
            data_samples: for the auxiliary decoder; their label space must be its own.

        Returns:
            `loss_l1`, `loss_mask`; `loss_perceptual` unless there is none; with the decoder `loss_seg` and
            `aux_pixel_accuracy`.
        """
        outputs, image = self.generate(inputs), need(inputs, "image", "TOM's loss")
        target = need({**inputs, **outputs}, self.mask_target, "TOM's mask loss")
        losses = {
            "loss_l1": self.loss_l1(outputs["try_on"], image),
            "loss_mask": self.loss_mask(outputs["mask"], target),
        }
        if self.loss_perceptual is not None:
            losses["loss_perceptual"] = self.loss_perceptual(outputs["try_on"], image)
        return losses | self.aux_losses(outputs, inputs, data_samples)
