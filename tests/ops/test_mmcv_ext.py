"""The stand-in for mmcv's compiled operators against slow references and torchvision."""

import importlib.util
import pkgutil
import re
import sys
import types
import warnings
from importlib.machinery import ModuleSpec, SourceFileLoader

import numpy as np
import pytest
import torch
import torchvision
from mmcv.ops import RoIAlign, batched_nms, deform_conv2d, nms, soft_nms
from mmcv.ops.carafe import carafe as mmcv_carafe
from mmcv.ops.carafe import carafe_naive as mmcv_carafe_naive

import seg_vton.ops
from seg_vton.ops import carafe, mmcv_ext

stand_in = pytest.mark.skipif(
    mmcv_ext.has_compiled_ops(), reason="this mmcv has compiled operators; install one without them to run this"
)


def test_the_advice_installs_the_version_that_the_project_pins(repo):
    pins = re.findall(r'"(onedl-mmcv==[\d.]+)"', (repo / "pyproject.toml").read_text(encoding="utf-8"))
    assert len(pins) == 1
    assert mmcv_ext.ADVICE.split()[-1] == pins[0]


def random_boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 40
    return torch.cat([corner, corner + torch.rand(count, 2, generator=generator) * 20], dim=1)


def slow_nms(boxes, scores, threshold, offset):
    order, kept = np.argsort(-scores, kind="stable"), []
    for index in order:
        if all(slow_iou(boxes[index], boxes[other], offset) <= threshold for other in kept):
            kept.append(index)
    return kept


def slow_iou(a, b, offset):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + offset
    overlap = np.prod(np.maximum(sides, 0))
    return overlap / (np.prod(a[2:] - a[:2] + offset) + np.prod(b[2:] - b[:2] + offset) - overlap)


def slow_roi_align(features, rois, size, scale, samples, aligned):
    """Mean of samples x samples bilinear samples a bin (He et al., Mask R-CNN), in (K, C, size, size)."""
    output = np.zeros((len(rois), features.shape[1], size, size))
    for k, (batch, *box) in enumerate(rois):
        x1, y1, x2, y2 = np.asarray(box) * scale - (0.5 if aligned else 0)
        width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
        for i, j, u, v in np.ndindex(size, size, samples, samples):
            y = y1 + (i + (u + 0.5) / samples) * height / size
            x = x1 + (j + (v + 0.5) / samples) * width / size
            output[k, :, i, j] += bilinear(features[int(batch)], y, x) / samples**2
    return output


def bilinear(image, y, x):
    h, w = image.shape[1:]
    if not (-1 <= y <= h and -1 <= x <= w):
        return 0
    y, x = np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)
    y0, x0 = min(int(y), max(h - 2, 0)), min(int(x), max(w - 2, 0))
    rows = [image[:, yi, x0] * (1 - (x - x0)) + image[:, yi, x0 + 1] * (x - x0) for yi in (y0, y0 + 1)]
    return rows[0] * (1 - (y - y0)) + rows[1] * (y - y0)


@stand_in
def test_mmcv_and_mmengine_find_the_stand_in():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert pkgutil.find_loader("mmcv._ext") is not None
    assert importlib.util.find_spec("mmcv._ext").name == "mmcv._ext"
    assert importlib.import_module("mmcv")._ext is sys.modules["mmcv._ext"]


@stand_in
def test_mmdet_first_is_an_error(monkeypatch):
    """Without operators the import of mmdet.models fails, but leaves modules that have settled for none."""
    monkeypatch.delitem(sys.modules, "mmcv._ext")
    monkeypatch.setitem(sys.modules, "mmdet.models.necks", types.ModuleType("mmdet.models.necks"))
    with pytest.raises(ImportError, match=r"import seg_vton\.ops before it"):
        mmcv_ext.install()


def test_compiled_operators_are_used_where_mmcv_has_them(monkeypatch):
    """They stay in place, and their roi_align, which cannot read channels-last features, never gets any."""
    layouts = []
    compiled = types.ModuleType("mmcv._ext")
    compiled.__spec__ = ModuleSpec("mmcv._ext", SourceFileLoader("mmcv._ext", "_ext.so"))
    compiled.roi_align_forward = lambda features, *args, **kwargs: layouts.append(features.is_contiguous())
    monkeypatch.setitem(sys.modules, "mmcv._ext", compiled)
    monkeypatch.setattr(sys.modules["mmcv.ops.roi_align"], "ext_module", compiled)
    mmcv_ext.install()
    assert sys.modules["mmcv._ext"] is compiled
    assert mmcv_ext.has_compiled_ops()
    RoIAlign(2)(torch.zeros(1, 3, 4, 4).to(memory_format=torch.channels_last), torch.zeros(1, 5))
    assert layouts == [True]


@stand_in
def test_other_operators_name_themselves_when_called():
    with pytest.raises(NotImplementedError, match=r"'softnms'.*--no-binary onedl-mmcv"):
        soft_nms(random_boxes(4), torch.rand(4))
    with pytest.raises(NotImplementedError, match="'deform_conv_forward'"):
        deform_conv2d(torch.zeros(1, 3, 4, 4), torch.zeros(1, 18, 4, 4), torch.zeros(2, 3, 3, 3), 1, 1)


@stand_in
def test_special_names_are_not_operators():
    assert not hasattr(sys.modules["mmcv._ext"], "__path__")
    assert isinstance(sys.modules["mmcv._ext"], types.ModuleType)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.3, 0.6])
def test_nms(offset, threshold):
    boxes, scores = random_boxes(60), torch.rand(60, generator=torch.Generator().manual_seed(1))
    detections, kept = nms(boxes, scores, threshold, offset)
    assert kept.tolist() == slow_nms(boxes.double().numpy(), scores.numpy(), threshold, offset)
    torch.testing.assert_close(detections, torch.cat([boxes[kept], scores[kept, None]], dim=1), rtol=0, atol=0)


def test_nms_of_touching_boxes_depends_on_the_offset():
    boxes, scores = np.array([[0, 0, 9, 9], [10, 0, 19, 9], [9, 0, 18, 9]], np.float32), np.float32([0.9, 0.8, 0.7])
    assert nms(boxes, scores, 0.05, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes[[0, 2]], scores[[0, 2]], 0.05, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes[[0, 2]], scores[[0, 2]], 0.05, offset=1)[1].tolist() == [0]


def test_nms_options():
    boxes, scores = random_boxes(60), torch.rand(60, generator=torch.Generator().manual_seed(1))
    kept = torchvision.ops.nms(boxes, scores, 0.5)
    assert nms(boxes, scores, 0.5, max_num=5)[1].tolist() == kept[:5].tolist()
    confident = nms(boxes, scores, 0.5, score_threshold=0.4)[1]
    assert confident.tolist() == kept[scores[kept] > 0.4].tolist()
    assert nms(boxes[:0], scores[:0], 0.5)[1].tolist() == []
    assert nms(boxes, scores.bfloat16(), 0.5)[1].tolist() == nms(boxes, scores.bfloat16().float(), 0.5)[1].tolist()


def test_batched_nms_keeps_classes_apart():
    boxes, scores = random_boxes(60), torch.rand(60, generator=torch.Generator().manual_seed(1))
    classes = torch.arange(60) % 4
    kept = batched_nms(boxes, scores, classes, {"type": "nms", "iou_threshold": 0.5})[1]
    assert kept.tolist() == torchvision.ops.batched_nms(boxes, scores, classes, 0.5).tolist()


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels last"])
def pooling_inputs(request):
    features = torch.randn(2, 3, 12, 15, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rois = torch.cat([torch.arange(8.0)[:, None] % 2, random_boxes(8)], dim=1).double()
    return features.to(memory_format=request.param).requires_grad_(), rois


@pytest.mark.parametrize("aligned", [True, False])
def test_roi_align_equals_the_slow_one(pooling_inputs, aligned):
    features, rois = pooling_inputs
    output = RoIAlign(4, 0.25, sampling_ratio=2, aligned=aligned)(features, rois)
    expected = slow_roi_align(features.detach().numpy(), rois.numpy(), 4, 0.25, 2, aligned)
    np.testing.assert_allclose(output.detach(), expected, atol=1e-9)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_roi_align_equals_torchvisions(pooling_inputs, sampling_ratio):
    features, rois = pooling_inputs
    layer = RoIAlign((3, 5), 0.25, sampling_ratio)
    output = layer(features, rois)
    expected = torchvision.ops.roi_align(features, rois, (3, 5), 0.25, sampling_ratio, aligned=True)
    torch.testing.assert_close(output, expected)
    grad = torch.randn_like(output)
    found, expected = (torch.autograd.grad(one, features, grad)[0] for one in (output, expected))
    torch.testing.assert_close(found, expected)


def test_roi_align_of_no_region():
    features = torch.randn(1, 3, 6, 6, requires_grad=True)
    output = RoIAlign(7)(features, torch.zeros(0, 5))
    assert output.shape == (0, 3, 7, 7)
    output.sum().backward()
    assert not features.grad.any()


@stand_in
def test_roi_align_in_bfloat16_under_autocast():
    features, rois = torch.randn(1, 3, 6, 6), torch.tensor([[0, 1.0, 1, 5, 5]])
    with torch.autocast("cpu", torch.bfloat16):
        output = RoIAlign(2)(features.bfloat16(), rois)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), RoIAlign(2)(features.bfloat16().float(), rois), rtol=0.01, atol=0.01)


@stand_in
def test_roi_align_by_maximum_is_refused():
    with pytest.raises(NotImplementedError, match="pool_mode='max'"):
        RoIAlign(2, pool_mode="max")(torch.zeros(1, 3, 6, 6), torch.zeros(1, 5))


@stand_in
@pytest.mark.parametrize("operator", [mmcv_carafe, mmcv_carafe_naive])
def test_mmcvs_carafe_computes_with_ours(operator, monkeypatch):
    features = torch.randn(2, 6, 4, 5, dtype=torch.float64, requires_grad=True)
    masks = torch.randn(2, 18, 8, 10, dtype=torch.float64, requires_grad=True)
    output, expected = operator(features, masks, 3, 2, 2), carafe(features, masks, 3, 2, 2)
    torch.testing.assert_close(output, expected)
    if operator is mmcv_carafe:  # mmcv's naive operator refuses to go backward on a CPU
        grad = torch.randn_like(output)
        found, expected = (torch.autograd.grad(one, (features, masks), grad) for one in (output, expected))
        torch.testing.assert_close(found, expected)


def test_package_exports():
    assert set(seg_vton.ops.__all__) == {"CARAFEPack", "carafe"}
