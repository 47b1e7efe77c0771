"""The ONNX files of tiny segmenters of random weights against the segmenters themselves."""

import runpy
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from forged_models import forge

from seg_vton.data.paper_doll import draw_doll
from seg_vton.engine.launch import load_config
from seg_vton.engine.model_folder import write_folder
from seg_vton.errors import UserError
from seg_vton.files import read_json, sha256
from seg_vton.labels import CLOTHING_CLASSES
from seg_vton.parsing.onnx_export import export_onnx
from seg_vton.parsing.predictor import ClothingParser

THRESHOLD = 0.02  # many instances
SIZES = ((96, 128), (61, 80), (90, 250), (300, 120), (200, 200))  # width, height; resized to fit in 96 x 128


@pytest.fixture(scope="module", params=["semantic head", "instances alone"])
def exported(request, repo, tmp_path_factory, tiny_panoptic, tiny_config_file, tiny_weights):
    """A segmenter, its ONNX file and what was written about it, one written by the tool from a model folder."""
    folder = tmp_path_factory.mktemp("onnx")
    path = folder / "parser.onnx"
    config, checkpoint = tiny_panoptic if request.param == "semantic head" else (tiny_config_file, tiny_weights[0])
    config = load_config(config)
    config.model.test_cfg.rcnn.max_per_img = 1000  # the file has no such limit
    if request.param == "instances alone":
        parser = ClothingParser(config, checkpoint, "cpu", THRESHOLD)
        return parser, path, export_onnx(parser, path)
    config.model.test_cfg.rcnn.mask_thr_binary = 0.505  # leaves some masks empty
    facts = {"classes": list(CLOTHING_CLASSES), "score_thr": THRESHOLD}
    write_folder(folder / "models", {"segmenter": (config, checkpoint, facts)}, licenses=["CC0"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["export.py", "--models", str(folder / "models"), "--onnx", str(path)])
        runpy.run_path(str(repo / "tools/export.py"), run_name="__main__")
    return ClothingParser.load(folder / "models", "cpu"), path, read_json(path.with_suffix(".json"))


def test_the_map_is_pytorchs_at_any_size(exported):
    parser, path, record = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    differing, painted, unseen = [], [], 0
    for index, size in enumerate(SIZES):
        photo = cv2.resize(draw_doll(0, index, (96, 128)).image, size)
        (found,) = session.run(None, {"photo": photo})
        parsing = parser(photo)
        expected = parsing.label_map(fill_holes=False)
        assert found.dtype == np.uint8
        assert found.shape == expected.shape == photo.shape[:2]
        assert len(parsing) > 5
        differing.append((found != expected).mean())
        painted.append(1)
        if record["map"] == "fused":
            painted[-1] = (expected != parsing.semantic).mean()
            empty = [i for i, mask in zip(parsing.labels, parsing.masks, strict=True) if not mask.any()]
            unseen += np.isin(parsing.semantic, empty).sum()
    assert np.mean(differing) < 0.01  # single masks of random weights may hang on rounding
    assert np.mean(painted) > 0.1  # which is not the semantic head's map alone
    assert unseen > 2000 or record["map"] != "fused"  # pixels of classes whose instance has an empty mask


def test_the_file_has_standard_operators_and_a_json_beside_it(exported):
    parser, path, record = exported
    model = onnx.load(path)
    assert {node.domain for node in model.graph.node} == {""}
    assert [entry.version for entry in model.opset_import] == [record["opset"]]
    assert read_json(path.with_suffix(".json")) == record
    assert record["map"] == ("fused" if record["check"] else "instances")
    if record["check"]:  # by the tool, on drawn persons
        assert record["check"]["mean"] == pytest.approx(np.mean(record["check"]["differing_pixels"]), abs=1e-5)
        assert record["check"]["mean"] < 0.1
        assert len(record["check"]["sizes"]) == 4
        assert record["data"]["license"] == "CC0"
    assert record["sha256"] == sha256(path)
    assert record["map"] == parser.stamp["map"]
    assert record["classes"] == list(parser.space.classes)


def test_existing_files_stay(exported):
    with pytest.raises(UserError, match="--overwrite"):
        export_onnx(*exported[:2])


def test_what_cannot_be_exported_says_why(tiny_panoptic, tmp_path, monkeypatch):
    def export(config=tiny_panoptic[0], name="a.onnx", **settings):
        export_onnx(ClothingParser(config, tiny_panoptic[1], "cpu", **settings), tmp_path / name)

    with pytest.raises(UserError, match="one_per_class"):
        export(one_per_class=False)
    with pytest.raises(UserError, match=r"a\.json is to be an ONNX file"):
        export(name="a.json")
    config = load_config(tiny_panoptic[0])
    config.test_dataloader.dataset.pipeline[1].keep_ratio = False
    with pytest.raises(UserError, match=r"test pipeline of panoptic_tiny\.py does more than Resize"):
        export(config)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="pip install onnx onnxruntime"):
        export()
    assert not list(tmp_path.iterdir())


def test_a_forged_model_folder_is_named(tiny_panoptic, tmp_path):
    config, checkpoint = tiny_panoptic
    facts = {"classes": list(CLOTHING_CLASSES), "score_thr": THRESHOLD}
    write_folder(tmp_path / "models", {"segmenter": (load_config(config), checkpoint, facts)})
    forge(tmp_path / "models", "segmenter", "config", "model", "test_cfg", "rpn", "nms", [])
    with pytest.raises(UserError, match=r"models/model\.json: its description of the model cannot be used"):
        export_onnx(ClothingParser.load(tmp_path / "models", "cpu"), tmp_path / "a.onnx")
