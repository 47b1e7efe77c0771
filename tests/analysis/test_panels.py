import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from seg_vton.analysis.panels import (
    Photographs,
    Source,
    draw_panels,
    instances_of,
    parse_source,
    predict,
    read_rles,
)
from seg_vton.analysis.results import read_runs
from seg_vton.data.coco_files import CocoBuilder
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.parsing.instances import Parsing

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = "{tiny}"
data = dict(data_root="{data}", ann_file="val.json", data_prefix=dict(img="photos/"))
val_dataloader = dict(dataset=data)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file="{data}/val.json")
test_evaluator = val_evaluator
"""


def label_map(index):
    """Hair over a top over pants, the place telling the image."""
    labels = np.zeros((96, 64), np.uint8)
    labels[5:15, 25:40] = CLOTHING_CLASSES.index("hair") + 1
    labels[20:50, 15 + index : 45] = CLOTHING_CLASSES.index("top") + 1
    labels[50:90, 20:40] = CLOTHING_CLASSES.index("pants") + 1
    return labels


@pytest.fixture(scope="module")
def data(tiny_config_file, tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    builder = CocoBuilder("val")
    for index, name in enumerate(("a/1.jpg", "b/1.jpg", "b/2.jpg")):
        path = root / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(index).integers(0, 256, (96, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path, quality=95)
        builder.add_label_map(name, label_map(index))
    builder.write(root / "val.json")
    (root / "tiny.py").write_text(CONFIG.format(tiny=tiny_config_file, data=root))
    return root


@pytest.fixture(scope="module")
def checkpoint(data, tiny_weights):
    """An untrained model, with the meta data that a training run leaves: it changed the learning rate."""
    config, content = Config.fromfile(data / "tiny.py"), torch.load(tiny_weights[0], weights_only=True)
    config.optim_wrapper.optimizer.lr = 0.7
    content["meta"] |= {"cfg": config.pretty_text, "seed": 3, "epoch": 2}
    torch.save(content, data / "epoch_2.pth")
    return data / "epoch_2.pth"


@pytest.fixture(scope="module")
def photographs(data):
    return Photographs(load_config(data / "tiny.py"), "val")


def truth_as_predictions(data, path, score=0.8):
    annotations = json.loads((data / "val.json").read_text())["annotations"]
    rows = [{k: a[k] for k in ("image_id", "category_id", "segmentation", "bbox")} for a in annotations]
    path.write_text(json.dumps([row | {"score": score - 0.1 * row["image_id"]} for row in rows]))
    return path


def call(monkeypatch, tool, *arguments):
    monkeypatch.setattr(sys, "argv", [tool, *map(str, arguments)])
    runpy.run_path(str(ROOT / "tools" / tool), run_name="__main__")


def test_sources_are_files_or_models():
    assert parse_source("a=x.json").predictions == Path("x.json")
    both = parse_source("b=c,d/e.py,f.pth")
    assert (both.name, both.model) == ("b", (Path("c,d/e.py"), Path("f.pth")))
    assert both.label_map is None
    assert parse_source("b=c,d/e.py,f.pth,fused") == Source("b", model=both.model, label_map="fused")
    for text in ("x.json", "=x.json", "a=config.py", "a=,b", "a=b,"):
        with pytest.raises(UserError, match="write NAME=CONFIG,CHECKPOINT or NAME=PREDICTIONS"):
            parse_source(text)


def test_photographs_are_found_by_id_and_by_file_name(photographs):
    assert photographs.find(["3", "a/1.jpg", "1", "2.jpg"]) == [3, 1]
    with pytest.raises(UserError, match=r"2 images are called '1\.jpg'.*1 \(1\.jpg\), 2 \(1\.jpg\)"):
        photographs.find(["1.jpg"])
    with pytest.raises(UserError, match=r"no image has the id or file name '9' among the 3 of .*val\.json"):
        photographs.find(["9"])


def test_try_on_data_has_no_photographs_of_instances():
    with pytest.raises(UserError, match="is a try-on config"):
        Photographs(load_config(ROOT / "configs/tryon/gmm_cp-vton_128x96_3k_paper-doll.py"), "val")


def test_random_photographs_follow_the_seed(photographs):
    drawn = {tuple(photographs.draw(2, seed)) for seed in range(20)}
    assert drawn == {(1, 2), (1, 3), (2, 3)}
    assert photographs.draw(2, 5) == photographs.draw(2, 5)
    with pytest.raises(UserError, match=r"--random 4: .* has 3 images"):
        photographs.draw(4, 0)


def test_ground_truth_has_names_colors_and_masks(photographs):
    photo, truth = photographs.load(2)
    assert photo.shape == (96, 64, 3)
    noise = np.random.default_rng(1).integers(0, 256, (96, 64, 3), dtype=np.uint8)
    assert abs(photo.astype(int) - noise).mean() < abs(photo[..., ::-1].astype(int) - noise).mean()  # RGB
    assert {one.name for one in truth} == {"hair", "top", "pants"}
    for one in truth:
        np.testing.assert_array_equal(one.mask, label_map(1) == CLOTHING_CLASSES.index(one.name) + 1)
        assert one.color == photographs.palette[CLOTHING_CLASSES.index(one.name)]
        assert one.score is None


def test_predictions_are_read_by_image_and_score(photographs, data, tmp_path):
    rows = read_rles(truth_as_predictions(data, tmp_path / "p.json"), photographs, [1, 3], score_thr=0.6)
    assert rows[3] == []
    found = photographs.decode(rows[1])
    assert sorted(one.name for one in found) == ["hair", "pants", "top"]
    top = next(one for one in found if one.name == "top")
    assert top.score == pytest.approx(0.7)
    np.testing.assert_array_equal(top.mask, label_map(0) == CLOTHING_CLASSES.index("top") + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: {"rows": rows}, "not a list of COCO results with masks"),
        (lambda rows: [{k: v for k, v in rows[0].items() if k != "segmentation"}], "not a list of COCO results"),
        (lambda rows: [rows[0] | {"score": None}], "not a list of COCO results"),
        (lambda rows: [rows[0] | {"image_id": 77}], "image 77 .* is not in .*val.json"),
        (lambda rows: [rows[0] | {"category_id": 99}], "category 99 is not in"),
        (
            lambda rows: [rows[0] | {"segmentation": {"size": [64, 96], "counts": "0"}}],
            "mask is 96x64 and the image 64x96",
        ),
        (lambda rows: [rows[0] | {"segmentation": [[1, 2]]}], "a mask is broken"),
    ],
)
def test_predictions_on_other_data_are_refused(photographs, data, tmp_path, change, message):
    path = truth_as_predictions(data, tmp_path / "p.json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(UserError, match=message):
        read_rles(path, photographs, [1], score_thr=0.1)


def test_panels_and_figure_are_written_and_kept(photographs, data, tmp_path):
    source = parse_source(f"our model (5e)={truth_as_predictions(data, tmp_path / 'p.json')}")
    figure = draw_panels(photographs, [source], [1, 2], tmp_path / "out", height=96)
    made = sorted(str(path.relative_to(tmp_path / "out")) for path in figure.parent.rglob("*.png"))
    columns = ("ground-truth.png", "image.png", "our-model-5e.png")
    assert made == sorted(["panels.png", *(f"{i}/{column}" for i in (1, 2) for column in columns)])
    assert Image.open(tmp_path / "out" / "1" / "image.png").size == (64, 96)
    width, height = Image.open(figure).size
    assert width > 3 * 64
    assert height > 2 * 96
    before = figure.read_bytes()
    with pytest.raises(UserError, match="--overwrite"):
        draw_panels(photographs, [source], [1, 2], tmp_path / "out", height=96)
    with pytest.raises(UserError, match="--height is 0"):
        draw_panels(photographs, [source], [1, 2], tmp_path / "out", height=0, overwrite=True)
    draw_panels(photographs, [source], [1, 2], tmp_path / "out", height=96, overwrite=True)
    assert figure.read_bytes() == before


@pytest.mark.parametrize("names", [("image",), ("ground truth",), ("a", "a"), ("a b", "a-b")])
def test_columns_need_names_of_their_own(photographs, data, tmp_path, names):
    path = truth_as_predictions(data, tmp_path / "p.json")
    with pytest.raises(UserError, match="names that differ"):
        draw_panels(photographs, [parse_source(f"{name}={path}") for name in names], [1], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_predicts_what_the_test_run_predicts(photographs, data, checkpoint, tmp_path, monkeypatch):
    predictions = tmp_path / "p.json"
    call(monkeypatch, "test.py", data / "tiny.py", checkpoint, "--out", predictions, "--work-dir", tmp_path / "work")
    found = predict((data / "tiny.py", checkpoint), photographs, [2], score_thr=0.0)[2]
    by_model = instances_of(found, photographs)
    by_file = photographs.decode(read_rles(predictions, photographs, [2], score_thr=0.0)[2])
    assert len(by_model) > 0
    assert [(one.name, pytest.approx(one.score, abs=1e-5)) for one in by_model] == [(o.name, o.score) for o in by_file]
    assert all((a.mask == b.mask).all() for a, b in zip(by_model, by_file, strict=True))
    # The test run's result says what the row is, with what the training had changed.
    row = read_runs([data])["content"].iloc[0]["row"]
    assert (row["neck_type"], row["learning_rate"], row["backbone"]) == ("FPN_CARAFE", 0.7, "ResNet-18")


def test_weights_of_other_classes_are_refused(photographs, data, checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["meta"]["dataset_meta"]["classes"] = CLOTHING_CLASSES[::-1]
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth knows the classes face, .*, not top, "):
        predict((data / "tiny.py", tmp_path / "other.pth"), photographs, [2], 0.5)


def test_the_tools_say_what_is_wrong_without_a_traceback(data, tmp_path, monkeypatch, capsys):
    predictions = truth_as_predictions(data, tmp_path / "p.json")
    options = ("analysis/panels.py", data / "tiny.py", "--models", f"a={predictions}", "--out", tmp_path / "out")
    with pytest.raises(SystemExit, match="error: no image has the id or file name '9'"):
        call(monkeypatch, *options, "--images", "9")
    call(monkeypatch, *options, "--images", "1", "--height", "96")
    assert str(tmp_path / "out" / "panels.png") in capsys.readouterr().out
    with pytest.raises(SystemExit, match="error: no result file in"):
        call(monkeypatch, "analysis/ablation_table.py", tmp_path)
    with pytest.raises(SystemExit, match=r"error: config .*none.py does not exist"):
        call(monkeypatch, "print_config.py", tmp_path / "none.py")
    call(monkeypatch, "print_config.py", data / "tiny.py", "--diff", data / "tiny.py")
    assert "no difference" in capsys.readouterr().out


def test_label_maps_are_painted_by_their_parts(photographs):
    labels = label_map(0)
    parsing = Parsing(np.zeros((1, 4), np.float32), np.ones(1), np.array([1]), labels[None] == 1, ranked=labels[None])
    parts = instances_of(parsing, photographs, "semantic")
    assert [part.name for part in parts] == ["top", "pants", "hair"]
    for part in parts:
        np.testing.assert_array_equal(part.mask, labels == CLOTHING_CLASSES.index(part.name) + 1)
        assert part.score is None
    assert [part.name for part in instances_of(parsing, photographs, "instances")] == ["top"]
    assert [part.score for part in instances_of(parsing, photographs)] == [1.0]
    with pytest.raises(UserError, match="no semantic head, so it gives no fused map"):
        instances_of(replace(parsing, ranked=None), photographs, "fused")
