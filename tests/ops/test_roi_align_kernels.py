"""The CPU's roi_align against torchvision's, which samples point by point."""

import pytest
import torch

from seg_vton.ops.roi_align_kernels import Pooling, backward, forward


def random_rois(count, shape, scale, seed=0):
    """Boxes inside, across and outside the border of the features, some of them smaller than a pixel."""
    generator = torch.Generator().manual_seed(seed)
    side = torch.tensor([shape[3], shape[2]] * 2, dtype=torch.float64) / scale
    points = (torch.rand(count, 4, generator=generator, dtype=torch.float64) * 1.6 - 0.3) * side
    first, second = points.split(2, dim=1)
    images = torch.arange(count)[:, None].double() % shape[0]
    return torch.cat([images, first.minimum(second), first.maximum(second)], dim=1)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 3])
@pytest.mark.parametrize("shape", [(2, 3, 20, 30), (1, 2, 1, 1), (2, 1, 1, 9), (1, 4, 7, 2)])
def test_equals_point_by_point_sampling(shape, sampling_ratio, aligned):
    features, rois = torch.randn(shape, dtype=torch.float64), random_rois(60, shape, 0.25)
    output = forward(features, rois, Pooling((7, 5), 0.25, sampling_ratio, aligned))
    expected = torch.ops.torchvision.roi_align(features, rois, 0.25, 7, 5, sampling_ratio, aligned)
    torch.testing.assert_close(output, expected)
    grad = torch.randn_like(expected)
    found = backward(grad, rois, shape, Pooling((7, 5), 0.25, sampling_ratio, aligned))
    settings = 0.25, 7, 5, *shape, sampling_ratio, aligned
    torch.testing.assert_close(found, torch.ops.torchvision._roi_align_backward(grad, rois, *settings))


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("box", [(3, 3, 3, 3), (9, 9, 2, 2), (-50, -50, -40, -40), (400, 0, 500, 9), (2, 2, 2.1, 2.2)])
def test_boxes_without_area_or_off_the_image(box, aligned):
    features, rois = torch.randn(1, 2, 6, 8, dtype=torch.float64), torch.tensor([[0.0, *box]], dtype=torch.float64)
    expected = torch.ops.torchvision.roi_align(features, rois, 0.5, 2, 2, 0, aligned)
    output = forward(features, rois, Pooling((2, 2), 0.5, 0, aligned))
    torch.testing.assert_close(output, expected.where(~expected.isnan(), output))


def test_layout_does_not_matter():
    features, rois = torch.randn(2, 3, 9, 9), random_rois(5, (2, 3, 9, 9), 1.0).float()
    pooling = Pooling((3, 3), 1.0, 0, True)
    nhwc = forward(features.to(memory_format=torch.channels_last), rois, pooling)
    assert torch.equal(nhwc, forward(features, rois, pooling))
    assert nhwc.is_contiguous(memory_format=torch.channels_last)


def test_a_box_that_is_not_finite_gives_nan_and_leaves_the_others_alone():
    features, rois = torch.randn(1, 3, 9, 9), torch.tensor([[0, 1.0, 1, 5, 5], [0, 1, 1, torch.nan, 5]])
    output = forward(features, rois, Pooling((2, 2), 1.0, 0, True))
    assert output[1].isnan().all()
    assert torch.equal(output[:1], forward(features, rois[:1], Pooling((2, 2), 1.0, 0, True)))


def test_no_boxes():
    pooling = Pooling((7, 7), 1.0, 0, True)
    assert forward(torch.randn(1, 3, 6, 6), torch.zeros(0, 5), pooling).shape == (0, 3, 7, 7)
    assert not backward(torch.zeros(0, 3, 7, 7), torch.zeros(0, 5), (1, 3, 6, 6), pooling).any()
