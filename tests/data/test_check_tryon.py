"""Checks of try-on sets: sound ones of every layout, and one fault at a time."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from seg_vton.data.check import check_data
from seg_vton.data.report import print_report
from seg_vton.errors import UserError
from seg_vton.labels import load_palette_png, save_palette_png
from seg_vton.tryon.datasets.faults import MASK
from seg_vton.tryon.datasets.layouts import LAYOUTS, Layout, Place, get_layout, register_layout

TOOL = Path(__file__).parents[2] / "tools" / "data" / "check.py"
PAIRS = [("000001_0.jpg", "000001_1.jpg"), ("000002_0.jpg", "000002_1.jpg")]
HD_PAIRS = [("00006_00.jpg", "00006_00.jpg"), ("00008_00.jpg", "00008_00.jpg"), ("00009_00.jpg", "00009_00.jpg")]


@pytest.fixture
def viton(tmp_path, write_set):
    root = tmp_path / "viton"
    write_set(root, "viton", "train", PAIRS, (32, 48))
    (root / "._train_pairs.txt").write_bytes(b"Mac OS X")  # what macOS leaves beside files
    return root


def test_the_dolls_are_sound(tiny_dolls):
    report = check_data(tiny_dolls)
    assert not report.errors
    assert [(s.name, s.pairs, s.paired, s.persons, s.garments) for s in report.tryon] == [
        ("test_pairs.txt", 3, 3, 3, 3),
        ("test_unpaired_pairs.txt", 3, 0, 3, 3),
        ("train_pairs.txt", 5, 5, 5, 5),
    ]
    train = report.tryon[2]
    assert (train.layout, train.label_space, train.without_people) == ("paper_doll", "deepfashion15", 0)
    assert train.sizes == {(48, 64): 5}
    maps = [load_palette_png(p, "deepfashion15") for p in (tiny_dolls / "train/image-parse").iterdir()]
    assert train.maps["outer"] == sum((m == 5).any() for m in maps)
    assert train.maps["hair"] == sum((m == 13).any() for m in maps)
    assert train.maps["background"] == 0


def test_the_label_space_is_that_of_the_marker_unless_another_is_given(viton):
    for path in (viton / "train" / "image-parse").iterdir():
        labels = load_palette_png(path, "lip20") % 16
        save_palette_png(path, labels, "deepfashion15", overwrite=True)
    assert check_data(viton).errors
    (viton / "dataset.json").write_text(json.dumps({"data_set": "photo pairs", "label_space": "deepfashion15"}))
    report = check_data(viton)
    assert not report.errors
    assert [(s.layout, s.label_space) for s in report.tryon] == [("viton", "deepfashion15")]
    assert check_data(viton, label_space="lip20").tryon[0].label_space == "lip20"


def test_viton_hd_is_sound_and_told_by_its_poses(tmp_path, write_set):
    write_set(tmp_path, "viton_hd", "train", HD_PAIRS, (32, 48))
    report = check_data(tmp_path)
    assert not report.errors
    assert [(s.layout, s.label_space, s.pairs, s.paired) for s in report.tryon] == [("viton_hd", "cihp20", 3, 3)]


def test_dresscode_is_sound_as_a_whole_and_by_category(tmp_path, write_set):
    for category in ("dresses", "upper_body"):
        write_set(tmp_path / category, "dresscode", "train", PAIRS, (32, 48))
    report = check_data(tmp_path)
    assert not report.errors
    assert [s.name for s in report.tryon] == ["upper_body/train_pairs.txt", "dresses/train_pairs.txt"]
    assert [s.name for s in check_data(tmp_path / "dresses").tryon] == ["dresses/train_pairs.txt"]


def test_a_set_of_both_kinds_is_checked_as_both(dolls, tiny_coco):
    (dolls / "annotations").symlink_to(tiny_coco / "annotations")
    report = check_data(dolls, tiny_coco / "images")
    assert (len(report.summaries), len(report.tryon)) == (1, 3)


def spoil_parse(label):
    def spoil(root):
        path = root / "train/image-parse/000001_0.png"
        parse = np.array(Image.open(path))
        parse[0, 0] = label
        Image.fromarray(parse).save(path)

    return spoil


def color(root):
    path = root / "train/image-parse/000001_0.png"
    Image.open(path).convert("RGB").save(path)


def replace_parse(size=(32, 48), label=5):
    def replace(root):
        parse = np.full(size[::-1], label)
        save_palette_png(root / "train/image-parse/000001_0.png", parse, "lip20", overwrite=True)

    return replace


def cut(file):
    """Keeps the first half of a file."""
    return lambda root: (root / file).write_bytes((root / file).read_bytes()[: (root / file).stat().st_size // 2])


def write(file, content):
    return lambda root: (root / file).write_text(content if isinstance(content, str) else json.dumps(content))


def save_mask(levels, size=(32, 48)):
    return lambda root: Image.new("L", size, levels).save(root / "train/cloth-mask/000002_1.jpg")


def half_mask(root):
    mask = np.zeros((24, 16), np.uint8)
    mask[:12] = 255
    Image.fromarray(mask).save(root / "train/cloth-mask/000002_1.jpg")


def remove(file):
    return lambda root: (root / file).unlink()


POSE = "train/pose/000001_0_keypoints.json"


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (remove("train/cloth/000002_1.jpg"), "missing cloth", "train/cloth/000002_1.jpg"),
        (remove(POSE), "missing pose", POSE),
        (remove("train/image/000001_0.jpg"), "missing image", "train/image/000001_0.jpg"),
        (cut("train/image/000002_0.jpg"), "broken image", "000002_0.jpg"),
        (cut("train/cloth/000002_1.jpg"), "broken image", "000002_1.jpg"),
        (cut("train/cloth-mask/000002_1.jpg"), "broken image", "cloth-mask"),
        (spoil_parse(20), "parsing map that cannot be used", "000001_0.png: lip20 has the ids 0 to 19, found also 20"),
        (color, "parsing map that cannot be used", "this one is RGB"),
        (replace_parse((32, 32)), "parsing map that cannot be used", "the parsing map is 32x32 and the photo 32x48"),
        (cut("train/image-parse/000001_0.png"), "parsing map that cannot be used", "000001_0.png"),
        (write(POSE, {"people": [{"pose_keypoints": [1, 2]}]}), "pose that cannot be used", "54, 75 or 51 numbers"),
        (write(POSE, "{"), "pose that cannot be used", "not whole JSON"),
        (write("train_pairs.txt", "000001_0.jpg\n"), "broken pairs file", "train_pairs.txt, line 1"),
        (write("test_pairs.txt", "000001_0.jpg 000001_1.jpg\n"), "missing folder", "test/image does not exist"),
        (save_mask(0), MASK, "all black"),
        (save_mask(255), MASK, "all white"),
        (remove("train_pairs.txt"), "no pairs file", "viton"),
    ],
)
def test_faults(viton, spoil, kind, said):
    spoil(viton)
    report = check_data(viton)
    assert list(report.errors) == [kind]
    (message,) = report.errors[kind]
    assert said in message


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (write(POSE, {"people": []}), "pose without people", POSE),
        (write(POSE, {"people": [{"pose_keypoints": [40, 9, 1] * 18}]}), "joint outside the picture", "[40.0, 9.0]"),
        (replace_parse(label=14), "no upper garment in the parsing map", "000001_0.png"),
        (replace_parse(label=6), "parsing map that does not fit the pose", "000001_0.png: the nose lies on dress"),
        (half_mask, "garment mask of another size than the garment", "is 16x24"),
        (write("mine_pairs.txt", "a b\n"), "pairs file not checked", "mine_pairs.txt"),
        (
            write("train_pairs.txt", "000001_0.jpg 000002_1.jpg\n"),
            "another's garment in a training pair",
            "000001_0.jpg 000002_1.jpg",
        ),
        (write("train_pairs.txt", "000001_0.jpg 000001_1.jpg\n" * 2), "pair twice", "000001_0.jpg 000001_1.jpg"),
    ],
)
def test_oddities(viton, spoil, kind, said):
    before = set(check_data(viton).warnings)
    spoil(viton)
    report = check_data(viton)
    assert not report.errors
    assert set(report.warnings) - before == {kind}
    assert said in report.warnings[kind][0]


def test_garments_on_another_background_and_maps_resized_with_interpolation_are_named(dolls):
    kinds = "garment that is not on white", "parsing map that was resized with interpolation"
    assert not set(kinds) & check_data(dolls).warnings.keys()
    cloth, parse = dolls / "train/cloth/000001_1.jpg", dolls / "train/image-parse/000001_0.png"
    Image.open(cloth).point(lambda level: 255 - level).save(cloth)
    Image.fromarray(np.array(Image.open(parse))).resize((96, 128), Image.Resampling.BILINEAR).save(parse)
    warnings = check_data(dolls).warnings
    for kind, path in zip(kinds, (cloth, parse), strict=True):
        (message,) = warnings[kind]
        assert message.startswith(f"{path}: ")


def test_a_pose_without_people_is_counted(viton):
    (viton / POSE).write_text('{"people": []}')
    assert check_data(viton).tryon[0].without_people == 1


def test_the_truth_of_the_unpaired_dolls_is_checked(dolls):
    (dolls / "test/unpaired/000002_0.jpg").unlink()
    cut("test/unpaired-parse/000003_0.png")(dolls)
    report = check_data(dolls)
    assert set(report.errors) == {"missing target", "parsing map that cannot be used"}


def test_a_file_of_many_pairs_is_reported_once(viton):
    remove("train/cloth/000002_1.jpg")(viton)
    (viton / "train_pairs_2.txt").write_text("000001_0.jpg 000002_1.jpg\n" * 3)
    assert len(check_data(viton).errors["missing cloth"]) == 1


def test_another_label_space(dolls):
    assert not check_data(dolls, label_space="deepfashion15").errors
    report = check_data(dolls, label_space="dfmm24")
    assert "but dfmm24 was asked for" in report.errors["parsing map that cannot be used"][0]
    with pytest.raises(UserError, match="unknown label space 'lip'"):
        check_data(dolls, label_space="lip")


def test_the_report_prints_counts_by_pairs_file(tiny_dolls, tmp_path):
    console = Console(record=True, width=200, file=(tmp_path / "log").open("w"))
    print_report(check_data(tiny_dolls), console)
    text = console.export_text()
    assert "paper_doll: pairs, and parsing maps with each label of deepfashion15" in text
    assert "test_unpaired_pairs.txt" in text
    assert "48x64" in text
    assert "Instances per class" not in text
    assert "no errors" in text


def test_photos_that_will_be_squeezed_are_reported(viton):
    messages = check_data(viton).warnings["photo of another aspect ratio, which will be squeezed or stretched"]
    assert len(messages) == 4
    assert "image/000001_0.jpg is 32x48, a ratio of 0.67 and not 0.75" in messages[0]


def test_every_mask_at_fault_is_shown(tmp_path, write_set):
    pairs = [(f"{number:06}_0.jpg", f"{number:06}_1.jpg") for number in range(12)]
    write_set(tmp_path / "viton", "viton", "train", pairs, (36, 48))
    masks = sorted((tmp_path / "viton/train/cloth-mask").iterdir())
    for path in masks:
        Image.eval(Image.open(path), lambda level: 255 - level).save(path)
    report = check_data(tmp_path / "viton")
    assert len(report.errors[MASK]) == 12
    console = Console(record=True, width=200, file=(tmp_path / "log").open("w"))
    print_report(report, console)
    text = console.export_text()
    assert all(str(path) in text for path in masks)


def test_tool_exit_codes(viton, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(TOOL), str(viton), *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOL), run_name="__main__")
        return ended.value.code

    assert not run()
    assert run("--label-space", "cihp20") == 1
    assert "the file says that its labels are lip20, but cihp20 was asked for" in capsys.readouterr().out
    assert not run("--label-space", "lip20")
    remove(POSE)(viton)
    assert run() == 1
    assert "error: missing pose (1)" in capsys.readouterr().out


def test_a_layout_of_ones_own_is_checked_as_the_config_says(tmp_path, write_set, monkeypatch):
    places = {**get_layout("viton").places, "image": Place(("people",), ("{person_file}",))}
    monkeypatch.setattr("seg_vton.tryon.datasets.layouts.LAYOUTS", dict(LAYOUTS))
    register_layout(Layout("test_of_check", places))
    pairs = [("p-7.jpg", "g-A.jpg"), ("p-8.jpg", "g-B.jpg")]
    write_set(tmp_path, "test_of_check", "train", pairs, (36, 48), label_space="lip20")
    data = {"layout": "test_of_check", "label_space": "lip20"}
    report = check_data(tmp_path, data=data)
    assert (report.tryon[0].layout, report.tryon[0].label_space, report.errors) == ("test_of_check", "lip20", {})
    assert len(report.warnings["another's garment in a training pair"]) == 2
    assert "another's garment in a training pair" not in check_data(tmp_path, data={**data, "paired": True}).warnings


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("layout='dresscode', label_space='lip20'", "found no folder for image"),
        ("type='CocoDataset'", "row.py reads no try-on set"),
    ],
)
def test_tool_takes_the_layout_of_a_config(viton, data, expected, tmp_path, monkeypatch, capsys):
    config = tmp_path / "row.py"
    config.write_text(f"train_dataloader = dict(dataset=dict({data}))\n")
    monkeypatch.setattr(sys, "argv", [str(TOOL), str(viton), "--config", str(config)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name="__main__")
    assert expected in f"{capsys.readouterr().out}{ended.value.code}"
