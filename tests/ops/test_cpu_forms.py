"""Fast forms on the CPU: which layers get one, and that nothing else changes."""

import copy

import pytest
import torch
from torch import nn

from seg_vton.ops.cpu_forms import ResizeConv2d, use_cpu_forms
from seg_vton.ops.winograd import WinogradConv2d


def forms(model):
    return [type(module).__name__ for module in model.modules() if isinstance(module, nn.Conv2d)]


@pytest.mark.parametrize("bias", [True, False])
def test_results_gradients_and_state_dict_stay(bias):
    plain = nn.Sequential(
        nn.Conv2d(128, 128, 3, padding=1, bias=bias),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(128, 3, 3, padding=1),
        nn.Upsample(size=(20, 50), mode="bilinear"),
        nn.Conv2d(3, 5, 3, padding=1),
    )
    fast = copy.deepcopy(plain)
    parameters = dict(fast.named_parameters())
    use_cpu_forms(fast)
    use_cpu_forms(fast)
    assert forms(fast) == ["WinogradConv2d", "ResizeConv2d", "ResizeConv2d"]
    assert {name: id(value) for name, value in fast.named_parameters()} == {n: id(p) for n, p in parameters.items()}
    assert fast.state_dict().keys() == plain.state_dict().keys()
    x, results = torch.randn(2, 128, 16, 16, requires_grad=True), []
    for model in (plain, copy.deepcopy(fast)):  # a copy of the fast one computes with its own parameters
        output = model(x)
        results.append((output, *torch.autograd.grad(output.square().sum(), [x, *model.parameters()])))
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4 * expected.abs().max().item(), rtol=0)


class Doubling(nn.Upsample):
    """Not only resizes."""

    def forward(self, x):
        """Twice the values."""
        return 2 * super().forward(x)


class Residual(nn.Sequential):
    """Not only one layer after the other."""

    def forward(self, x):
        """Something in between."""
        return self[1](self[0](x) + 1)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(127, 128, 3, padding=1),
        nn.Conv2d(128, 128, 3),
        nn.Conv2d(128, 128, 3, 2, 1),
        nn.Conv2d(128, 128, 3, padding=2, dilation=2),
        nn.Conv2d(128, 128, 3, padding=1, groups=2),
        nn.Conv2d(128, 128, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(128, 128, 3, padding=1, device="meta"),
        nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1)),
        nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Conv2d(2, 2, 3, padding=1)),
        nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(2, 2, 1)),
        nn.Sequential(nn.Upsample(scale_factor=1.5, mode="bilinear"), nn.Conv2d(2, 2, 3, padding=1)),
        nn.Sequential(Doubling(scale_factor=2, mode="bilinear"), nn.Conv2d(2, 2, 3, padding=1)),
        Residual(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(2, 2, 3, padding=1)),
    ],
)
def test_other_layers_are_left_alone(layer):
    before = [type(module) for module in layer.modules()]
    use_cpu_forms(layer)
    assert [type(module) for module in layer.modules()] == before


def test_a_subclass_keeps_its_own_forward():
    class Doubled(nn.Conv2d):
        def forward(self, x):
            return 2 * super().forward(x)

    layer = Doubled(128, 128, 3, padding=1)
    use_cpu_forms(layer)
    assert not isinstance(layer, (WinogradConv2d, ResizeConv2d))
