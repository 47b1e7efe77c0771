"""The operator benchmark: the forms agree, the work is counted right, the tool writes its report."""

import json
import math
import runpy
import sys

import pytest
import torch

from seg_vton.analysis import ops_benchmark
from seg_vton.analysis.ops_benchmark import BASELINE, OURS, PLACES, SHAPES, Inputs, unfold_matmul, unfold_multiply
from seg_vton.engine.launch import load_config
from seg_vton.ops import carafe


def test_all_forms_compute_the_same():
    inputs = Inputs.random((2, 6, 5, 4))
    outputs = [unfold_multiply(inputs.features, inputs.masks), unfold_matmul(inputs.features, inputs.masks)]
    expected = carafe(inputs.features, inputs.masks, 5, 1, 2)
    grads = [torch.autograd.grad(one, (inputs.features, inputs.masks), inputs.grad) for one in (expected, *outputs)]
    for output, grad in zip(outputs, grads[1:], strict=True):
        torch.testing.assert_close(output, expected)
        torch.testing.assert_close(grad, grads[0])


def test_work_counts_a_multiply_add_as_two_and_every_tensor_once():
    work = Inputs.random((1, 8, 3, 2)).work()
    features, masks, output = (4 * count for count in (8 * 6, 25 * 24, 8 * 24))
    assert work["forward"]["gigaflop"] * 1e9 == pytest.approx(2 * 25 * 8 * 24)
    assert work["forward"]["gigabyte"] * 1e9 == pytest.approx(features + masks + output)
    assert work["both"]["gigaflop"] == pytest.approx(3 * work["forward"]["gigaflop"])
    # Backward reads features, masks and the output's gradient and writes the gradients of features and masks.
    assert work["both"]["gigabyte"] * 1e9 == pytest.approx(3 * (features + masks) + 2 * output)


def test_the_shapes_are_the_detectors(repo):
    """What its neck upsamples to the finest level, and what a test gives its mask head."""
    model = load_config(repo / "configs/segmentation/mask-rcnn_r50_carafe-fpn_sgd-lr0.009_2e_deepfashion.py").model
    pad, extractor = model.data_preprocessor.pad_size_divisor, model.roi_head.mask_roi_extractor
    height, width = (math.ceil(side / pad) * pad for side in (1101, 750))
    stride = extractor.featmap_strides[1]
    assert SHAPES["neck"] == (1, model.neck.out_channels, height // stride, width // stride)
    size = extractor.roi_layer.output_size
    assert SHAPES["mask head"] == (model.test_cfg.rcnn.max_per_img, extractor.out_channels, size, size)
    assert PLACES.keys() == SHAPES.keys()


def test_the_peaks_are_the_greater_of_before_and_after(monkeypatch):
    matmul, copied = iter([5.0, 4.0]), iter([1.0, 2.0])
    monkeypatch.setattr(ops_benchmark, "matmul_peak", lambda size: next(matmul))
    monkeypatch.setattr(ops_benchmark, "copy_peak", lambda size: next(copied))
    monkeypatch.setattr(ops_benchmark, "QUICK_SHAPES", {"neck": (1, 2, 2, 2)})
    report = ops_benchmark.run(1, quick=True)
    assert (report["matmul_peak_gflops"], report["copy_peak_gbytes"]) == (5, 2)


def test_the_tool_writes_its_report_and_keeps_an_old_one(repo, tmp_path, monkeypatch, capsys):
    out, path = tmp_path / "ops.json", repo / "tools/analysis/benchmark_ops.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--quick", "--rounds", "2", "--out", str(out)])
    runpy.run_path(str(path), run_name="__main__")
    assert OURS in capsys.readouterr().out
    report = json.loads(out.read_text())
    rows = {(row["place"], row["form"], row["pass"]): row for row in report["rows"]}
    assert len(rows) == 2 * 5 * 2
    for (place, _, passes), row in rows.items():
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert row["peak_bytes"] > 0
        assert rows[place, BASELINE, passes]["speedup"] == {"median": 1, "min": 1, "max": 1}
        assert len(row["seconds"]) == 2
        peak, copied = report["matmul_peak_gflops"], report["copy_peak_gbytes"]
        assert row["share_of_matmul"] == pytest.approx(row["gigaflop"] / row["median"] / peak)
        assert row["share_of_copy"] == pytest.approx(row["gigabyte"] / row["median"] / copied)
    with pytest.raises(SystemExit, match="--overwrite"):
        runpy.run_path(str(path), run_name="__main__")
