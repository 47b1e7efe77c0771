"""The CARAFE upsampler under mmcv's name, so that mmdet's models build it and published checkpoints load."""

import torch
from mmcv.ops.carafe import CARAFEPack as MMCVCARAFEPack
from mmengine.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from .carafe_function import carafe


@MODELS.register_module(name="carafe", force=True)
class CARAFEPack(MMCVCARAFEPack):
    """mmcv's upsampler with `seg_vton.ops.carafe` as its operator, also for a batch of no images.

    Arguments, parameters (``channel_compressor``, ``content_encoder``) and initialization are mmcv's; mmdet's
    ``FPN_CARAFE`` and ``FCNMaskHead`` build it from ``upsample_cfg=dict(type='carafe', ...)``.
    """

    def kernel_normalizer(self, mask: Tensor) -> Tensor:
        """Turns the content encoder's output into weights that sum to one over each kernel.

        mmcv's own fails on a batch of no images, which is what the mask head gets where nothing was detected; so does
        the backward pass of PyTorch's pixel shuffle.

        Args:
            mask: (N, up_group * up_kernel**2 * scale_factor**2, H, W).

        Returns:
            (N, up_group * up_kernel**2, H * scale_factor, W * scale_factor), of the type of ``mask``.
        """
        n, _, h, w = mask.shape
        if torch.jit.is_tracing() or n:  # a traced size is a symbol
            mask = F.pixel_shuffle(mask, self.scale_factor)
        else:
            mask = mask.reshape(n, self.up_group * self.up_kernel**2, h * self.scale_factor, w * self.scale_factor)
        kernels = mask.unflatten(1, (self.up_group, self.up_kernel**2))
        return F.softmax(kernels, dim=2, dtype=mask.dtype).flatten(1, 2)

    def feature_reassemble(self, x: Tensor, mask: Tensor) -> Tensor:
        """The operator on (N, channels, H, W) and what `kernel_normalizer` returned."""
        return carafe(x, mask, self.up_kernel, self.up_group, self.scale_factor)
