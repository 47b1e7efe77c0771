"""Batch normalization folded into the convolutions before it, for tests."""

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from seg_vton.errors import UserError


@HOOKS.register_module()
class FoldBatchNormHook(Hook):
    """Folds batch normalization into convolutions before a test: less memory traffic, same results up to rounding.

    A test normalizes with fixed statistics: a scale and a shift for each channel, and a convolution can do both.
    Training and the validations within it are left as they are. In a config: `custom_hooks =
    [dict(type='FoldBatchNormHook')]`. It is for detectors: GMM has its batch normalization behind a ReLU.
    """

    def before_test(self, runner: Runner) -> None:
        """Folds in place, once the checkpoint is in the model.

        `UserError` where something stands between a convolution and the batch normalization that would be folded into
        it.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # mmcv folds batch normalization into the last convolution among the children before it, whatever follows that.
        for name, module in model.named_modules():
            convolution, between = None, []
            for child_name, child in module.named_children():
                if isinstance(child, nn.Conv2d):
                    convolution, between = child_name, []
                elif not isinstance(child, _BatchNorm):  # what mmcv asks for; torch's name for all kinds of it
                    between.append(f"{child_name} ({type(child).__name__})")
                elif convolution is not None and between:
                    raise UserError(
                        f"FoldBatchNormHook cannot fold {child_name} of {name or type(module).__name__} into "
                        f"{convolution}: {', '.join(between)} stands between them. Take the hook out of custom_hooks"
                    )
                else:
                    convolution = None
        with torch.no_grad():
            fuse_conv_bn(model)
