from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.model import BaseModel, MMDistributedDataParallel, is_model_wrapper
from torch import nn

from seg_vton.engine import launch
from seg_vton.engine.hooks import ChannelsLastDistributedDataParallel, ChannelsLastHook


@pytest.fixture
def alone():
    """A process group of this process alone: gradients pass through torch's buckets as in a larger one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


class Convolutions(BaseModel):
    """Two convolutions."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 4), nn.ReLU(), nn.Conv2d(8, 4, 3))

    def forward(self, inputs, mode="tensor"):
        """The output."""
        return self.layers(inputs)


def gradients(model, module, steps=2):
    """Gradients of each step, by name; the weights stay."""
    found = []
    for step in range(steps):
        module.zero_grad()
        model(torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(step))).square().sum().backward()
        found.append({name: parameter.grad.clone() for name, parameter in module.named_parameters()})
    return found


def differing(one, two):
    return [[key for key in a if not torch.allclose(a[key], b[key], rtol=1e-4)] for a, b in zip(one, two, strict=True)]


def test_gradients_are_those_without_the_wrapper_from_the_first_step(alone):
    plain, module = Convolutions(), Convolutions()
    module.load_state_dict(plain.state_dict())
    wrapped = ChannelsLastDistributedDataParallel(module)
    ChannelsLastHook().before_run(SimpleNamespace(model=wrapped))
    assert is_model_wrapper(wrapped)
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in module.parameters() if p.dim() == 4)
    assert differing(gradients(wrapped, module), gradients(plain, plain)) == [[], []]


def test_weights_converted_after_wrapping_get_wrong_first_gradients(alone):
    """Why the wrapper exists. Where this fails, torch has mended it, and the hook may convert wrapped models again."""
    plain, module = Convolutions(), Convolutions()
    module.load_state_dict(plain.state_dict())
    wrapped = MMDistributedDataParallel(module)
    module.to(memory_format=torch.channels_last)
    found = differing(gradients(wrapped, module), gradients(plain, plain))
    assert found == [["layers.0.weight", "layers.2.weight"], []]


def test_the_hook_leaves_other_wrappers_alone(alone):
    wrapped = MMDistributedDataParallel(Convolutions())
    ChannelsLastHook().before_run(SimpleNamespace(model=wrapped))
    assert all(p.is_contiguous() for p in wrapped.parameters())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"custom_hooks": [{"type": "ChannelsLastHook"}]}, {"type": "ChannelsLastDistributedDataParallel"}),
        ({}, {"type": "MMDistributedDataParallel"}),
        ({"custom_hooks": None, "find_unused_parameters": True}, {"find_unused_parameters": True}),
        ({"model_wrapper_cfg": {"type": "Own", "broadcast_buffers": True}}, {"type": "Own", "broadcast_buffers": True}),
    ],
)
@pytest.mark.parametrize("on_cpu", [True, False])
def test_the_wrapper_follows_from_the_config(settings, expected, on_cpu):
    config = Config(dict(settings))
    launch._choose_wrapper(config, on_cpu)
    defaults = {"type": "MMDistributedDataParallel", "broadcast_buffers": False, "find_unused_parameters": False}
    on_cpu_alone = {"device_ids": None} if on_cpu else {}
    assert config.model_wrapper_cfg.to_dict() == {**defaults, **expected, **on_cpu_alone}
