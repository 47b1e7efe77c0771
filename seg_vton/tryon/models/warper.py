"""The trained GMM that warps garments for TOM."""

from __future__ import annotations

from pathlib import Path

from seg_vton.engine.checkpoint import load_checkpoint_file, load_weights
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.registry import build_model
from seg_vton.tryon.models.frozen import Frozen


def load_warper(config: str | Path, checkpoint: str | Path) -> Frozen:
    """Builds a GMM from its config file and fills it from a checkpoint, for use without training.

    Args:
        config: config file that the GMM was trained with.
        checkpoint: what that training wrote, or a published prefix-free state dict.

    Returns:
        The GMM in eval mode; calling it gives what `GMM.generate` gives.

    Raises:
        UserError: a file is missing or refused, or the checkpoint does not fit the config's model exactly.
    """
    model = load_config(config).model
    if not Path(checkpoint).is_file():
        raise UserError(
            f"the warper's checkpoint {checkpoint} does not exist: train it with `python tools/train.py {config}`, or "
            "set model.warper.checkpoint to the file of a GMM that you have"
        )
    gmm, content = build_model(model), load_checkpoint_file(checkpoint, "cpu")
    load_weights(gmm, content, checkpoint)
    gmm.aux_head = None  # it served the training
    return Frozen(gmm)
