import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from seg_vton.analysis.errors import find_errors, match
from seg_vton.data.coco_files import CocoBuilder
from seg_vton.engine.launch import load_config
from seg_vton.errors import UserError
from seg_vton.labels import CLOTHING_CLASSES, TRYON8
from seg_vton.registry import DATASETS
from seg_vton.tryon.visualization import pair_name, write_predictions

CONFIG = """
custom_imports = dict(imports=["seg_vton"])
data = dict(
    type="ClothingDataset", data_root="{data}", ann_file="val.json", data_prefix=dict(img=""), pipeline=[]
)
val_dataloader = test_dataloader = dict(dataset=dict(data, test_mode=True))
val_evaluator = test_evaluator = dict(type="InstanceAP")
"""
SIDE = 40
# Class and box (top, bottom, left, right): 1.png has two instances, 2.png one and a crowd, 3.png none.
TRUTH = {
    1: [("top", 0, 10, 0, 20), ("pants", 20, 40, 0, 10)],
    2: [("hair", 0, 10, 0, 10), ("top", 20, 40, 20, 40)],
    3: [],
}
FOUND = [
    (1, 0.9, "top", 0, 10, 0, 20),  # as it is
    (1, 0.8, "skirt", 20, 40, 0, 8),  # 8 of the 10 columns of the pants
    (1, 0.7, "belt", 0, 5, 30, 40),  # where nothing is
    (1, 0.3, "hair", 0, 5, 0, 5),  # too unsure to count
    (2, 0.9, "top", 25, 35, 25, 35),  # in the crowd
]


def box_mask(top, bottom, left, right):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.fixture
def drawn(tmp_path):
    """A config of three drawn images, and predictions on them."""
    builders = CocoBuilder("val"), CocoBuilder("found")
    for number, instances in TRUTH.items():
        Image.new("RGB", (SIDE, SIDE), (90, 120, 150)).save(tmp_path / f"{number}.png")
        for builder in builders:
            assert builder.add_image(f"{number}.png", SIDE, SIDE) == number
        for name, *box in instances:
            builders[0].add_mask(number, CLOTHING_CLASSES.index(name) + 1, box_mask(*box))
    for number, _, name, *box in FOUND:
        builders[1].add_mask(number, CLOTHING_CLASSES.index(name) + 1, box_mask(*box))
    for builder in builders:
        builder.write(tmp_path / f"{'val' if builder is builders[0] else 'found'}.json")
    content = json.loads((tmp_path / "val.json").read_text())
    content["annotations"][-1]["iscrowd"] = 1
    (tmp_path / "val.json").write_text(json.dumps(content))
    rows = json.loads((tmp_path / "found.json").read_text())["annotations"]
    rows = [row | {"score": score} for row, (_, score, *_) in zip(rows, FOUND, strict=True)]
    (tmp_path / "found.json").write_text(json.dumps(rows))
    (tmp_path / "drawn.py").write_text(CONFIG.format(data=tmp_path))
    return load_config(tmp_path / "drawn.py"), tmp_path / "found.json"


def test_pairs_have_one_class_where_they_can_and_each_instance_is_in_one():
    ious = np.array([[0.9, 0.6, 0.0], [0.55, 0.0, 0.4]])
    truth, found = np.array([0, 1]), np.array([1, 0, 0])
    assert match(ious, truth, found) == [(0, 1), (1, 0)]
    assert match(ious[:1], truth[:1], found) == [(0, 1)]
    assert match(ious[:1], np.array([7]), found) == [(0, 0)]  # of other classes the larger IoU
    assert match(ious[1:, 2:], np.array([0]), found[2:]) == []
    assert match(np.zeros((0, 3)), truth[:0], found) == []
    chain = np.eye(4) + np.eye(4, k=1) / 2  # three pairs of one class, or two with larger IoUs and two of other classes
    assert match(chain, np.array([0, 0, 0, 1]), np.array([2, 0, 0, 0])) == [(0, 1), (1, 2), (2, 3)]


def test_the_errors_of_drawn_instances_are_those_counted_by_hand(drawn, tmp_path):
    config, found = drawn
    page = find_errors(config, found, "val", tmp_path / "out", number=2)
    content = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert [(one["id"], one["PQ"]) for one in content["images"]] == [(2, 0.0), (1, 0.4), (3, 1.0)]  # 2 * 1 / (2 + 3)
    assert content["images"][0]["missed"] == ["hair"]
    assert content["images"][0]["not there"] == []
    assert content["images"][1]["taken for another class"] == ["pants for skirt (IoU 0.80)"]
    assert content["images"][1]["not there"] == ["belt"]
    names = content["classes"]
    assert names == [*CLOTHING_CLASSES, "nothing"]
    cells = {(names[t], names[p]): content["confusion"][t][p] for t, p in np.argwhere(content["confusion"])}
    assert cells == {("top", "top"): 1, ("pants", "skirt"): 1, ("hair", "nothing"): 1, ("nothing", "belt"): 1}
    assert re.findall('src="(.*?)"', page.read_text()) == ["confusion.png", "000.png", "001.png"]
    assert sorted(path.name for path in page.parent.glob("*.png")) == ["000.png", "001.png", "confusion.png"]
    with pytest.raises(UserError, match="--overwrite"):
        find_errors(config, found, "val", tmp_path / "out")


def test_splits_and_numbers_that_there_are_not_are_refused(drawn, tmp_path):
    with pytest.raises(UserError, match="--number is -1: it must be 0 or more"):
        find_errors(*drawn, "val", tmp_path / "out", number=-1)
    with pytest.raises(UserError, match="no test-unpaired split"):
        find_errors(*drawn, "test-unpaired", tmp_path / "out")


@pytest.fixture(scope="module")
def tested(tiny_tryon, tmp_path_factory):
    """What a TOM would write: the first doll as it is, noise, and half of each."""
    folder = tmp_path_factory.mktemp("tested")
    data = DATASETS.build(load_config(tiny_tryon["tom"]).test_dataloader.dataset)
    for index, quality in enumerate((1.0, 0.0, 0.5)):
        inputs, sample = data[index].values()
        taken = inputs["parse"].clone()
        if index == 1:
            taken[taken == TRYON8.id_of("upper")] = TRYON8.id_of("skin")
        noise = torch.rand_like(inputs["image"]) * 2 - 1
        sample = sample.new(
            try_on=quality * inputs["image"] + (1 - quality) * noise,
            warped_cloth=inputs["parse_cloth"],
            warped_mask=inputs["parse_cloth_mask"],
            seg_map=taken,
        )
        write_predictions(folder, f"{pair_name(sample)}.png", sample)
    return folder, [data[index]["inputs"]["parse"] for index in range(3)]


def test_the_worst_try_on_comes_first_and_its_pixels_are_counted(tiny_tryon, tested, tmp_path):
    folder, truth = tested
    page = find_errors(load_config(tiny_tryon["tom"]), folder, "test", tmp_path / "out", number=1)
    content = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert [one["pair"] for one in content["images"]] == [f"{n:06}_0_{n:06}_1" for n in (2, 3, 1)]
    assert content["images"][-1]["SSIM"] == content["images"][-1]["mIoU"] == 1.0
    assert "PSNR" not in content["images"][-1]  # it is infinite
    upper, skin = TRYON8.id_of("upper"), TRYON8.id_of("skin")
    expected = np.diag([sum(int((one == label).sum()) for one in truth) for label in range(8)])
    expected[upper, skin] = (truth[1] == upper).sum()
    expected[upper, upper] -= expected[upper, skin]
    assert content["confusion"] == expected.tolist()
    assert re.findall('src="(.*?)"', page.read_text()) == ["confusion.png", "000.png"]
    assert Image.open(page.parent / "000.png").size[0] > 4 * 256


def test_a_warper_is_judged_by_its_warps(tiny_tryon, tested, tmp_path):
    warps = tmp_path / "warps"
    for name in ("warp-cloth", "warp-mask"):
        (warps / name).mkdir(parents=True)
        for path in (tested[0] / name).iterdir():
            (warps / name / path.name).write_bytes(path.read_bytes())
    Image.new("L", (64, 64)).save(warps / "warp-mask" / "000003_0_000003_1.png")
    find_errors(load_config(tiny_tryon["gmm"]), warps, "test", tmp_path / "out", number=1)
    content = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert "confusion" not in content
    assert [one["warped-mask IoU"] for one in content["images"]] == [0.0, 1.0, 1.0]
    assert content["images"][0]["pair"] == "000003_0_000003_1"


def test_folders_that_do_not_fit_are_refused(tiny_tryon, tested, tmp_path):
    config = load_config(tiny_tryon["tom"])
    with pytest.raises(UserError, match=r"has no warp-cloth: give the folder that tools/test\.py --out wrote"):
        find_errors(config, tmp_path, "test", tmp_path / "out")
    with pytest.raises(UserError, match=r"does not exist: is the --split the one that was tested"):
        find_errors(config, tested[0], "train", tmp_path / "out")
