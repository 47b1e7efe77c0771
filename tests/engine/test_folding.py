from types import SimpleNamespace

import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn

from seg_vton.engine.hooks import FoldBatchNormHook
from seg_vton.errors import UserError
from seg_vton.tryon.models import GMM


def make_model():
    """A convolution with batch normalization in each of mmdet's two forms, with statistics as after a training."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        ConvModule(8, 6, 3, norm_cfg=dict(type="BN"), groups=2),
        nn.BatchNorm2d(6),  # after an activation: must stay
    )
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -1, 1)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
    return model.eval()


def test_folding_keeps_the_outputs_and_removes_the_layers():
    model, image = make_model(), torch.randn(2, 3, 12, 9)
    with torch.no_grad():
        expected = model(image)
        FoldBatchNormHook().before_test(SimpleNamespace(model=model))
        torch.testing.assert_close(model(image), expected, rtol=1e-4, atol=1e-5)
    assert [name for name, layer in model.named_modules() if isinstance(layer, nn.BatchNorm2d)] == ["4"]


def test_weights_stay_in_channels_last_memory():
    model = make_model().to(memory_format=torch.channels_last)
    FoldBatchNormHook().before_test(SimpleNamespace(model=model))
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_what_stands_behind_an_activation_is_refused():
    """mmcv would fold it into the convolution before the activation, and the model would say something else."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4))
    with pytest.raises(UserError, match=r"cannot fold 2 of Sequential into 0: 1 \(ReLU\) stands between"):
        FoldBatchNormHook().before_test(SimpleNamespace(model=model))
    with pytest.raises(UserError, match=r"cannot fold 2 of extractionA\.model into 0"):
        FoldBatchNormHook().before_test(SimpleNamespace(model=GMM(image_size=(64, 64), base_channels=4)))
