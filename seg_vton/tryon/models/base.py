"""What both stages of the try-on share."""

from abc import abstractmethod
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from seg_vton.errors import UserError
from seg_vton.registry import MODELS, build_model

Inputs = dict[str, Tensor]
"""The tensors of a batch by name, float32 unless said; H, W is the image size, color is RGB.

agnostic: `(B, person_channels, H, W)`, the cloth-agnostic person representation; CP-VTON's 22 channels are body shape 1
    and head 3 in [-1, 1], pose 18 of -1 and 1, in this order.
cloth, cloth_mask: the in-shop garment `(B, 3, H, W)` in [-1, 1] and its mask `(B, 1, H, W)` of 0 and 1.
image: the person `(B, 3, H, W)` in [-1, 1].
parse_cloth, parse_cloth_mask: the worn garment on white `(B, 3, H, W)` in [-1, 1] and its mask `(B, 1, H, W)`.
parse: int64 `(B, H, W)`, class ids in the auxiliary label space; 255 has no label.
warped_cloth, warped_mask: optional, like cloth and cloth_mask, warped to the person.
theta: optional, `(B, 2 * grid_size**2)`, the control points' offsets of a known warp, in units of [-1, 1].
"""

PREDICTED = ("theta", "grid", "warped_cloth", "warped_mask", "rendered", "mask", "try_on", "seg_map")


@MODELS.register_module()
class TryOnDataPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the model's device; tensors that the loader left in lists are stacked.

    The data set already gives the ranges that the models take, so nothing is normalized here.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """A batch as a dict with stacked tensors on the model's device.

        `data` has `inputs`, a dict of `(B, ...)` tensors (`default_collate`) or of lists of tensors (mmengine's own
        `pseudo_collate`), and optionally `data_samples`, a list. In training nothing differs.
        """
        data = self.cast_data(data)
        inputs = {
            name: value if isinstance(value, Tensor) else torch.stack(list(value))
            for name, value in data["inputs"].items()
        }
        return {**data, "inputs": inputs}


def need(inputs: Inputs, name: str, why: str) -> Tensor:
    """The input of that name; `UserError` where the batch has none."""
    if name not in inputs:
        raise UserError(f"the batch has no {name!r}, which {why} needs; it has {', '.join(sorted(inputs))}")
    return inputs[name]


class TryOnModel(BaseModel):
    """A stage of the try-on: `tensor` computes, `predict` packs what it computed, `loss` compares.

    Args:
        person_channels: channels of `agnostic`.
        data_preprocessor: config; None builds `TryOnDataPreprocessor`.
        init_cfg: as in mmengine.

    Attributes:
        aux_head: the auxiliary decoder or None; any module of `MODELS` that a stage can build with `in_channels` (of
            the features that the stage gives it, the coarsest first) and `stride` (of the coarsest) and that has

            - `label_space`: name of the label space of its scores;
            - `forward(features, size)`: features `(B, C_i, H_i, W_i)` to logits `(B, K, H, W)`, `size` is (H, W);
            - `loss(logits, parse, data_samples)`: a dict of scalars; those with `loss` in their names add up.
    """

    aux_head: nn.Module | None

    def __init__(
        self,
        person_channels: int,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(data_preprocessor, nn.Module):
            data_preprocessor = build_model(data_preprocessor or {"type": "TryOnDataPreprocessor"})
        super().__init__(data_preprocessor, init_cfg)
        self.person_channels = person_channels

    def forward(
        self, inputs: Inputs, data_samples: list[BaseDataElement] | None = None, mode: str = "tensor"
    ) -> dict[str, Tensor] | list[BaseDataElement]:
        """Computes a batch.

        Args:
            inputs: see `Inputs`.
            data_samples: one for each item; `predict` keeps their metainfo. A decoder's label space must be theirs.
            mode: 'tensor', 'loss' or 'predict'.

        Returns:
            'tensor': `generate`'s dict. 'loss': a dict of scalars, of which the names with `loss` add up. 'predict':
            one element for each item with its metainfo and those of `generate`'s tensors that `PREDICTED` names, on the
            model's device; with the decoder also `seg_map`, int64 `(H, W)`.

        Raises:
            UserError: an input is missing or does not fit the model, or the samples are of another label space than the
                decoder.
        """
        if mode == "tensor":
            return self.generate(inputs)
        if mode == "loss":
            return self.loss(inputs, data_samples)
        if mode == "predict":
            return self._pack(self.generate(inputs), data_samples)
        raise ValueError(f"mode is 'tensor', 'loss' or 'predict', not {mode!r}")

    def person(self, inputs: Inputs) -> Tensor:
        """The batch's `agnostic`; `UserError` where it has other channels than the model was built for."""
        agnostic = need(inputs, "agnostic", type(self).__name__)
        if agnostic.shape[1] != self.person_channels:
            raise UserError(
                f"{type(self).__name__} was built for person_channels={self.person_channels} and agnostic has "
                f"{agnostic.shape[1]}: set model.person_channels to what the data set's pipeline makes"
            )
        return agnostic

    def aux_losses(
        self, outputs: dict[str, Tensor], inputs: Inputs, data_samples: list[BaseDataElement] | None
    ) -> dict[str, Tensor]:
        """The auxiliary decoder's losses; none without one. `UserError` where `parse` is of another label space."""
        if self.aux_head is None:
            return {}
        self._check_space(data_samples)
        parse = need(inputs, "parse", "the auxiliary decoder's loss")
        return self.aux_head.loss(outputs["seg_logits"], parse, data_samples)

    def _check_space(self, samples: list[BaseDataElement] | None) -> None:
        """Raises `UserError` where a sample says another `label_space` than the decoder: its ids mean other labels."""
        own = self.aux_head.label_space
        others = {sample.get("label_space", own) for sample in samples or []} - {own}
        if others:
            raise UserError(
                f"the parsing maps are of the label space {', '.join(sorted(others))} and the auxiliary head is of "
                f"{own}: set label_space of model.aux_head and of the data set's AuxTarget to the same"
            )

    @abstractmethod
    def generate(self, inputs: Inputs) -> dict[str, Tensor]:
        """The stage's outputs by name."""

    @abstractmethod
    def loss(self, inputs: Inputs, data_samples: list[BaseDataElement] | None) -> dict[str, Tensor]:
        """The stage's losses by name."""

    def _pack(self, outputs: dict[str, Tensor], samples: list[BaseDataElement] | None) -> list[BaseDataElement]:
        if "seg_logits" in outputs:
            self._check_space(samples)
            outputs = {**outputs, "seg_map": outputs["seg_logits"].argmax(1)}
        fields = {name: outputs[name] for name in PREDICTED if name in outputs}
        count = len(next(iter(fields.values())))
        samples = samples or [BaseDataElement() for _ in range(count)]
        return [
            BaseDataElement(metainfo=sample.metainfo, **{name: value[i] for name, value in fields.items()})
            for i, sample in enumerate(samples)
        ]
