"""Garments cut out of photos by the tool, in its own process's place."""

import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from seg_vton.data.cut_garments import cut_garments
from seg_vton.labels import DEEPFASHION15

TOOL = Path(__file__).parents[2] / "tools" / "data" / "cut_garments.py"


def shirt(color=(30, 60, 160)):
    """A shirt of 60 x 64 pixels on a gray floor of 160 x 120; photo and mask."""
    mask = np.zeros((160, 120), bool)
    mask[50:110, 40:80], mask[50:70, 28:92] = True, True
    floor = np.random.default_rng(0).normal(150, 6, (160, 120, 1))
    return np.where(mask[..., None], np.array(color), floor).astype(np.uint8), mask


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    photo, mask = shirt()
    Image.fromarray(photo).save(folder / "a.png")
    cut = Image.new("RGBA", (120, 160), (255, 255, 255, 0))
    cut.paste((255, 255, 255, 255), (0, 0), Image.fromarray(mask))  # white on transparent
    cut.save(folder / "sub" / "white.webp", lossless=True)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    return folder


def read(path):
    return np.array(Image.open(path))


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["cut_garments.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name="__main__")
    return ended.value.code


def test_the_tool_writes_cloth_and_mask_framed_and_goes_on_after_a_broken_photo(
    photos, tiny_config_file, tiny_weights, monkeypatch, capsys
):
    out = photos / "out"
    command = [photos, "--out", out, "--size", "256x192", "--device", "cpu"]
    command += ["--segmenter", tiny_config_file, tiny_weights[0], "--score-thr", "1"]  # which thus sees nothing
    assert run_tool(monkeypatch, *command) == 1
    said = capsys.readouterr()
    assert f"error: {photos / 'broken.jpg'} is not" in said.err
    assert "cut out 2 garments, 0 were done before, 1 failed" in said.out
    for name in ("a", "sub/white"):
        mask = read(out / "cloth-mask" / f"{name}.png")
        cloth = read(out / "cloth" / f"{name}.jpg")
        assert (mask.shape, cloth.shape) == ((256, 192), (256, 192, 3))
        assert set(np.unique(mask)) == {0, 255}
        left, top, width, height = cv2.boundingRect(mask)
        assert max(width / 192, height / 256) == pytest.approx(0.88, abs=0.02)
        assert abs(2 * left + width - 192) <= 4
        assert abs(2 * top + height - 256) <= 4
        assert cloth[mask == 0].mean() > 250
    assert np.abs(read(out / "cloth/a.jpg")[128, 96].astype(int) - (30, 60, 160)).max() < 12
    (photos / "broken.jpg").unlink()
    assert run_tool(monkeypatch, *command) == 0
    assert "cut out 0 garments, 2 were done before, 0 failed" in capsys.readouterr().out


def test_in_the_photos_own_frame_and_pixels(photos, tmp_path):
    outcome = cut_garments([photos / "a.png"], tmp_path / "out", size=None)
    assert (outcome.done, outcome.failures, outcome.warnings) == (1, [], {})
    mask = read(tmp_path / "out" / "cloth-mask" / "a.png") == 255
    assert iou(mask, shirt()[1]) > 0.97
    cloth = read(tmp_path / "out" / "cloth" / "a.jpg").astype(int)
    assert cloth.shape == (160, 120, 3)
    assert cloth[mask].mean(0) == pytest.approx((30, 60, 160), abs=6)
    assert cloth[~mask].mean() > 250


def test_a_doubtful_cut_is_said_by_name(tmp_path):
    photo = np.full((120, 100, 3), 250, np.uint8)
    photo[50:65, 45:60] = (30, 60, 160)
    Image.fromarray(photo).save(tmp_path / "patch.png")
    outcome = cut_garments([tmp_path / "patch.png"], tmp_path / "out")
    assert "may be cut out badly" in outcome.warnings["patch"][0]
    assert (tmp_path / "out" / "panel" / "patch.jpg").exists()


def test_what_a_person_wears_is_what_the_segmenter_sees(tmp_path):
    photo, mask = shirt()
    Image.fromarray(photo).save(tmp_path / "worn.png")
    labels = np.where(mask, DEEPFASHION15.id_of("top"), 0).astype(np.uint8)
    labels[20:50, 45:75] = DEEPFASHION15.id_of("face")

    class Parsing:
        """A parser and its result in one."""

        space, stamp = DEEPFASHION15, {"checkpoint": "mine"}

        def __call__(self, photo):
            return self

        def label_map(self, space):
            return labels

    cut_garments([tmp_path / "worn.png"], tmp_path / "out", size=None, parser=Parsing())
    assert np.array_equal(read(tmp_path / "out" / "cloth-mask" / "worn.png") == 255, mask)


@pytest.mark.parametrize("size", ["768", "1024X768", "10x10", "0x0", "photos"])
def test_wrong_sizes_are_refused(monkeypatch, capsys, tmp_path, size):
    assert run_tool(monkeypatch, tmp_path, "--out", tmp_path / "out", "--size", size) == 2
    assert "is not height x width" in capsys.readouterr().err
