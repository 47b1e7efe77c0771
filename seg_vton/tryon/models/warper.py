"""The trained GMM that warps garments for TOM."""

from pathlib import Path

import torch
from torch import Tensor, nn

from seg_vton.engine.checkpoint import load_checkpoint_file, usable_state
from seg_vton.engine.launch import load_config, trained_checkpoint
from seg_vton.errors import UserError
from seg_vton.registry import build_model
from seg_vton.tryon.models.base import Inputs
from seg_vton.tryon.models.frozen import fill, freeze


def warper_checkpoint(config: str | Path, checkpoint: str | Path | None = None) -> Path:
    """The checkpoint of a warper, see `Warper`; `UserError` where there is no such file."""
    path = Path(checkpoint or trained_checkpoint(load_config(config)))
    if not path.is_file():
        raise UserError(
            f"the warper's checkpoint {path} does not exist: train it with `python tools/train.py {config}`, or set "
            "model.warper.checkpoint to the file of a GMM that you have"
        )
    return path


class Warper(nn.Module):
    """A GMM that is used and not trained, and of which its owner's state dict and parameters have nothing.

    It is built from its config at once. Its weights are read when they are first needed.

    Args:
        config: config file that the GMM was trained with.
        checkpoint: what that training wrote, or a published prefix-free state dict; None takes the file with which the
            config's training ends.
    """

    def __init__(self, config: str | Path, checkpoint: str | Path | None = None) -> None:
        super().__init__()
        self.config, self.checkpoint, self.loaded = config, checkpoint, False
        self.network = freeze(build_model({**load_config(config).model, "aux_head": None}))  # it served the training

    def train(self, mode: bool = True) -> "Warper":
        """Stays in eval mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, inputs: Inputs) -> dict[str, Tensor]:
        """What `GMM.generate` gives, without gradients; `UserError` where the checkpoint does not fit exactly."""
        if not self.loaded:
            path = warper_checkpoint(self.config, self.checkpoint)
            with torch.device("meta"):
                trained = build_model(load_config(self.config).model)
            fill(self.network, usable_state(trained, load_checkpoint_file(path, "cpu"), path))
            self.loaded = True
        return self.network(inputs)
