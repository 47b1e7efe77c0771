import hashlib
import json
import shutil

import pytest
import torch
from PIL import Image
from test_train_cli import log

from seg_vton.engine.checkpoint import load_checkpoint_file

# The published layout keeps what a stage predicts in these folders.
GMM_FOLDERS = {"panels", "segmentation", "warp-cloth", "warp-mask"}
TOM_FOLDERS = GMM_FOLDERS | {"composition-mask", "rendered", "try-on"}


@pytest.fixture(scope="module")
def gmm(cli, tiny_tryon):
    """Work dir of an uninterrupted GMM training of 6 iterations with two loader workers, where the TOM looks for it."""
    folder = tiny_tryon["gmm"].parent / "work"
    ended = cli("train.py", tiny_tryon["gmm"], "--work-dir", folder)
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(scope="module")
def tom(cli, tiny_tryon, gmm, tmp_path_factory):
    """Work dir of a TOM training on the garments that `gmm` warps."""
    folder = tmp_path_factory.mktemp("tom")
    ended = cli("train.py", tiny_tryon["tom"], "--work-dir", folder)
    assert ended.returncode == 0, ended.stderr
    return folder


def test_training_validates_shows_panels_and_keeps_the_warper_out_of_the_checkpoint(tom):
    checkpoint = load_checkpoint_file(tom / "iter_6.pth")
    assert {key.split(".")[0] for key in checkpoint["state_dict"]} == {"model", "aux_head"}
    assert all({"loss_l1", "loss_mask", "loss_seg"} <= set(e[0]) for e in log(tom).values())
    (scalars,) = tom.glob("*/vis_data/scalars.json")
    validated = [json.loads(line) for line in scalars.read_text().splitlines() if "tryon/ssim" in line]
    assert len(validated) == 1
    assert len(list(tom.glob("*/vis_data/vis_image/*.png"))) == 3


@pytest.fixture(scope="module")
def tests(cli, tiny_tryon, gmm, tom, tmp_path_factory):
    """Folders of tests with images: GMM and TOM on pairs, TOM on others' garments and on the training set."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("gmm", "tom", "unpaired", "train")}

    def test(name, stage, *arguments):
        folder = folders[name]
        shutil.copy((gmm if stage == "gmm" else tom) / "iter_6.pth", folder)
        paths = tiny_tryon[stage], folder / "iter_6.pth", "--work-dir", folder / "logs", "--out", folder / "out"
        return "test.py", *paths, *arguments

    ends = cli.together(
        {
            "gmm": test("gmm", "gmm"),
            "tom": test("tom", "tom"),
            "unpaired": test("unpaired", "tom", "--split", "test-unpaired"),
            "train": test("train", "gmm", "--split", "train"),
        }
    )
    for name, ended in ends.items():
        assert ended.returncode == 0, (name, ended.stderr)
    return folders


def result(folder, split="test"):
    return json.loads((folder / f"iter_6.tiny-{split}.json").read_text())


def test_a_result_says_what_was_tested(tests, tiny_tryon, gmm):
    content = result(tests["tom"])
    assert (content["task"], content["stage"], content["split"]) == ("tryon", "tom", "test")
    assert (content["images"], content["pairs"], content["image_size"]) == (3, "paired", [64, 64])
    assert content["config"] == "tom_tiny"
    assert content["row"]["warper"] == "gmm_tiny"
    assert content["training"]["iterations"] == 6
    assert "tools/train.py" in content["training"]["command"]
    assert content["training"]["code"] == content["code"]
    assert content["per_image"]["names"] == [f"{n:06d}_0_{n:06d}_1" for n in range(1, 4)]
    assert content["warper"] == {
        "config": "gmm_tiny",
        "checkpoint": "iter_6.pth",
        "checkpoint_sha256": hashlib.sha256((gmm / "iter_6.pth").read_bytes()).hexdigest(),
    }
    assert {"SSIM", "PSNR", "mIoU", "warped-mask IoU"} <= set(content["metrics"])
    alone = result(tests["gmm"])
    assert alone["stage"] == "gmm"
    assert "warper" not in alone
    assert alone["metrics"]["warped-mask IoU"] == pytest.approx(content["metrics"]["warped-mask IoU"], abs=1e-6)


def test_other_splits_have_results_of_their_own(tests):
    unpaired = result(tests["unpaired"], "test-unpaired")
    assert unpaired["split"] == "test-unpaired"
    assert unpaired["pairs"].startswith("unpaired")
    assert result(tests["train"], "train")["images"] == 5


@pytest.mark.parametrize(
    ("name", "expected", "count"),
    [("gmm", GMM_FOLDERS, 3), ("tom", TOM_FOLDERS, 3), ("unpaired", TOM_FOLDERS, 3), ("train", GMM_FOLDERS, 5)],
)
def test_out_holds_a_picture_of_each_kind_for_each_pair(tests, name, expected, count):
    out = tests[name] / "out"
    assert {path.name for path in out.iterdir()} == expected
    names = {path.name for path in (out / "warp-cloth").iterdir()}
    assert len(names) == count
    for folder in out.iterdir():
        assert {path.name for path in folder.iterdir()} == names
    with Image.open(out / "warp-cloth" / min(names)) as picture:
        assert (picture.mode, picture.size) == ("RGB", (64, 64))


def test_unpaired_pictures_are_named_after_both(tests, tiny_dolls):
    lines = [line.split() for line in (tiny_dolls / "test_unpaired_pairs.txt").read_text().splitlines()]
    expected = {f"{person[:-4]}_{garment[:-4]}.png" for person, garment in lines}
    assert {path.name for path in (tests["unpaired"] / "out" / "try-on").iterdir()} == expected


def test_two_processes_train_both_stages(cli, tiny_tryon, gmm, tmp_path):
    """With the rate scaled to twice the batch, and the first stage in bfloat16."""
    short = ("--auto-scale-lr", "--cfg-options", "train_cfg.max_iters=2", "train_dataloader.num_workers=0")
    for stage, more in (("gmm", ("--amp",)), ("tom", ())):
        folder = tmp_path / stage
        ended = cli("train.py", tiny_tryon[stage], "--work-dir", folder, *more, *short, processes=2)
        assert ended.returncode == 0, (stage, ended.stderr)
        entries = log(folder)
        assert list(entries) == [1, 2]
        assert entries[1][0]["lr"] == pytest.approx(2 * 5e-4)
        state = load_checkpoint_file(folder / "iter_2.pth")
        assert not any(key.startswith("module.") for key in state["state_dict"])
        assert all(value.dtype != torch.bfloat16 for value in state["state_dict"].values())


@pytest.fixture(scope="module")
def refused(cli, tiny_tryon, gmm, tmp_path_factory):
    """Ends of runs that cannot start, by name; tests/engine has the other reasons."""
    folder = tmp_path_factory.mktemp("refused")
    work = ("--work-dir", folder / "work")
    option = "--cfg-options"
    return cli.together(
        {
            "missing warper": (
                "train.py",
                tiny_tryon["tom"],
                *work,
                option,
                f"model.warper.checkpoint={folder}/none.pth",
            ),
            "GMM as TOM": ("test.py", tiny_tryon["tom"], gmm / "iter_6.pth", *work),
            "missing data": (
                "train.py",
                tiny_tryon["gmm"],
                *work,
                option,
                f"train_dataloader.dataset.data_root={folder}",
            ),
        }
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing warper", "none.pth does not exist: train it with `python tools/train.py"),
        ("GMM as TOM", "iter_6.pth does not fit the model of the config"),
        ("missing data", "train_pairs.txt does not exist"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(refused, name, expected):
    ended = refused[name]
    assert ended.returncode == 1
    (message,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert expected in message
    assert ended.stderr.splitlines()[-1] == message
    assert "Traceback" not in ended.stderr + ended.stdout
