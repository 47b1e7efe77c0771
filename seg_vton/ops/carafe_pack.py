"""The CARAFE upsampler under mmcv's name, so that mmdet's models build it and published checkpoints load."""

from __future__ import annotations

from mmcv.ops.carafe import CARAFEPack as MMCVCARAFEPack
from mmengine.registry import MODELS
from torch import Tensor

from .carafe_function import carafe


@MODELS.register_module(name="carafe", force=True)
class CARAFEPack(MMCVCARAFEPack):
    """mmcv's upsampler with `seg_vton.ops.carafe` as its operator.

    Arguments, parameters (``channel_compressor``, ``content_encoder``) and initialisation are mmcv's; mmdet's
    ``FPN_CARAFE`` and ``FCNMaskHead`` build it from ``upsample_cfg=dict(type='carafe', ...)``.
    """

    def feature_reassemble(self, x: Tensor, mask: Tensor) -> Tensor:
        """Applies the operator.

        Args:
            x: (N, channels, H, W).
            mask: (N, up_group * up_kernel**2, H * scale_factor, W * scale_factor), normalised.

        Returns:
            (N, channels, H * scale_factor, W * scale_factor).
        """
        return carafe(x, mask, self.up_kernel, self.up_group, self.scale_factor)
