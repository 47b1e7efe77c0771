"""The files of a paper-doll set."""

import hashlib
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from seg_vton.data.paper_doll import Plan, draw_doll, write, write_paper_dolls
from seg_vton.data.paper_doll.write import SPLIT_STRIDE, unpaired
from seg_vton.errors import UserError
from seg_vton.labels import load_palette_png

SIZE = (64, 84)
PLAN = Plan(train=3, val=2, test=3, seed=4, size=SIZE, layout="both")
TOOL = Path(__file__).parents[2] / "tools" / "data" / "paper_doll.py"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dolls") / "set"
    write_paper_dolls(folder, PLAN, workers=1)
    return folder


def digest(folder):
    """SHA-256 of every file by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_two_processes_write_the_same_bytes(root, tmp_path):
    write_paper_dolls(tmp_path / "set", PLAN, workers=2)
    assert digest(tmp_path / "set") == digest(root)


def test_a_split_does_not_depend_on_the_others(root, tmp_path):
    write_paper_dolls(tmp_path / "set", Plan(train=1, val=2, seed=4, size=SIZE, layout="coco"))
    more, less = digest(root), digest(tmp_path / "set")
    same = [name for name in less if "val" in name or name.endswith("train/000001.jpg")]
    assert len(same) == 4
    assert all(more[name] == less[name] for name in same)


def test_coco_masks_are_the_dolls(root):
    coco = COCO(root / "annotations" / "instances_val.json")
    assert [c["id"] for c in coco.loadCats(coco.getCatIds())] == list(range(1, 16))
    assert len(coco.getImgIds()) == 2
    for number, image in enumerate(coco.loadImgs(sorted(coco.getImgIds()))):
        doll = draw_doll(4, SPLIT_STRIDE + number, SIZE)
        annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
        decoded = {coco.cats[a["category_id"]]["name"]: coco.annToMask(a).astype(bool) for a in annotations}
        assert decoded.keys() == {name for name, _ in doll.instances}
        assert all(np.array_equal(decoded[name], mask) for name, mask in doll.instances)
        stored = np.array(Image.open(root / "images" / "val" / image["file_name"]))
        assert np.abs(stored.astype(int) - doll.image).mean() < 4


def test_viton_files_are_the_dolls(root):
    names = sorted(str(p.relative_to(root / "train")) for p in (root / "train").rglob("*") if p.is_file())
    expected = [f"{folder}/00000{i}_{end}" for i in (1, 2, 3) for folder, end in (
        ("image", "0.jpg"), ("cloth", "1.jpg"), ("cloth-mask", "1.jpg"), ("image-parse", "0.png"),
        ("pose", "0_keypoints.json"))]  # fmt: skip
    assert names == sorted(expected)
    doll = draw_doll(4, 1, SIZE, try_on=True)
    assert np.array_equal(load_palette_png(root / "train/image-parse/000002_0.png", "deepfashion15"), doll.label_map)
    for name, truth in (("image/000002_0.jpg", doll.image), ("cloth/000002_1.jpg", doll.cloth)):
        assert np.abs(np.array(Image.open(root / "train" / name)).astype(int) - truth).mean() < 4


def test_cloth_mask_is_white_on_black_at_either_published_threshold(root):
    mask = np.array(Image.open(root / "test/cloth-mask/000003_1.jpg"))
    truth = draw_doll(4, 2 * SPLIT_STRIDE + 2, SIZE, try_on=True).cloth_mask
    assert mask.ndim == 2
    for threshold in (128, 201):
        assert ((mask >= threshold) != truth).mean() < 0.01


def test_keypoints_are_the_dolls(root):
    person = json.loads((root / "train/pose/000001_0_keypoints.json").read_text())["people"][0]
    truth = draw_doll(4, 0, SIZE, try_on=True).keypoints
    assert np.allclose(np.reshape(person["pose_keypoints"], (18, 3)), truth, atol=1e-3)


def test_pairs(root):
    assert (root / "train_pairs.txt").read_text() == "".join(f"00000{i}_0.jpg 00000{i}_1.jpg\n" for i in (1, 2, 3))
    lines = [line.split() for line in (root / "test_unpaired_pairs.txt").read_text().splitlines()]
    assert [person for person, _ in lines] == [f"00000{i}_0.jpg" for i in (1, 2, 3)]
    assert sorted(cloth for _, cloth in lines) == [f"00000{i}_1.jpg" for i in (1, 2, 3)]
    assert all(person[:6] != cloth[:6] for person, cloth in lines)


def test_unpaired_truth_is_the_person_in_the_other_garment(root):
    garment = unpaired(4, 3)[1]
    doll = draw_doll(4, 2 * SPLIT_STRIDE + 1, SIZE, wearing=2 * SPLIT_STRIDE + garment, try_on=True)
    assert np.array_equal(load_palette_png(root / "test/unpaired-parse/000002_0.png", "deepfashion15"), doll.label_map)
    stored = np.array(Image.open(root / "test/unpaired/000002_0.jpg"))
    assert np.abs(stored.astype(int) - doll.image).mean() < 4


@pytest.mark.parametrize("count", [0, 1, 2, 5, 40])
def test_unpaired_gives_everyone_anothers_garment(count):
    others = unpaired(3, count)
    assert len(others) == (count if count > 1 else 0)
    assert sorted(others) == list(range(len(others)))
    assert all(i != j for i, j in enumerate(others))


def test_the_set_says_what_it_is(root):
    said = json.loads((root / "dataset.json").read_text())
    assert (said["label_space"], said["seed"], said["size"]) == ("deepfashion15", 4, list(SIZE))


def test_an_existing_set_is_kept_unless_told_otherwise(tmp_path):
    small = Plan(train=1, size=SIZE, layout="coco")
    write_paper_dolls(tmp_path / "set", small)
    before = digest(tmp_path / "set")
    with pytest.raises(UserError, match="exists already: pass --overwrite"):
        write_paper_dolls(tmp_path / "set", small)
    assert digest(tmp_path / "set") == before
    write_paper_dolls(tmp_path / "set", Plan(train=1, seed=1, size=SIZE, layout="coco"), overwrite=True)
    assert digest(tmp_path / "set") != before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_failure_leaves_nothing_half_written(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("disk on fire")

    write_paper_dolls(tmp_path / "set", Plan(train=1, size=SIZE, layout="coco"))
    before = digest(tmp_path)
    monkeypatch.setattr(write, "draw_doll", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        write_paper_dolls(tmp_path / "set", Plan(train=1, size=SIZE), overwrite=True)
    assert digest(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(train=-1), "--train is -1"),
        (Plan(train=1, val=-5), "--val is -5"),
        (Plan(train=SPLIT_STRIDE + 1), "--train is 10000001"),
        (Plan(train=0), "nothing to write"),
        (Plan(train=0, val=4, layout="viton"), "needs --train or --test"),
        (Plan(train=1, size=(20, 20)), "size is 20 x 20"),
        (Plan(train=1, seed=-1), "seed is -1"),
    ],
)
def test_a_plan_out_of_range_is_refused(tmp_path, plan, said):
    with pytest.raises(UserError, match=said):
        write_paper_dolls(tmp_path / "set", plan)
    assert not list(tmp_path.iterdir())


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
    runpy.run_path(str(TOOL), run_name="__main__")


def test_the_tool_writes_and_sums_up(tmp_path, monkeypatch, capsys):
    run_tool(monkeypatch, "--out", tmp_path / "set", "--train", 2, "--size", *SIZE, "--layout", "coco", "--workers", 1)
    assert (tmp_path / "set" / "images" / "train" / "000002.jpg").is_file()
    assert "paper doll train" in capsys.readouterr().out


def test_the_tool_ends_with_a_message_not_a_traceback(tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as stop:
        run_tool(monkeypatch, "--out", tmp_path / "set", "--train", 1, "--size", 10, 10)
    assert "at least 48 x 64" in str(stop.value)
