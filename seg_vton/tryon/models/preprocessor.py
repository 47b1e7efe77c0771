"""From the data loader to the model."""

from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor

from seg_vton.registry import MODELS


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
            name: value if isinstance(value, torch.Tensor) else torch.stack(list(value))
            for name, value in data["inputs"].items()
        }
        return {**data, "inputs": inputs}
