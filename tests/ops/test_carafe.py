"""CARAFE against a slow loop, autograd, other number types, exporters and mmdet's models."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from seg_vton.analysis.timing import peak_bytes
from seg_vton.ops import carafe, carafe_kernels
from seg_vton.ops.carafe_kernels import composite_forward, shifts_backward, shifts_forward

# n, c, h, w, kernel, groups, scale
CASES = [
    (1, 4, 6, 5, 5, 1, 2),
    (3, 6, 4, 7, 3, 2, 2),
    (2, 6, 3, 3, 5, 3, 1),
    (2, 4, 5, 2, 1, 4, 3),
    (1, 3, 2, 2, 7, 3, 2),
    (9, 2, 1, 1, 3, 1, 4),
]
FORMATS = [torch.contiguous_format, torch.channels_last]


def slow_carafe(features, masks, kernel, groups, scale):
    """The definition: mmcv's naive kernel, pixel by pixel."""
    n, c, h, w = features.shape
    output = np.zeros((n, c, h * scale, w * scale))
    for b, channel, y, x in np.ndindex(*output.shape):
        group = channel // (c // groups)
        for ky, kx in np.ndindex(kernel, kernel):
            sy, sx = y // scale + ky - kernel // 2, x // scale + kx - kernel // 2
            if 0 <= sy < h and 0 <= sx < w:
                weight = masks[b, (group * kernel + ky) * kernel + kx, y, x]
                output[b, channel, y, x] += features[b, channel, sy, sx] * weight
    return output


def make_inputs(case, dtype=torch.float64, memory_format=torch.contiguous_format, seed=0):
    n, c, h, w, kernel, groups, scale = case
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, c, h, w, generator=generator, dtype=torch.float64)
    masks = torch.randn(n, groups * kernel**2, h * scale, w * scale, generator=generator, dtype=torch.float64)
    tensors = [t.to(dtype, memory_format=memory_format).requires_grad_() for t in (features, masks)]
    return *tensors, (kernel, groups, scale)


@pytest.fixture(params=[1, 2000, carafe_kernels.BLOCK_BYTES], ids=["row blocks", "small blocks", "default blocks"])
def block_bytes(request, monkeypatch):
    monkeypatch.setattr(carafe_kernels, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_equals_the_definition(case, memory_format):
    features, masks, settings = make_inputs(case, memory_format=memory_format)
    expected = slow_carafe(features.detach().numpy(), masks.detach().numpy(), *settings)
    np.testing.assert_allclose(carafe(features, masks, *settings).detach(), expected, atol=1e-12)


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_gradients(case, memory_format):
    features, masks, settings = make_inputs(case, memory_format=memory_format)
    assert torch.autograd.gradcheck(lambda f, m: carafe(f, m, *settings), (features, masks), fast_mode=True)


def test_gradcheck_entry_by_entry():
    features, masks, settings = make_inputs((1, 2, 2, 2, 3, 2, 2))
    assert torch.autograd.gradcheck(lambda f, m: carafe(f, m, *settings), (features, masks))


@pytest.mark.parametrize("case", CASES)
def test_the_gpu_form_equals_the_definition(case):
    features, masks, settings = make_inputs(case)
    features, masks = features.detach(), masks.detach()
    output = shifts_forward(features, masks, *settings, features.new_empty(0))
    np.testing.assert_allclose(output, slow_carafe(features.numpy(), masks.numpy(), *settings), atol=1e-12)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_the_gpu_forms_gradients_equal_autograds(case, memory_format):
    features, masks, settings = make_inputs(case, memory_format=memory_format)
    output = composite_forward(features, masks, *settings)
    grad = torch.randn_like(output)
    expected = torch.autograd.grad(output, (features, masks), grad)
    found = shifts_backward(grad, features.detach(), masks.detach(), *settings, features.new_empty(0))
    torch.testing.assert_close(found, expected)
    assert all(each.is_contiguous(memory_format=memory_format) for each in found)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_memory_format_is_kept_both_ways(memory_format):
    features, masks, settings = make_inputs(CASES[0], memory_format=memory_format)
    output = carafe(features, masks, *settings)
    assert output.is_contiguous(memory_format=memory_format)
    for grad_format in FORMATS:
        grads = torch.autograd.grad(
            output, (features, masks), torch.ones_like(output, memory_format=grad_format), retain_graph=True
        )
        assert all(grad.is_contiguous(memory_format=memory_format) for grad in grads)


def test_views_of_larger_tensors():
    features, masks, settings = make_inputs((4, 8, 6, 8, 3, 2, 2))
    expected = carafe(features[::2, 2:6, 1:, ::2].contiguous(), masks[::2, :, 2:, :8].contiguous(), *settings)
    torch.testing.assert_close(carafe(features[::2, 2:6, 1:, ::2], masks[::2, :, 2:, :8], *settings), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_narrow_types_round_once(dtype):
    """Sums are taken in float32 or wider: what is left is the rounding of the inputs and of the result."""
    torch.manual_seed(0)
    features, masks, settings = make_inputs((2, 8, 6, 5, 5, 1, 2), dtype)
    output = carafe(features, masks, *settings)
    grad = torch.randn_like(output)
    wide = [t.detach().double().requires_grad_() for t in (features, masks)]
    expected = carafe(*wide, *settings)
    found = (output, *torch.autograd.grad(output, (features, masks), grad))
    expected = (expected, *torch.autograd.grad(expected, wide, grad.double()))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        # A feature's gradient is a sum of 100 products near 1, each of which float32 rounds.
        atol = 100 * torch.finfo(torch.float32).eps
        torch.testing.assert_close(one.double(), other, rtol=2 * torch.finfo(dtype).eps, atol=atol)


@pytest.mark.parametrize("types", [(torch.bfloat16, torch.float32), (torch.float32, torch.bfloat16)])
def test_types_may_differ(types):
    features, masks, settings = make_inputs(CASES[1])
    features, masks = (t.detach().to(kind).requires_grad_() for t, kind in zip((features, masks), types, strict=True))
    output = carafe(features, masks, *settings)
    output.float().sum().backward()
    assert (output.dtype, features.grad.dtype, masks.grad.dtype) == (types[0], *types)
    expected = carafe(features.double(), masks.double(), *settings)
    torch.testing.assert_close(output.double(), expected, rtol=2 * torch.finfo(types[0]).eps, atol=1e-5)


def test_autocast_changes_nothing_for_the_operator():
    features, masks, settings = make_inputs(CASES[0], torch.float32)
    expected = carafe(features, masks, *settings)
    with torch.autocast("cpu", torch.bfloat16):
        output = carafe(features, masks, *settings)
        grads = torch.autograd.grad(output.sum(), (features, masks))
    torch.testing.assert_close(output, expected, rtol=0, atol=0)
    torch.testing.assert_close(grads, torch.autograd.grad(expected.sum(), (features, masks)), rtol=0, atol=0)


@pytest.mark.parametrize("size", [(0, 4, 6, 5), (2, 0, 6, 5), (2, 4, 0, 5)])
def test_empty(size):
    """The mask head sees no region of interest in some images."""
    n, c, h, w = size
    features, masks = torch.zeros(size, requires_grad=True), torch.zeros(n, 9, 2 * h, 2 * w, requires_grad=True)
    output = carafe(features, masks, 3, 1, 2)
    assert output.shape == (n, c, 2 * h, 2 * w)
    output.sum().backward()
    assert features.grad.shape == features.shape
    assert not masks.grad.any()


def test_a_pixel_that_is_not_a_number_stays_in_its_neighborhood():
    features, masks, settings = make_inputs((2, 4, 6, 6, 3, 1, 2))
    features = features.detach().clone()
    features[0, :, 0, 5] = float("nan")
    features.requires_grad_()
    output = carafe(features, masks, *settings)
    assert output[0, :, :4, 8:].isnan().all()
    assert output.isnan().sum() == 4 * 4 * 4
    (grad,) = torch.autograd.grad(output, masks, torch.ones_like(output))
    assert not grad[1].isnan().any()


@pytest.mark.parametrize(
    ("features", "masks", "settings", "words"),
    [
        ((1, 4, 6, 5), (1, 25, 12, 9), (5, 1, 2), [r"\(1, 4, 6, 5\)", r"\(1, 25, 12, 9\)", r"\(1, 25, 12, 10\)"]),
        ((2, 4, 6, 5), (1, 25, 12, 10), (5, 1, 2), [r"\(2, 4, 6, 5\)", r"\(1, 25, 12, 10\)"]),
        ((1, 4, 6, 5), (1, 9, 12, 10), (5, 1, 2), [r"\(1, 9, 12, 10\)", "kernel_size=5"]),
        ((1, 4, 6, 5), (1, 75, 12, 10), (5, 3, 2), ["4 channels", "3 groups"]),
        ((4, 6, 5), (1, 25, 12, 10), (5, 1, 2), [r"\(4, 6, 5\)", "four dimensions"]),
        ((1, 4, 6, 5), (1, 16, 12, 10), (4, 1, 2), ["kernel_size must be odd", "4"]),
        ((1, 4, 6, 5), (1, 25, 12, 10), (5, 1, 0), ["scale_factor=0"]),
    ],
)
def test_sizes_that_do_not_fit(features, masks, settings, words):
    with pytest.raises(ValueError, match=".*".join(words)):
        carafe(torch.zeros(features), torch.zeros(masks), *settings)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_memory_stays_near_the_outputs_size(memory_format, monkeypatch):
    """The unfolded features alone would be 25 times the features, or 6.25 times the output."""
    monkeypatch.setattr(carafe_kernels, "BLOCK_BYTES", 2**16)
    features, masks, settings = make_inputs((1, 64, 48, 40, 5, 1, 2), torch.float32, memory_format)
    output_bytes = 4 * features.numel() * features.element_size()
    assert peak_bytes(lambda: carafe(features, masks, *settings)) < 1.5 * output_bytes
    output = carafe(features, masks, *settings)
    grad = torch.ones_like(output)
    assert peak_bytes(lambda: output.backward(grad)) < 1.5 * output_bytes


def test_nothing_but_the_inputs_is_kept_for_the_backward_pass():
    features, masks, settings = make_inputs(CASES[0])
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()), lambda t: t):
        carafe(features, masks, *settings)
    assert kept == [features.data_ptr(), masks.data_ptr()]


class Upsampler(nn.Module):
    """The operator with its settings, for exporters."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings

    def forward(self, features, masks):
        """Calls the operator."""
        return carafe(features, masks, *self.settings)


def run_onnx(path, *inputs):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    domains = {node.domain for node in model.graph.node} | {f.domain for f in model.functions}
    assert domains <= {"", "ai.onnx"}, "only standard operators"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, (t.numpy() for t in inputs), strict=True)))[0]


@pytest.mark.filterwarnings("ignore:Constant folding", "ignore:You are using the legacy TorchScript-based ONNX")
@pytest.mark.parametrize("case", CASES[1:3])
def test_export_to_onnx(case, tmp_path):
    features, masks, settings = make_inputs(case, torch.float32)
    inputs = features.detach(), masks.detach()
    path = str(tmp_path / "carafe.onnx")
    axes = {name: {0: "n", 2: f"h_{name}", 3: f"w_{name}"} for name in ("features", "masks")}
    names = {"input_names": ["features", "masks"], "output_names": ["output"], "dynamic_axes": axes}
    torch.onnx.export(Upsampler(settings), inputs, path, dynamo=False, **names)
    np.testing.assert_allclose(run_onnx(path, *inputs), carafe(*inputs, *settings), atol=1e-5)
    n, c, h, w, *_ = case
    features, masks, _ = make_inputs((n + 1, c, h + 2, w + 1, *settings), torch.float32)
    inputs = features.detach(), masks.detach()
    np.testing.assert_allclose(run_onnx(path, *inputs), carafe(*inputs, *settings), atol=1e-5)


def test_export_through_torch_export():
    features, masks, settings = make_inputs(CASES[1], torch.float32)
    program = torch.export.export(Upsampler(settings), (features, masks))
    torch.testing.assert_close(program.module()(features, masks), carafe(features, masks, *settings))
    assert all("seg_vton" not in str(node.target) for node in program.graph.nodes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU, and DEVICE=cuda")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", [CASES[1], (0, *CASES[1][1:])])
def test_a_gpu_computes_what_the_cpu_does(case, dtype):
    features, masks, settings = make_inputs(case, dtype)
    output = carafe(features, masks, *settings)
    grad = torch.randn_like(output)
    expected = output, *torch.autograd.grad(output, (features, masks), grad)
    inputs = [t.detach().cuda().requires_grad_() for t in (features, masks)]
    output = carafe(*inputs, *settings)
    found = output, *torch.autograd.grad(output, inputs, grad.cuda())
    tolerance = 4 * torch.finfo(dtype).eps
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=tolerance, atol=10 * tolerance)
