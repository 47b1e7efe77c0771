"""The detector benchmark: both settings compute the same, and the tool writes its report."""

import json
import runpy
import sys

import pytest
import torch
from mmdet.utils import register_all_modules
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from seg_vton.analysis import detector_benchmark
from seg_vton.analysis.detector_benchmark import OURS, PLAIN, PLAIN_OURS, Candidate, make_sample
from seg_vton.engine.launch import load_config
from seg_vton.ops import roi_align_kernels

SIZE = (96, 64)  # width, height


def candidate(config_file, plain):
    register_all_modules(init_default_scope=True)
    torch.manual_seed(3)
    image = torch.randint(0, 255, (3, *SIZE[::-1]), dtype=torch.uint8)
    made = Candidate(load_config(config_file), image, make_sample(SIZE, instances=3), plain)
    losses = []
    train_step = made.model.train_step
    made.model.train_step = lambda *arguments: losses.append(train_step(*arguments))
    return made, losses


def test_ours_has_the_losses_of_plain_settings(tiny_config_file):
    """From the same weights; what is faster must not be something else."""
    (plain, first), (ours, second) = (candidate(tiny_config_file, plain) for plain in (True, False))
    for each in (plain, ours):
        each.step()
    assert first[0].keys() == second[0].keys() >= {"loss", "loss_mask", "loss_rpn_cls"}
    for name, loss in first[0].items():
        torch.testing.assert_close(second[0][name], loss, rtol=1e-4, atol=1e-4, msg=name)


def test_plain_is_plain(tiny_config_file, monkeypatch):
    (plain, _), (ours, _) = (candidate(tiny_config_file, plain) for plain in (True, False))

    def counted(model):
        return sum(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())

    assert counted(plain.tested) == counted(plain.model) == counted(ours.model) > counted(ours.tested)
    assert plain.model.backbone.conv1.weight.is_contiguous()
    assert ours.model.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    monkeypatch.setattr(roi_align_kernels, "forward", lambda *_: pytest.fail("plain pooled by our kernels"))
    plain.predict()


def test_the_same_model_has_the_same_count_however_its_rois_are_pooled(tiny_config_file):
    (plain, _), (ours, _) = (candidate(tiny_config_file, plain) for plain in (True, False))
    counts = plain.gigaflop()
    assert ours.gigaflop() == pytest.approx(counts, rel=1e-6)
    assert min(counts.values()) > 0
    with FlopCounterMode(display=False) as counter:
        ours.predict()
    assert counter.get_total_flops() / 1e9 > counts["inference"], "our pooling's products would have been counted"


def test_the_tool_writes_its_report_and_keeps_an_old_one(repo, tiny_config_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(detector_benchmark, "QUICK_SIZE", SIZE)
    out, path = tmp_path / "detector.json", repo / "tools/analysis/benchmark_detector.py"
    options = ["--plain", str(tiny_config_file), "--ours", str(tiny_config_file)]
    monkeypatch.setattr(sys, "argv", [str(path), "--quick", "--rounds", "2", *options, "--out", str(out)])
    runpy.run_path(str(path), run_name="__main__")
    assert "matrix-product peak" in capsys.readouterr().out
    report = json.loads(out.read_text())
    rows = {(row["task"], row["form"]): row for row in report["rows"]}
    assert list(rows) == [(task, form) for task in ("train", "inference") for form in (PLAIN, PLAIN_OURS, OURS)]
    for (task, form), row in rows.items():
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert row["share_of_peak"] == pytest.approx(row["gigaflop"] / row["median"] / report["matmul_peak_gflops"])
        assert row["peak_bytes"] > 0
        assert row["gigaflop"] == rows[task, PLAIN]["gigaflop"]  # one config for all forms here
        assert (row["speedup"]["median"] == 1) == (form == PLAIN)
    for task, ratios in report["carafe_speedup"].items():
        pairs = zip(rows[task, PLAIN_OURS]["seconds"], rows[task, OURS]["seconds"], strict=True)
        found = [plain / ours for plain, ours in pairs]
        assert (ratios["min"], ratios["max"]) == (min(found), max(found))
    with pytest.raises(SystemExit, match="--overwrite"):
        runpy.run_path(str(path), run_name="__main__")
