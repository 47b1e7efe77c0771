import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seg_vton  # noqa: F401  before mmdet
from seg_vton.analysis.report import read_timings, write_report
from seg_vton.engine.model_folder import FORMAT
from seg_vton.errors import UserError
from seg_vton.labels import DEEPFASHION15, save_palette_png

VOID = {"meta", "img", "br", "link"}
HOSTILE = '<script>alert(1)</script>"onload="x&'


class Page(HTMLParser):
    """Reads a page and checks that its tags are closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.sources, self.text = [], [], [], ""
        self.cells, self.missing = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Notes a tag and what it loads."""
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "poster")]
        if tag == "td":
            self.cells.append("")
        if ("class", "missing") in attrs:
            self.missing.append("")
        self.within_missing = ("class", "missing") in attrs or (tag == "code" and bool(self.missing))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Closes the tag that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Adds text to where it stands."""
        self.text += data
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data
        if self.missing and self.open and self.open[-1] in ("p", "code") and self.within_missing:
            self.missing[-1] += data


def result(config, task, **changes):
    content = {
        "schema": 1,
        "task": task,
        "config": config,
        "config_sha256": f"{config:x<64}",
        "row": {
            **{"neck": "CARAFE-FPN", "optimizer": "SGD", "learning_rate": 0.1, "epochs": None, "iterations": 1234},
            **{"detector_weights": None, "test_time_augmentation": False, "image_scale": None, "precision": "float32"},
            **{"stage": task, "aux": True, "aux_head": None, "warper": "gmm", "warper_aux": True},
        },
        "checkpoint": "iter_7.pth",
        "checkpoint_sha256": f"c0ffee{config:y<58}",
        "command": "python tools/test.py",
        "date": "2026-01-02",
        "machine": {"cpu": "CPU", "cores": 2, "gpu": None},
        "training": {"seed": 5, "iterations": 1234, "seconds_per_iteration": 0.4567},
        "dataset": "paper-doll",
        "images": 50,
    }
    return content | changes


def detection():
    names, levels = ("AP", "AP50", "AP75"), {"bbox": 0.111, "segm": 0.222}
    metrics = {kind: {name: base + 0.1 * i for i, name in enumerate(names)} for kind, base in levels.items()}
    metrics["segm"]["AP75"] = None  # as where there is nothing to find
    classes = {
        "dress": {"instances": 25, "bbox": {"AP": 0.876, "AP50": None}, "segm": {"AP": 0.765, "AP50": 0.654}},
    }
    return result("mask-rcnn", "segmentation", split="val", metrics=metrics, per_class=classes)


def try_on(stage, split, **metrics):
    return result(
        f"{stage}_{split}",
        "tryon",
        split=split,
        stage=stage,
        pairs="paired",
        image_size=[128, 96],
        metrics=metrics,
        per_class={"upper": {"pixels": 9, "IoU": 0.543}, "footwear": {"pixels": 0, "IoU": None}},
        convention={},
        not_reported={"FID": "it needs a file"},
    )


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def save(path, color="red", size=(30, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def log(folder):
    lines = [json.dumps({"step": step, "loss": 1 / step, "loss_seg": 0.5}) for step in range(1, 6)]
    write(folder / "20260102_000000" / "vis_data" / "scalars.json", "\n".join(lines))


@pytest.fixture
def first_half(tmp_path):
    demo = tmp_path / "demo"
    log(demo / "segmenter")
    write(demo / "segmenter" / "epoch_7.paper-doll-val.json", detection())
    save(demo / "panels" / "panels.png", size=(3000, 60))
    note = {"step": HOSTILE, "started": "2026-01-02T00:00:00+00:00", "seconds": 61.6, "code": 0}
    write(demo / "timings.jsonl", f"{json.dumps(note)}\n{json.dumps({**note, 'seconds': 5})}\n")
    return demo


@pytest.fixture
def whole(first_half, tmp_path):
    data, demo = tmp_path / "dolls" / "test", first_half
    for name in ("a", "b"):
        save(data / "image" / f"{name}.jpg", "blue")
        save(data / "cloth" / f"{name}.jpg", "green")
        (data / "image-parse").mkdir(exist_ok=True)
        maps = [data / "image-parse" / f"{name}.png", demo / "parsing" / "test" / "label-map" / f"{name}.png"]
        for path in maps:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_palette_png(path, np.zeros((40, 30), np.uint8), DEEPFASHION15.name)
        record = {
            "schema": 1,
            "photo": f"../../../dolls/test/image/{name}.jpg",
            "files": {"label-map": f"label-map/{name}.png"},
        }
        write(demo / "parsing" / "test" / "records" / f"{name}.json", record)
    for stage in ("gmm", "tom"):
        log(demo / stage)
        save(demo / stage / "test" / "panels" / f"{HOSTILE.replace('/', '')}.png")
        write(demo / stage / "iter_7.paper-doll-test.json", try_on(stage, "test", PSNR=17.256, SSIM=0.6789))
    save(demo / "tom" / "test-unpaired" / "panels" / "a_b.png")
    write(demo / "tom" / "iter_7.paper-doll-test-unpaired.json", try_on("tom", "test-unpaired", SSIM=0.4321))
    for person in ("a", "b"):
        record = {
            "schema": 1,
            "person": {"name": person, "path": f"../../dolls/test/image/{person}.jpg"},
            "garment": {"name": "a", "path": "../../dolls/test/cloth/a.jpg"},
            "pending": [] if person == "a" else ["try-on"],
            "files": {"try-on": f"try-on/{person}_a.png"},
        }
        write(demo / "try-on" / "records" / f"{person}_a.json", record)
    save(demo / "try-on" / "try-on" / "a_a.png")
    write(demo / "models" / "model.json", {"format": FORMAT, "parts": {}})
    return demo


def make(demo, out):
    write_report(demo, out)
    return Page(out.read_text(encoding="utf-8"))


def test_a_whole_demo_is_a_page_of_its_own(whole, tmp_path):
    page = make(whole, tmp_path / "report.html")
    assert page.missing == []
    assert {"script", "link", "iframe", "object"}.isdisjoint(page.tags)
    pictures = [source for source in page.sources if not source.startswith("#")]
    # curves of three trainings, panels of four tests, maps and try-ons
    assert len(pictures) == page.tags.count("img") == 3 + 4 + 2
    for source in pictures:
        head, _, data = source.partition(",")
        assert head == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data, validate=True))).width <= 1400
    assert not re.search(r"(https?:|file:|url\()", (tmp_path / "report.html").read_text())


def test_it_has_the_numbers_of_the_files(whole, tmp_path):
    page = make(whole, tmp_path / "report.html")
    cells = set(page.cells)
    assert {".111", ".211", ".311", ".222", ".322"} <= cells
    assert {"dress", "25", ".876", ".765", ".654"} <= cells
    assert {"17.26", ".679", ".432", ".543", "-"} <= cells
    assert {"it needs a file", "1234", "0.457", "c0ffeemask-r", "2026-01-02"} <= cells
    assert "1:07" in cells  # 61.6 and 5 seconds of two runs of one step


def test_it_has_the_commands_that_use_the_model_folder(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = make(Path("demo"), tmp_path / "report.html").text
    photos = "--person dolls/test/image/a.jpg --garment dolls/test/cloth/a.jpg --pose dolls/test/pose"
    assert f"python tools/try_on.py --models demo/models {photos} --out demo/dressed" in said
    assert "python tools/parse.py --models demo/models dolls/test/image" in said
    assert "tools/data/prepare_viton_hd.py --models demo/models" in said
    (tmp_path / "demo").rename(tmp_path / "my demo")
    said = make(Path("my demo"), tmp_path / "spaces.html").text
    assert f"python tools/try_on.py --models 'my demo/models' {photos} --out 'my demo/dressed'" in said


def test_names_are_escaped(whole, tmp_path):
    out = tmp_path / "report.html"
    page = make(whole, out)
    assert "<script" not in out.read_text()
    assert HOSTILE in page.cells
    assert HOSTILE.replace("/", "") in page.text


def test_the_first_half_alone_says_what_is_missing_and_what_makes_it(first_half, tmp_path):
    page = make(first_half, tmp_path / "report.html")
    said = "\n".join(page.missing)
    for part in ("parsing/test", "gmm", "tom", "try-on"):
        assert str(first_half / part) in said
    assert all(message.endswith("make demo makes it.") for message in page.missing)
    assert ".111" in page.cells


def test_of_an_empty_folder_all_is_missing(tmp_path):
    (tmp_path / "demo").mkdir()
    page = make(tmp_path / "demo", tmp_path / "report.html")
    assert "img" not in page.tags
    assert page.missing[0].endswith("make demo-segmentation makes it.")
    assert "timings.jsonl does not exist" in "\n".join(page.missing)


def test_the_same_files_give_the_same_bytes(first_half, tmp_path):
    for name in ("one.html", "two.html"):
        make(first_half, tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_faults_of_the_user(first_half, tmp_path):
    out = tmp_path / "report.html"
    with pytest.raises(UserError, match=r"nowhere is not a folder: give the work dir"):
        write_report(tmp_path / "nowhere", out)
    out.write_text("mine")
    with pytest.raises(UserError, match=r"report.html exists already: pass --overwrite"):
        write_report(first_half, out)
    assert out.read_text() == "mine"
    write_report(first_half, out, overwrite=True)
    assert out.read_text().startswith("<!doctype html>")


def test_a_broken_line_of_timings_is_named(tmp_path):
    path = tmp_path / "timings.jsonl"
    path.write_text('{"step": "a", "seconds": 1}\n{"step"\n')
    with pytest.raises(UserError, match=r"timings.jsonl, line 2"):
        read_timings(path)
