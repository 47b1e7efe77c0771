import json

import numpy as np
import pytest
from PIL import Image

from seg_vton.analysis.curves import draw_curves, read_curves, run_names, smooth
from seg_vton.errors import UserError


def log(work_dir, start, records, tail=""):
    path = work_dir / start / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)


def losses(steps, offset=0.0):
    return [{"loss": s + offset, "loss_mask": 2.0 * s, "acc": 90.0, "time": 1.0, "step": s} for s in steps]


def test_losses_and_accuracy_by_iteration(tmp_path):
    log(tmp_path, "1", [*losses([50, 100]), {"coco/bbox_mAP": 0.3, "step": 2}])
    curves = read_curves(tmp_path)
    assert set(curves) == {"loss", "loss_mask", "acc"}
    assert curves["loss"].to_dict() == {50: 50.0, 100: 100.0}
    assert curves["acc"].tolist() == [90.0, 90.0]


def test_a_resumed_run_takes_over_where_it_starts(tmp_path):
    log(tmp_path, "1", losses([50, 100, 150]))
    log(tmp_path, "2", losses([100, 200], offset=0.5))
    log(tmp_path, "3", [{"coco/bbox_mAP": 0.3, "step": 0}])  # a test run
    assert read_curves(tmp_path)["loss"].to_dict() == {50: 50.0, 100: 100.5, 200: 200.5}


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    log(tmp_path, "1", losses([50]), tail='{"loss": 3.')
    assert list(read_curves(tmp_path).index) == [50]


@pytest.mark.parametrize(
    ("records", "tail", "message"),
    [
        (losses([50]), '{"los\n{"loss": 1, "step": 2}\n', r"scalars\.json, line 2: not JSON"),
        ([], "", "no training iteration is logged yet"),
    ],
)
def test_bad_logs_are_named(tmp_path, records, tail, message):
    log(tmp_path, "1", records, tail)
    with pytest.raises(UserError, match=message):
        read_curves(tmp_path)


def test_a_folder_without_a_log_is_named(tmp_path):
    log(tmp_path / "one-run", "1", losses([50]))  # a folder of runs has none of its own
    with pytest.raises(UserError, match=r"no \*/vis_data/scalars\.json"):
        read_curves(tmp_path)


def test_smoothing_does_not_lag():
    line = np.linspace(5.0, 1.0, 200)
    np.testing.assert_allclose(smooth(line)[20:-20], line[20:-20], atol=1e-9)
    noise = np.random.default_rng(0).normal(size=1000)
    assert smooth(noise).std() < 0.3 * noise.std()


def test_names_have_the_parents_that_tell_runs_apart(tmp_path):
    assert run_names([tmp_path / "a" / "x", tmp_path / "b" / "y"]) == ["x", "y"]
    assert run_names([tmp_path / "a" / "x", tmp_path / "b" / "x"]) == ["a/x", "b/x"]
    with pytest.raises(UserError, match="given twice"):
        run_names([tmp_path, tmp_path / "a" / ".."])


def test_the_figure_is_an_image_and_the_same_each_time(tmp_path):
    for name in ("fpn", "carafe"):
        log(tmp_path / name, "1", losses(range(10, 100, 10), offset=len(name)))
    out = tmp_path / "curves.png"
    draw_curves([tmp_path / "fpn", tmp_path / "carafe"], out)
    first = out.read_bytes()
    assert np.ptp(np.array(Image.open(out).convert("L"))) > 100
    with pytest.raises(UserError, match="--overwrite"):
        draw_curves([tmp_path / "fpn"], out)
    draw_curves([tmp_path / "fpn", tmp_path / "carafe"], out, overwrite=True)
    assert out.read_bytes() == first
    with pytest.raises(UserError, match=r"curves\.xyz: the name must end in an image format"):
        draw_curves([tmp_path / "fpn"], tmp_path / "curves.xyz")
