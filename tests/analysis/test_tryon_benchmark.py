"""The try-on benchmark: the published form and ours do the same, the tool writes its report."""

import json
import runpy
import sys

import pytest
import torch

from seg_vton.analysis.tryon_benchmark import (
    AUX,
    OURS,
    PUBLISHED,
    PublishedGMM,
    PublishedTOM,
    Step,
    TextbookTPS,
    amp,
    make_inputs,
    save_random_vgg19,
)
from seg_vton.ops.cpu_forms import use_cpu_forms
from seg_vton.ops.winograd import WinogradConv2d
from seg_vton.tryon.models import GMM, TOM, TPSGrid


def test_the_splines_are_one():
    theta = torch.empty(2, 50).uniform_(-0.3, 0.3)
    torch.testing.assert_close(TPSGrid((32, 24))(theta), TextbookTPS((32, 24))(theta), atol=2e-5, rtol=0)


@pytest.mark.parametrize("stage", ["GMM", "TOM"])
def test_a_step_has_the_same_loss_and_gradients(stage, tmp_path):
    if stage == "GMM":
        model, published = GMM(image_size=(128, 64), base_channels=4), PublishedGMM
    else:
        save_random_vgg19(tmp_path / "vgg19.pth", layers=4)
        perceptual = dict(type="PerceptualLoss", weights=str(tmp_path / "vgg19.pth"))
        model, published = TOM(base_channels=4, loss_perceptual=perceptual), PublishedTOM
        model.init_weights()
    model, inputs = (
        model.double(),
        {k: v.double() if v.is_floating_point() else v for k, v in make_inputs(3, (128, 64)).items()},
    )
    expected = published(model).double()(inputs)
    gradients = torch.autograd.grad(expected, list(model.parameters()))
    use_cpu_forms(model.to(memory_format=torch.channels_last))
    loss, _ = model.parse_losses(model(inputs, mode="loss"))
    torch.testing.assert_close(loss, expected, atol=1e-6, rtol=0)
    for ours, theirs in zip(torch.autograd.grad(loss, list(model.parameters())), gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * theirs.abs().max().item() + 1e-9, rtol=0)


def test_a_step_counts_what_it_executes():
    """By Winograd's minimal filtering F(2 x 2, 3 x 3), counted by hand, and directly in the published form."""
    batch, side, channels = 8, 128, 128
    inputs = make_inputs(batch, (side, side))
    ours, published = (
        Step(GMM(image_size=(side, side), base_channels=channels // 8), inputs, form) for form in (None, PublishedGMM)
    )
    layers = [m for m in ours.model.modules() if isinstance(m, WinogradConv2d)]
    assert [(m.in_channels, m.out_channels) for m in layers] == [(channels, channels)] * 4
    pixels, weights = batch * (side // 16) ** 2, channels**2
    tiles = pixels // 4
    direct = 3 * 2 * 9 * pixels * weights  # forward, gradient of the input, gradient of the weights
    products = 3 * 2 * 16 * tiles * weights
    transforms = 2 * 2 * (16 * 16 * tiles * channels + 16 * 9 * weights + 4 * 16 * tiles * channels)
    saved = len(layers) * (direct - products - transforms) / 1e9
    assert published.gigaflop() - ours.gigaflop() == pytest.approx(saved, rel=0.05)  # the spline differs


@pytest.mark.parametrize("published", [None, PublishedGMM])
def test_the_memory_of_a_step_has_its_gradients(published):
    """The published step keeps its gradients until the next one: to release them must not hide the new ones."""
    model = GMM(image_size=(64, 64), base_channels=32)
    step = Step(model, make_inputs(2, (64, 64)), published)
    for _ in range(2):
        step()
    assert step.peak_bytes() >= sum(4 * p.numel() for p in model.parameters())


def test_the_tool_writes_its_report_and_keeps_an_old_one(repo, tmp_path, monkeypatch, capsys):
    out, path = tmp_path / "tryon.json", repo / "tools/analysis/benchmark_tryon.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--quick", "--rounds", "2", "--out", str(out)])
    runpy.run_path(str(path), run_name="__main__")
    assert OURS in capsys.readouterr().out
    report = json.loads(out.read_text())
    assert [row["speedup"]["median"] == 1 for row in report["data"]["rows"]] == [True, False]
    rows = {(row["task"], row["form"]): row for row in report["rows"]}
    assert {form for _, form in rows} == {PUBLISHED, OURS, amp()[0], AUX}
    assert len(rows) == 2 + 3 * 4
    for (task, form), row in rows.items():
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert row["peak_bytes"] > 0
        assert row["baseline"] == (OURS if form == AUX else PUBLISHED)
        ratios = [a / b for a, b in zip(rows[task, row["baseline"]]["seconds"], row["seconds"], strict=True)]
        assert (row["speedup"]["min"], row["speedup"]["max"]) == (min(ratios), max(ratios))
    for (task, form), row in rows.items():
        if task == "TPS grid" or form == amp()[0]:
            assert "share_of_peak" not in row
        else:
            rate = row["gigaflop"] / row["median"]
            assert row["share_of_peak"] == pytest.approx(rate / report["matmul_peak_gflops"])
    with pytest.raises(SystemExit, match="--overwrite"):
        runpy.run_path(str(path), run_name="__main__")
