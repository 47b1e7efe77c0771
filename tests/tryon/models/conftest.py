import pytest
import torch
from torch.nn import functional as F


def make_inputs(size, batch=2, classes=8):
    """A batch of smooth random pictures, square masks and random labels, of 64 x 64 pixels or more."""

    def smooth(channels):
        return F.interpolate(torch.rand(batch, channels, 8, 6) * 2 - 1, size, mode="bicubic").clamp(-1, 1)

    mask = torch.zeros(batch, 1, *size)
    mask[..., size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 1
    return {
        "agnostic": smooth(22),
        "cloth": smooth(3),
        "cloth_mask": mask,
        "image": smooth(3),
        "parse_cloth": smooth(3),
        "parse_cloth_mask": mask.roll(3, 2),
        "parse": torch.randint(0, classes, (batch, *size)),
    }


@pytest.fixture
def inputs():
    """A batch of two at 64 x 64 pixels; see `make_inputs`."""
    return make_inputs((64, 64))


@pytest.fixture
def inputs_of():
    """The function `make_inputs`, for other sizes."""
    return make_inputs
