import re
import runpy
import sys

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData
from PIL import Image

from seg_vton.analysis.browse import browse, draw_photograph, write_page
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError


def test_a_page_of_photographs_shows_what_it_links(tiny_panoptic, tmp_path, repo, monkeypatch, capsys):
    tool = repo / "tools" / "analysis" / "browse.py"
    monkeypatch.setattr(
        sys, "argv", ["browse.py", str(tiny_panoptic[0]), "--number", "2", "--out", str(tmp_path / "o")]
    )
    runpy.run_path(str(tool), run_name="__main__")
    assert capsys.readouterr().out.strip().endswith("index.html")
    text = (tmp_path / "o" / "index.html").read_text()
    assert re.findall('src="(.*?)"', text) == ["000.png", "001.png"] == sorted(p.name for p in tmp_path.glob("o/*.png"))
    assert "The first 2 of 7 items of train" in text  # one has no instance
    assert text.count("flip_direction ") == 2
    with pytest.raises(SystemExit, match="--overwrite"):
        runpy.run_path(str(tool), run_name="__main__")


def picture(value):
    return np.full((4, 4, 3), value, np.uint8)


def test_a_smaller_page_leaves_no_picture_of_the_earlier_one_and_all_of_the_users(tmp_path):
    def write(names):
        return write_page(tmp_path, "", "", [(name, picture(9), []) for name in names], overwrite=True)

    write(["confusion.png", "000.png", "001.png", "002.png"])
    mine = {"007.png": picture(1), "notes.png": picture(2)}
    for name, pixels in mine.items():
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "002.png").rename(tmp_path / "kept.png")  # by the user, who likes it
    (tmp_path / "008.png").write_text("no image")
    page = write(["000.png"])
    assert re.findall('src="(.*?)"', page.read_text()) == ["000.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "000.png", "kept.png", "008.png", *mine}


def test_the_seed_decides_which_items_come_first(tiny_panoptic, tmp_path):
    def first(seed, name):
        config = load_config(tiny_panoptic[0], {"randomness.seed": seed})
        return re.findall(r"flip (\w+);.*?img_id (\d+)", browse(config, "train", 4, tmp_path / name).read_text())

    orders = [first(seed, str(seed)) for seed in range(3)]
    assert orders[0] == first(0, "again")
    assert orders[0] != orders[1] != orders[2]
    assert {flip for order in orders for flip, _ in order} == {"True", "False"}


def test_a_page_of_pairs_shows_all_that_the_models_get(tiny_tryon, tmp_path):
    page = browse(load_config(tiny_tryon["gmm"]), "test", 9, tmp_path / "o")
    text = page.read_text()
    assert re.findall('src="(.*?)"', text) == ["000.png", "001.png", "002.png"]  # there are no more
    assert re.findall(r"; person (\w+)", text) == ["000001_0", "000002_0", "000003_0"]
    assert "agnostic (22, 64, 64) torch.float32, -1 to 1" in text
    width, height = Image.open(page.parent / "000.png").size
    assert width > 5 * 256  # image, cloth, its mask, head, body shape; pose, worn garment, its mask, segmentation
    assert 2 * 256 < height < 3 * 256
    with pytest.raises(UserError, match="--number 0"):
        browse(load_config(tiny_tryon["gmm"]), "test", 0, tmp_path / "p")


def test_photographs_are_drawn_in_their_colors_and_in_the_frame_of_the_truth():
    mask = np.zeros((720, 480), np.uint8)
    mask[200:600, 100:400] = 1
    sample = DetDataSample(metainfo={"img_path": "a/b.jpg"})
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[100.0, 200.0, 400.0, 600.0]]),
        labels=torch.tensor([1]),
        masks=BitmapMasks([mask], 720, 480),
    )
    target = torch.from_numpy(mask.astype(np.int64))[None] * 2
    target[:, :100] = 255
    sample.gt_sem_seg = PixelData(sem_seg=target)
    blue_first = torch.tensor([200, 100, 50], dtype=torch.uint8)[:, None, None].expand(3, 360, 240)
    sheet = draw_photograph(blue_first, sample, ("one", "two"), [(1, 2, 3), (0, 250, 0)])
    assert (sheet == (50, 100, 200)).all(-1).sum() > 720 * 480
    assert (sheet == (0, 250, 0)).all(-1).sum() >= 300 * 400
    assert (sheet == (0, 0, 0)).all(-1).sum() >= 600 * 480 - 300 * 400
