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
    directly,
    make_inputs,
    save_random_vgg19,
)
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
    model, inputs = (
        model.double(),
        {k: v.double() if v.is_floating_point() else v for k, v in make_inputs(3, (128, 64)).items()},
    )
    expected = published(model).double()(inputs)
    gradients = torch.autograd.grad(expected, list(model.parameters()))
    model.to(memory_format=torch.channels_last)
    loss, _ = model.parse_losses(model(inputs, mode="loss"))
    torch.testing.assert_close(loss, expected, atol=1e-6, rtol=0)
    for ours, theirs in zip(torch.autograd.grad(loss, list(model.parameters())), gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * theirs.abs().max().item() + 1e-9, rtol=0)


def test_a_step_counts_its_convolutions_as_if_computed_directly():
    """Winograd's way comes back after the count; the published form does the same work."""
    inputs = make_inputs(4, (64, 64))
    ours = Step(GMM(image_size=(64, 64), base_channels=32), inputs)
    published = Step(GMM(image_size=(64, 64), base_channels=32), inputs, PublishedGMM)
    tiles = [m.max_tile for m in ours.model.modules() if hasattr(m, "max_tile")]
    assert min(tiles) > 0
    with directly(ours.model):
        assert {m.max_tile for m in ours.model.modules() if hasattr(m, "max_tile")} == {0}
    assert [m.max_tile for m in ours.model.modules() if hasattr(m, "max_tile")] == tiles
    first = 2 * 4 * 32 * 32 * 16 * (22 + 3) * 32  # of each input the first convolution, 4 x 4 of stride 2, forward
    assert ours.gigaflop() * 1e9 > 3 * first
    assert published.gigaflop() == pytest.approx(ours.gigaflop(), rel=0.02)  # the spline differs


def test_the_tool_writes_its_report_and_keeps_an_old_one(repo, tmp_path, monkeypatch, capsys):
    out, path = tmp_path / "tryon.json", repo / "tools/analysis/benchmark_tryon.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--quick", "--rounds", "2", "--out", str(out)])
    runpy.run_path(str(path), run_name="__main__")
    assert OURS in capsys.readouterr().out
    report = json.loads(out.read_text())
    assert [row["speedup"] == 1 for row in report["data"]["rows"]] == [True, False]
    rows = {(row["task"], row["form"]): row for row in report["rows"]}
    assert {form for _, form in rows} == {PUBLISHED, OURS, amp()[0], AUX}
    assert len(rows) == 2 + 3 * 4
    for (task, _), row in rows.items():
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert row["peak_bytes"] > 0
        assert rows[task, PUBLISHED]["speedup"] == 1
    for (task, form), row in rows.items():
        if task == "TPS grid" or form == amp()[0]:
            assert "share_of_peak" not in row
        else:
            rate = row["gigaflop"] / row["median"]
            assert row["share_of_peak"] == pytest.approx(rate / report["matmul_peak_gflops"])
    with pytest.raises(SystemExit, match="--overwrite"):
        runpy.run_path(str(path), run_name="__main__")
