import hashlib
import json
import pickle
import shutil

import pytest
import torch

from seg_vton.engine.checkpoint import load_checkpoint_file
from seg_vton.labels import CLOTHING_CLASSES

NUMBERS = ("AP", "AP50", "AP75", "APs", "APm", "APl")


@pytest.fixture(scope="module")
def tests(cli, tiny_config_file, trained, tmp_path_factory):
    """Ends and folders of the tests of one checkpoint: as JSON, as pickle with pictures, flipped, in two processes."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("plain", "painted", "flipped", "two")}
    for folder in folders.values():
        shutil.copy(trained / "epoch_3.pth", folder)

    def test(name, *arguments):
        folder = folders[name]
        return "test.py", tiny_config_file, folder / "epoch_3.pth", "--work-dir", folder / "logs", *arguments

    ends = cli.together(
        {
            "plain": test("plain", "--out", folders["plain"] / "found.json"),
            "painted": test(
                "painted", "--split", "val", "--show-dir", "pictures", "--out", folders["painted"] / "a.pkl"
            ),
            "flipped": test("flipped", "--tta", "--out", folders["flipped"] / "found.json"),
        }
    )
    ends["two"] = cli(*test("two", "--out", folders["two"] / "found.json"), processes=2)
    for name, ended in ends.items():
        assert ended.returncode == 0, (name, ended.stderr)
    return folders


def result(folder, name="epoch_3.tiny-val.json"):
    return json.loads((folder / name).read_text())


def found(folder):
    """The predictions that `--out` wrote, in an order of their own."""
    return sorted(json.loads((folder / "found.json").read_text()), key=json.dumps)


def test_the_result_lies_beside_the_checkpoint_with_all_it_needs(tests, tiny_config_file):
    content = result(tests["plain"])
    checkpoint = tests["plain"] / "epoch_3.pth"
    assert content["config"] == tiny_config_file.stem
    assert len(content["config_sha256"]) == 64
    assert content["checkpoint"] == "epoch_3.pth"
    assert content["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert content["command"].startswith("python ")
    assert "tools/test.py" in content["command"]
    assert {"cpu", "cores", "torch"} <= set(content["machine"])
    training = content["training"]
    assert (training["seed"], training["epoch"], training["iterations"]) == (0, 3, 12)
    assert 0 <= training["train_accuracy"] <= 100
    assert training["seconds_per_iteration"] > 0
    assert content["images_per_second"] > 0
    assert content["row"]["epochs"] == 3
    assert (content["dataset"], content["split"], content["images"]) == ("tiny", "val", 8)
    for kind in ("bbox", "segm", "boundary"):
        assert list(content["metrics"][kind]) == list(NUMBERS)
        assert 0 <= content["metrics"][kind]["AP"] <= 1
    assert list(content["per_class"]) == list(CLOTHING_CLASSES)
    assert content["instances"] == sum(row["instances"] for row in content["per_class"].values()) > 15


def test_predictions_as_json_are_those_that_were_counted(tests):
    rows = found(tests["plain"])
    assert len(rows) == result(tests["plain"])["predictions"] > 0
    assert {tuple(row) for row in rows} == {("image_id", "category_id", "bbox", "score", "segmentation")}


def test_predictions_as_pickle_are_mmdets_dump(tests):
    samples = pickle.loads((tests["painted"] / "a.pkl").read_bytes())
    assert len(samples) == 8
    scores = sorted(row["score"] for row in found(tests["plain"]))
    assert sorted(s for sample in samples for s in sample["pred_instances"]["scores"].tolist()) == pytest.approx(scores)


def test_pictures_are_painted(tests):
    painted = list((tests["painted"] / "logs").glob("*/pictures/*"))
    assert len(painted) == 8
    assert all(path.stat().st_size > 1000 for path in painted)


def test_the_same_checkpoint_gives_the_same_numbers_whatever_else_is_written(tests):
    plain, painted = result(tests["plain"]), result(tests["painted"])
    for key in ("metrics", "per_class", "predictions"):
        assert plain[key] == painted[key]


def test_tta_has_a_result_of_its_own(tests):
    flipped = result(tests["flipped"], "epoch_3.tiny-val-tta.json")
    assert flipped["row"]["test_time_augmentation"] is True
    assert result(tests["plain"])["row"]["test_time_augmentation"] is False
    scores, flipped_scores = ({row["score"] for row in found(tests[name])} for name in ("plain", "flipped"))
    assert flipped["predictions"] == len(found(tests["flipped"])) > 0
    assert scores & flipped_scores  # some of the upright view
    assert flipped_scores - scores  # some of the mirrored one
    assert not (tests["flipped"] / "epoch_3.tiny-val.json").exists()


def test_two_processes_give_the_numbers_of_one(tests):
    one, two = result(tests["plain"]), result(tests["two"])
    for key in ("metrics", "per_class", "predictions", "images", "instances"):
        assert one[key] == two[key]
    assert found(tests["plain"]) == found(tests["two"])


@pytest.fixture(scope="module")
def refused(cli, tiny_config_file, trained, tests, tmp_path_factory):
    """Ends of tests that cannot start, by name; tests/engine has the other reasons."""
    folder = tmp_path_factory.mktemp("refused")
    content = load_checkpoint_file(trained / "epoch_3.pth")
    (folder / "cut.pth").write_bytes((trained / "epoch_3.pth").read_bytes()[:-5000])
    smaller = {key: value for key, value in content["state_dict"].items() if "roi_head.mask_head" not in key}
    torch.save({"state_dict": {**smaller, "extra.weight": torch.ones(1)}}, folder / "other.pth")
    torch.save({"state_dict": content["state_dict"]}, folder / "bare.pth")
    (folder / "found.json").write_text("mine")

    def test(checkpoint, *arguments):
        return "test.py", tiny_config_file, checkpoint, "--work-dir", folder / "logs", *arguments

    bare = folder / "bare.pth"
    ends = cli.together(
        {
            "again": test(tests["plain"] / "epoch_3.pth"),
            "missing checkpoint": test(folder / "none.pth"),
            "truncated checkpoint": test(folder / "cut.pth"),
            "another model": test(folder / "other.pth"),
            "missing data root": test(bare, "--cfg-options", f"test_dataloader.dataset.data_root={folder}/nowhere"),
            "missing annotations": test(bare, "--cfg-options", f"test_evaluator.ann_file={folder}/none.json"),
            "existing predictions": test(bare, "--out", folder / "found.json"),
        }
    )
    assert (folder / "found.json").read_text() == "mine"
    assert not list(folder.glob("*.tiny-*.json"))
    return ends


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("again", "epoch_3.tiny-val.json exists already: pass --overwrite"),
        ("missing checkpoint", "none.pth does not exist"),
        ("truncated checkpoint", "cut.pth cannot be read as a checkpoint"),
        ("another model", "other.pth does not fit the model of the config (8 missing: roi_head.mask_head."),
        ("missing data root", "nowhere does not exist: data/README.md says how to get"),
        ("missing annotations", "none.json does not exist"),
        ("existing predictions", "found.json exists already: pass --overwrite"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(refused, name, expected):
    ended = refused[name]
    assert ended.returncode == 1
    (message,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert expected in message
    assert ended.stderr.splitlines()[-1] == message
    assert "Traceback" not in ended.stderr + ended.stdout


def test_an_existing_result_is_refused_before_any_image_is_read(refused):
    assert "Epoch(test)" not in refused["again"].stdout
    assert "Loads checkpoint" not in refused["again"].stdout


def test_a_result_is_replaced_on_request(cli, tests, tiny_config_file, tmp_path):
    """A bare state dict is tested too; its result knows nothing of the training."""
    content = load_checkpoint_file(tests["plain"] / "epoch_3.pth")["state_dict"]
    torch.save(content, tmp_path / "epoch_3.pth")
    (tmp_path / "epoch_3.tiny-val.json").write_text("old")
    ended = cli(
        *("test.py", tiny_config_file, tmp_path / "epoch_3.pth", "--work-dir", tmp_path / "logs", "--overwrite"),
        *("--cfg-options", "test_dataloader.dataset.indices=3"),
    )
    assert ended.returncode == 0, ended.stderr
    assert result(tmp_path)["training"] == {}
    assert result(tmp_path)["images"] == 3
