"""Batch normalisation folded into the convolutions before it, for tests."""

from __future__ import annotations

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class FoldBatchNormHook(Hook):
    """Folds batch normalisation into convolutions before a test: less memory traffic, same results up to rounding.

    A test normalises with fixed statistics: a scale and a shift for each channel, and a convolution can do both.
    Training and the validations within it are left as they are. In a config: `custom_hooks =
    [dict(type='FoldBatchNormHook')]`.
    """

    def before_test(self, runner: Runner) -> None:
        """Folds in place, once the checkpoint is in the model."""
        with torch.no_grad():
            fuse_conv_bn(runner.model.module if is_model_wrapper(runner.model) else runner.model)
