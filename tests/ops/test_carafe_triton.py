"""CARAFE's Triton kernels: in Triton's interpreter, on a GPU where there is one, and when they are chosen."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from seg_vton.ops import carafe_function
from seg_vton.ops.carafe_kernels import shifts_backward, shifts_forward

HAS_TRITON = find_spec("triton") is not None
needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="needs the package triton, which comes with torch for CUDA")

# Triton decides at its import whether it interprets, so this is a process of its own. The package around the kernels is
# left out: importing it would take longer than the kernels.
INTERPRETED = """
import sys, types
import torch

package = types.ModuleType("ops")
package.__path__ = [sys.argv[1]]
sys.modules["ops"] = package
from ops import carafe_triton
from ops.carafe_kernels import composite_forward

assert type(carafe_triton._forward_kernel).__name__ == "InterpretedFunction"
carafe_triton.PIXELS, carafe_triton.CHANNELS = 16, 4  # several programs, the last ones not full
torch.manual_seed(0)


def check(features, masks, settings, grad=None):
    wide = [t.double().requires_grad_() for t in (features, masks)]
    expected = composite_forward(*wide, *settings)
    grad = torch.randn_like(expected).to(features.dtype) if grad is None else grad
    expected = expected, *torch.autograd.grad(expected, wide, grad.double())
    dtype = torch.promote_types(features.dtype, masks.dtype)
    like = features.new_empty(0, dtype=torch.promote_types(dtype, torch.float32))
    found = carafe_triton.forward(features, masks, *settings, like)
    channels_last = not features.is_contiguous() and features.is_contiguous(memory_format=torch.channels_last)
    kept = torch.channels_last if channels_last else torch.contiguous_format
    assert found.is_contiguous(memory_format=kept)
    found = found, *carafe_triton.backward(grad, features, masks, *settings, like)
    for one, other, dtype in zip(found, expected, (features.dtype, features.dtype, masks.dtype)):
        assert one.dtype == dtype
        tolerance = 2 * torch.finfo(dtype).eps  # the interpreter cuts bfloat16 off where a GPU rounds
        sums = 100 * torch.finfo(like.dtype).eps
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=sums)


def draw(case, dtype=torch.float64):
    n, c, h, w, kernel, groups, scale = case
    shapes = (n, c, h, w), (n, groups * kernel**2, h * scale, w * scale)
    return *(torch.randn(shape).to(dtype) for shape in shapes), (kernel, groups, scale)


for case in [(1, 5, 3, 3, 3, 1, 2), (2, 6, 3, 3, 3, 3, 1), (2, 2, 2, 1, 1, 2, 3), (1, 2, 2, 1, 5, 2, 2)]:
    check(*draw(case))
for dtype in (torch.float16, torch.bfloat16):
    check(*draw((1, 2, 2, 2, 3, 2, 2), dtype))
features, masks, settings = draw((1, 6, 2, 3, 3, 2, 2), torch.float32)
check(features.half(), masks, settings)
channels_last = [t.to(memory_format=torch.channels_last) for t in (features, masks)]
check(*channels_last, settings, torch.ones(1, 1, 1, 1).expand(1, 6, 4, 6))
features, masks, settings = draw((2, 6, 3, 6, 3, 2, 2))
check(features[1:, 2:, 1:, ::2], masks[1:, :, 2:, :6], settings)
"""


@needs_triton
def test_interpreted_kernels_compute_what_autograd_does(repo):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", INTERPRETED, str(repo / "seg_vton" / "ops")]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


@pytest.fixture(autouse=True)
def chosen_anew():
    """What was found out about Triton is forgotten before and after each test."""
    carafe_function.gpu_forms.cache_clear()
    yield
    carafe_function.gpu_forms.cache_clear()


@needs_triton
def test_triton_is_chosen_where_it_can_build(monkeypatch, tmp_path):
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(carafe_function.sysconfig, "get_path", lambda *_: tmp_path)
    monkeypatch.setenv("CC", "cc")
    assert [form.__module__ for form in carafe_function.gpu_forms()] == ["seg_vton.ops.carafe_triton"] * 2


@needs_triton
@pytest.mark.parametrize("missing", ["compiler", "headers"])
def test_pytorchs_form_is_chosen_where_triton_cannot_build(missing, monkeypatch, tmp_path):
    monkeypatch.setattr(carafe_function.sysconfig, "get_path", lambda *_: tmp_path)
    monkeypatch.setattr(carafe_function.shutil, "which", lambda _: None)
    monkeypatch.delenv("CC", raising=False)
    if missing == "headers":
        monkeypatch.setenv("CC", "cc")
    else:
        (tmp_path / "Python.h").touch()
    assert carafe_function.gpu_forms() == (shifts_forward, shifts_backward)


def test_pytorchs_form_is_chosen_without_triton(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert carafe_function.gpu_forms() == (shifts_forward, shifts_backward)


@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU, and DEVICE=cuda")
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "case", [(2, 70, 9, 7, 5, 1, 2), (3, 6, 4, 7, 3, 2, 2), (2, 6, 3, 3, 5, 3, 1), (1, 4, 5, 1, 1, 4, 3)]
)
def test_a_gpu_computes_what_pytorchs_form_does(case, dtype, memory_format):
    from seg_vton.ops import carafe_triton

    n, c, h, w, *settings = case
    kernel, groups, scale = settings
    features = torch.randn(n, c, h, w, device="cuda").to(dtype, memory_format=memory_format)
    masks = torch.randn(n, groups * kernel**2, h * scale, w * scale, device="cuda").to(dtype)
    grad = torch.randn(n, c, h * scale, w * scale, device="cuda").to(dtype)
    like = features.new_empty(0, dtype=torch.promote_types(dtype, torch.float32))
    found = carafe_triton.forward(features, masks, *settings, like)
    found = found, *carafe_triton.backward(grad, features, masks, *settings, like)
    expected = shifts_forward(features, masks, *settings, like)
    expected = expected, *shifts_backward(grad, features, masks, *settings, like)
    for one, other in zip(found, expected, strict=True):
        assert one.stride() == other.stride()
        tolerances = {"rtol": 2 * torch.finfo(dtype).eps, "atol": 300 * torch.finfo(like.dtype).eps}
        torch.testing.assert_close(one, other, **tolerances)
