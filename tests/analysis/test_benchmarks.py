"""Forms that are compared compute the same, and each benchmark's report has what the tables show."""

import json
import math
import runpy
import sys

import numpy as np
import pytest
import torch
from mmdet.utils import register_all_modules
from torch import nn

from seg_vton.analysis import benchmarks, published
from seg_vton.analysis.benchmarks import OURS, PUBLISHED, Detector, make_inputs, training_step
from seg_vton.analysis.tables import benchmark_tables
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.ops import carafe, roi_align_kernels
from seg_vton.tryon.models import GMM, TOM, TPSGrid

SIZE = (96, 64)  # width, height


def test_forms_of_carafe_are_one():
    features, masks, grad = benchmarks.carafe_inputs((2, 6, 5, 4))
    forms = (lambda *a: carafe(*a, 5, 1, 2), published.carafe_by_multiplying, published.carafe_by_matmul)
    outputs = [form(features, masks) for form in forms]
    grads = [torch.autograd.grad(output, (features, masks), grad) for output in outputs]
    for output, each in zip(outputs[1:], grads[1:], strict=True):
        torch.testing.assert_close(output, outputs[0])
        torch.testing.assert_close(each, grads[0])


def test_carafes_work_counts_a_multiply_add_as_two_and_every_tensor_once():
    forward, both = benchmarks.carafe_work(*benchmarks.carafe_inputs((1, 8, 3, 2)))
    features, masks, output = (4 * count for count in (8 * 6, 25 * 24, 8 * 24))
    assert forward["gigaflop"] * 1e9 == pytest.approx(2 * 25 * 8 * 24)
    assert forward["gigabyte"] * 1e9 == pytest.approx(features + masks + output)
    assert both["gigaflop"] == pytest.approx(3 * forward["gigaflop"])
    # Backward reads features, masks and the output's gradient and writes the gradients of features and masks.
    assert both["gigabyte"] * 1e9 == pytest.approx(3 * (features + masks) + 2 * output)


def test_carafes_shapes_are_the_detectors(repo):
    model = load_config(repo / benchmarks.CONFIGS[benchmarks.CARAFE]).model
    pad, extractor = model.data_preprocessor.pad_size_divisor, model.roi_head.mask_roi_extractor
    height, width = (math.ceil(side / pad) * pad for side in (1101, 750))
    stride, size = extractor.featmap_strides[1], extractor.roi_layer.output_size
    assert benchmarks.SHAPES["neck"] == (1, model.neck.out_channels, height // stride, width // stride)
    assert benchmarks.SHAPES["mask head"] == (model.test_cfg.rcnn.max_per_img, extractor.out_channels, size, size)


def detector(config_file, plain):
    register_all_modules(init_default_scope=True)
    made, losses = Detector(load_config(config_file), SIZE, 3, plain), []
    train_step = made.model.train_step
    made.model.train_step = lambda *arguments: losses.append(train_step(*arguments))
    return made, losses


def test_our_settings_of_a_detector_have_the_losses_of_plain_ones(tiny_config_file, monkeypatch):
    (plain, first), (ours, second) = (detector(tiny_config_file, plain) for plain in (True, False))
    for each in (plain, ours):
        each.step()
    assert first[0].keys() == second[0].keys() >= {"loss", "loss_mask", "loss_rpn_cls"}
    for name, loss in first[0].items():
        torch.testing.assert_close(second[0][name], loss, rtol=1e-4, atol=1e-4, msg=name)
    rows = benchmarks.measured({("", "plain"): plain.predict, ("", "ours"): ours.predict}, 1, flop=True)
    assert rows[0]["gigaflop"] == pytest.approx(rows[1]["gigaflop"], rel=1e-6)

    def counted(model):
        return sum(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())

    assert counted(plain.tested) == counted(plain.model) == counted(ours.model) > counted(ours.tested)
    assert ours.model.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    monkeypatch.setattr(roi_align_kernels, "forward", lambda *_: pytest.fail("plain pooled by our kernels"))
    plain.predict()


def test_the_splines_are_one():
    theta = torch.empty(2, 50).uniform_(-0.3, 0.3)
    torch.testing.assert_close(TPSGrid((32, 24))(theta), published.PublishedTPS((32, 24))(theta), atol=2e-5, rtol=0)


def test_the_published_form_lies_where_the_model_does():
    form = published.PublishedGMM(GMM(image_size=(64, 64), base_channels=4).to("meta"))
    assert {tensor.device.type for tensor in (*form.parameters(), *form.buffers())} == {"meta"}


@pytest.mark.parametrize("stage", ["GMM", "TOM"])
def test_a_step_has_the_published_loss_and_gradients(stage, tmp_path):
    if stage == "GMM":
        model, form = GMM(image_size=(128, 64), base_channels=4), published.PublishedGMM
    else:
        benchmarks.save_random_vgg19(tmp_path / "vgg19.pth", layers=4)
        perceptual = dict(type="PerceptualLoss", weights=str(tmp_path / "vgg19.pth"))
        model, form = TOM(base_channels=4, loss_perceptual=perceptual), published.PublishedTOM
        model.init_weights()
    model = model.double()
    inputs = {k: v.double() if v.is_floating_point() else v for k, v in make_inputs(3, (128, 64)).items()}
    expected = form(model).double()(inputs)
    gradients = torch.autograd.grad(expected, list(model.parameters()))
    training_step(model, inputs)  # arranges the model's memory
    loss, _ = model.parse_losses(model(inputs, mode="loss"))
    torch.testing.assert_close(loss, expected, atol=1e-6, rtol=0)
    for ours, theirs in zip(torch.autograd.grad(loss, list(model.parameters())), gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * theirs.abs().max().item() + 1e-9, rtol=0)


@pytest.mark.parametrize("form", [None, published.PublishedGMM])
def test_the_memory_of_a_step_has_its_gradients(form):
    model = GMM(image_size=(64, 64), base_channels=32)
    [row] = benchmarks.measured({("", ""): training_step(model, make_inputs(2, (64, 64)), form)}, 1, flop=True)
    assert row["peak_bytes"] >= sum(4 * p.numel() for p in model.parameters())


def test_forms_of_segmentation_load_the_same(tmp_path):
    def ordered(boxes, masks, labels, flipped):
        """Instances of a photo as they are when it is not flipped, in the order of their classes and boxes."""
        boxes, masks = np.array(boxes, float), np.array(masks, bool)
        if flipped:
            boxes[:, [0, 2]] = masks.shape[2] - boxes[:, [2, 0]]
            masks = masks[:, :, ::-1]
        order = np.lexsort([*boxes.T, labels])
        return boxes[order], masks[order], np.array(labels)[order]

    plain, mmdet, ours = benchmarks.segmentation_forms(tmp_path / "dolls", (48, 64)).values()
    assert len(plain) == len(mmdet) == len(ours) == 8
    for index in range(8):
        (image, target), item = plain[index], ours[index]
        truth, photo = item["data_samples"].gt_instances, item["inputs"].flip(0)  # BGR
        flipped = not torch.equal(image, photo)
        assert torch.equal(image.flip(2) if flipped else image, photo)
        found = ordered(truth.bboxes.tensor, truth.masks.masks, truth.labels, False)
        expected = ordered(target["boxes"], target["masks"], target["labels"] - 1, flipped)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_forms_of_try_on_load_the_same(tmp_path):
    plain, ours = (form[3] for form in benchmarks.try_on_forms(tmp_path / "dolls", (192, 256)).values())
    assert set(plain) == set(ours["inputs"]) - {"parse"}
    for name, expected in plain.items():
        torch.testing.assert_close(ours["inputs"][name], expected, atol=1e-6, rtol=0)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
def test_each_benchmark_reports_every_round_and_its_ratio(name, tiny_config_file, monkeypatch):
    monkeypatch.setattr(benchmarks, "CONFIGS", dict.fromkeys(benchmarks.CONFIGS, str(tiny_config_file)))
    report = json.loads(json.dumps(benchmarks.run(name, 2, quick=True)))
    rows = {(row["task"], row["form"]): row for row in report["rows"]}
    assert len(rows) == len(report["rows"]) == {"ops": 20, "detector": 8, "tryon": 16, "data": 5}[name]
    for (task, _), row in rows.items():
        assert 0 < row["min"] <= row["median"] <= row["max"]
        ratios = [a / b for a, b in zip(rows[task, row["baseline"]]["seconds"], row["seconds"], strict=True)]
        assert len(ratios) == 2
        assert (row["speedup"]["min"], row["speedup"]["max"]) == (min(ratios), max(ratios))
        assert row.get("peak_bytes", 1) >= 0
    if name == "tryon":
        assert rows["GMM step", benchmarks.AUX]["baseline"] == OURS
        assert rows["GMM step", OURS]["baseline"] == PUBLISHED


def test_the_tool_keeps_other_benchmarks_and_renders(repo, tmp_path, monkeypatch, capsys):
    out, path = tmp_path / "out.json", repo / "tools/benchmark.py"
    stored = json.loads((repo / "docs/results/benchmark_cpu.json").read_text())
    out.write_text(json.dumps(stored))
    arguments = [str(path), "--suite", "ops", "--quick", "--rounds", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="--overwrite"):
        runpy.run_path(str(path), run_name="__main__")
    monkeypatch.setattr(sys, "argv", [*arguments, "--rounds", "0"])
    with pytest.raises(SystemExit, match="--rounds is 0"):
        runpy.run_path(str(path), run_name="__main__")
    monkeypatch.setattr(sys, "argv", [*arguments, "--overwrite", "--suite", "cpu", "gpu"])
    with pytest.raises(SystemExit, match="in two runs"):
        runpy.run_path(str(path), run_name="__main__")
    monkeypatch.setattr(sys, "argv", [*arguments, "--overwrite"])
    runpy.run_path(str(path), run_name="__main__")
    assert "| unfold, multiply, sum" in capsys.readouterr().out
    found = json.loads(out.read_text())["benchmarks"]
    assert found["tryon"] == stored["benchmarks"]["tryon"]
    assert found["ops"]["quick"] and len(found["ops"]["load_average"]) == 3
    with pytest.raises(UserError, match="lacks none"):
        benchmark_tables(out, ["none"])
