"""Winograd's convolution: result and gradients of a plain one, and when it is taken."""

import pytest
import torch
from torch.nn import functional as F

from seg_vton.ops import winograd
from seg_vton.ops.winograd import WinogradConv2d, winograd_conv3x3


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("size", [(8, 12), (7, 5), (1, 3)])
def test_result_and_gradients_are_those_of_a_plain_convolution(size, tile, memory_format):
    x = torch.randn(2, 5, *size, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
    weight = torch.randn(4, 5, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    grad, results = torch.randn(2, 4, *size, dtype=torch.float64), []
    for output in (F.conv2d(x, weight, bias, padding=1), winograd_conv3x3(x, weight, bias, tile)):
        results.append((output, *torch.autograd.grad(output, (x, weight, bias), grad)))
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(("tile", "atol"), [(2, 1e-5), (4, 5e-5)])
def test_float32_rounds_little_more_than_a_plain_convolution(tile, atol):
    x, weight, bias = torch.randn(1, 256, 16, 12), torch.randn(128, 256, 3, 3) / 48, torch.zeros(128)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    torch.testing.assert_close(winograd_conv3x3(x, weight, bias, tile).double(), exact, atol=atol, rtol=0)


def test_frozen_weights_get_no_gradient_and_the_input_does():
    x, weight, bias = torch.randn(1, 3, 4, 4), torch.randn(2, 3, 3, 3), torch.zeros(2)
    x.requires_grad_()
    winograd_conv3x3(x, weight, bias, 2).sum().backward()
    assert weight.grad is None
    assert x.grad.any()


def test_it_is_taken_where_it_is_faster(monkeypatch):
    taken = []
    monkeypatch.setattr(winograd, "winograd_conv3x3", lambda x, w, b, tile: taken.append(tile))
    trained, frozen = (WinogradConv2d(128, 128, 3, padding=1).requires_grad_(needed) for needed in (True, False))
    frozen(torch.zeros(2, 128, 32, 32))  # 128 tiles of 4 x 4
    frozen(torch.zeros(2, 128, 16, 16))  # 128 tiles of 2 x 2
    trained(torch.zeros(2, 128, 32, 32))
    assert taken == [4, 2, 2]
    frozen(torch.zeros(1, 128, 16, 16))
    with torch.autocast("cpu", torch.bfloat16):
        frozen(torch.zeros(2, 128, 32, 32))
    assert len(taken) == 3
