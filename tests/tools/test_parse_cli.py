import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from seg_vton.engine import testing
from seg_vton.engine.launch import load_config
from seg_vton.labels import load_palette_png
from seg_vton.parsing.evaluation import judge_label_maps
from seg_vton.parsing.instances import MAPS
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.pictures.photos import read_photo

ALL = ("coco", "label-map", "instances", "overlay")


@pytest.fixture(scope="module")
def photos(tiny_coco, png_bomb, tmp_path_factory):
    """A folder of good photos, one turned by EXIF and one of an equal stem, and four that cannot be read."""
    folder = tmp_path_factory.mktemp("photos")
    good = Image.open(tiny_coco / "images" / "1.png")
    exif = Image.Exif()
    exif[274] = 6
    good.save(folder / "a.png")
    good.save(folder / "a.jpg", quality=95)
    good.rotate(90, expand=True).save(folder / "turned.jpg", quality=95, exif=exif)
    (folder / "more").mkdir()
    good.convert("L").save(folder / "more" / "gray.webp")
    good.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    Image.fromarray(np.asarray(good.convert("L")).astype(np.uint16) * 257).save(folder / "deep.png")
    good.quantize(64).save(folder / "clear.png", transparency=bytes([0, 128] + 62 * [255]))
    (folder / "bomb.png").write_bytes(png_bomb)
    (folder / "text.jpg").write_text("not a photo")
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:900])
    good.resize((20, 20)).save(folder / "tiny.png")
    return folder


def tree(folder):
    """Bytes by path of all files, records aside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "records" not in path.parts
    }


@pytest.fixture(scope="module")
def runs(cli, tiny_config_file, tiny_weights, photos, tmp_path_factory):
    """Parses the folder, by name of the run; returns the ends and the folder of OUT/NAME."""
    out = tmp_path_factory.mktemp("parsed")

    def parse(name, processes):
        settings = ("--score-thr", "0.05", "--label-space", "tryon8", "--all-instances", "--keep-holes")
        photo_arguments = (photos, out / "none.jpg", "--out", out / name, "--write", *ALL)
        return cli(
            "parse.py",
            tiny_config_file,
            tiny_weights[0],
            *photo_arguments,
            *settings,
            processes=processes,
            torchrun=processes > 1,
        )

    ends = {"one": parse("one", 1), "two": parse("two", 2)}
    return ends, out


def test_good_photos_are_parsed_and_bad_ones_said(runs, photos):
    ends, out = runs
    assert ends["one"].returncode == 1
    records = out / "one" / "records"
    names = {path.relative_to(records).as_posix() for path in records.rglob("*.json")}
    stems = ("a", "a_png", "turned", "more/gray", "cmyk", "deep", "clear")
    assert names == {f"{stem}.json" for stem in stems}
    errors = [line for line in ends["one"].stderr.splitlines() if line.startswith("error: ")]
    expected = {
        "text.jpg": "is not an image that Pillow reads here",
        "cut.jpg": "is not a whole image",
        "tiny.png": "is too small: 20x20",
        "bomb.png": "is too large to decode",
    }
    assert len(errors) == len(expected) + 1
    for name, reason in expected.items():
        assert any(f"{photos / name} {reason}" in line for line in errors), name
    assert f"error: {out / 'none.jpg'} does not exist" in errors
    assert "parsed 7 photos, 0 were done before, 5 failed" in ends["one"].stdout
    assert re.search(r"11/11 .*(/s|s each)", ends["one"].stderr)
    assert "Traceback" not in ends["one"].stderr


@pytest.mark.parametrize(("name", "file"), [("a", "a.jpg"), ("turned", "turned.jpg"), ("more/gray", "more/gray.webp")])
def test_the_options_reach_the_results(runs, photos, tiny_config_file, tiny_weights, name, file):
    out = runs[1] / "one"
    photo = read_photo(photos / file)
    assert photo.shape[:2] == (120, 100)
    parsing = ClothingParser(tiny_config_file, tiny_weights[0], score_thr=0.05, one_per_class=False)(photo)
    label_map = load_palette_png(out / "label-map" / f"{name}.png", "tryon8")
    assert np.array_equal(label_map, parsing.label_map("tryon8", fill_holes=False))
    content = json.loads((out / "coco" / f"{name}.json").read_text())
    assert [one["category_id"] for one in content["annotations"]] == parsing.labels.tolist()
    assert len(list((out / "instances" / name).iterdir())) == len(parsing) > len(parsing.best_per_class())
    assert Image.open(out / "overlay" / f"{name}.jpg").size == (100, 120)


def test_two_processes_write_what_one_does(runs):
    ends, out = runs
    assert ends["two"].returncode == 1
    assert tree(out / "two") == tree(out / "one")
    assert ends["two"].stdout.count("parsed 7 photos, 0 were done before, 5 failed") == 1


def test_another_checkpoints_results_are_refused(runs, here, tiny_config_file, tiny_weights, photos):
    out = ("--out", runs[1] / "one", "--device", "cpu")
    message = here("parse.py", tiny_config_file, tiny_weights[1], photos, *out)
    assert "7 photos under other settings, a for one (checkpoint was '0.pth' and is '1.pth'" in message
    assert "--overwrite" in message
    message = here("parse.py", tiny_config_file, tiny_weights[1], photos, "--label-space", "nowhere", *out)
    assert "unknown label space 'nowhere'" in message


def test_wrong_checkpoints_end_the_run_before_any_work(here, payload, tiny_config_file, tiny_weights, photos, tmp_path):
    other = tmp_path / "other.pth"
    torch.save({"model.weight": torch.ones(2)}, other)
    out = ("--out", tmp_path / "out", "--device", "cpu")
    said = here("parse.py", tiny_config_file, other, photos, *out)
    assert f"checkpoint {other} does not fit the model of the config" in said
    said = here("parse.py", tiny_config_file, payload(tiny_weights[0]), photos, *out)
    assert f"checkpoint {tmp_path / 'payload.pth'} was refused: it asks for posix.mkdir" in said
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "owned").exists()


def test_photos_without_clothing_are_said(here, tiny_config_file, tiny_weights, photos, tmp_path, capsys):
    out = ("--out", tmp_path, "--device", "cpu", "--score-thr", "1")
    assert here("parse.py", tiny_config_file, tiny_weights[0], photos / "a.jpg", *out) == 0
    assert "nothing was found in 1: a (--score-thr 1; a lower one finds more)" in capsys.readouterr().out
    assert not load_palette_png(tmp_path / "label-map" / "a.png", "deepfashion15").any()


def test_the_tools_say_and_judge_the_maps_of_a_semantic_head(here, tiny_panoptic, photos, tmp_path, capsys):
    config, weights = tiny_panoptic
    out = ("--out", tmp_path / "out", "--device", "cpu", "--score-thr", "0.05")
    assert here("parse.py", config, weights, photos / "a.jpg", *out) == 0
    assert (
        "label maps are the model's semantic map, with its instances of accessories and hair in their place"
        in capsys.readouterr().out
    )
    assert json.loads((tmp_path / "out" / "records" / "a.json").read_text())["stamp"]["map"] == "fused"
    expected = ClothingParser(config, weights, "cpu", score_thr=0.05)(read_photo(photos / "a.jpg")).label_map()
    assert np.array_equal(load_palette_png(tmp_path / "out" / "label-map" / "a.png", "deepfashion15"), expected)
    (tmp_path / "3.pth").symlink_to(weights)
    loaded = load_config(config, {"test_dataloader.num_workers": 0}, str(tmp_path / "logs"))
    judge_label_maps(loaded)
    testing.run(loaded, tmp_path / "3.pth")
    found = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("3.*.json")}
    maps = {f"3.tiny-val-label-map{'' if kind == 'fused' else f'-{kind}'}.json": kind for kind in MAPS}
    assert {name: result["convention"]["map"] for name, result in found.items()} == maps
    assert found["3.tiny-val-label-map-instances.json"]["metrics"] != found["3.tiny-val-label-map.json"]["metrics"]


def test_label_maps_are_judged(cli, tiny_config_file, tiny_weights, tmp_path):
    """The result's numbers are those of label maps from the predictor against the annotations' label maps."""
    (tmp_path / "3.pth").symlink_to(tiny_weights[0])
    ended = cli(
        *("analysis/label_map_iou.py", tiny_config_file, tmp_path / "3.pth", "--score-thr", "0.05"),
        *("--work-dir", tmp_path / "logs", "--cfg-options", "val_dataloader.num_workers=0"),
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads((tmp_path / "3.tiny-val-label-map.json").read_text())
    assert (result["task"], result["images"], result["checkpoint"]) == ("parsing", 8, "3.pth")
    config = load_config(tiny_config_file)
    data = config.val_dataloader.dataset
    root = Path(data.data_root)
    content = json.loads((root / data.ann_file).read_text())
    parser = ClothingParser(tiny_config_file, tiny_weights[0], "cpu", score_thr=0.05)
    right = total = 0
    for image in content["images"]:
        photo = read_photo(root / "images" / image["file_name"])
        truth = np.zeros(photo.shape[:2], int)
        for annotation in content["annotations"]:
            if annotation["image_id"] == image["id"]:
                truth[coco_mask.decode(annotation["segmentation"]) > 0] = annotation["category_id"]
        right += np.count_nonzero(parser(photo).label_map() == truth)
        total += truth.size
    assert result["metrics"]["pixel_accuracy"] == pytest.approx(right / total, abs=0.002)
