"""Resizing and convolving in one: the same result and gradients as one after the other."""

import pytest
import torch
from torch.nn import functional as F

from seg_vton.ops.cpu_forms import resize_conv3x3


def plain(x, weight, bias, size):
    return F.conv2d(F.interpolate(x, size, mode="bilinear"), weight, bias, padding=1)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("small", "large"), [((4, 3), (8, 6)), ((2, 1), (4, 3)), ((5, 7), (9, 21)), ((6, 5), (4, 5)), ((1, 1), (2, 2))]
)
def test_result_and_gradients_are_those_of_the_two_steps(small, large, memory_format):
    x = torch.randn(2, 5, *small, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
    weight = torch.randn(4, 5, 3, 3, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    grad, results = torch.randn(2, 4, *large, dtype=torch.float64), []
    for form in (plain, resize_conv3x3):
        output = form(x, weight, bias, large)
        results.append((output, *torch.autograd.grad(output, (x, weight, bias), grad)))
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)
