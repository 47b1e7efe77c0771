import json
from pathlib import Path

import pytest

import seg_vton  # noqa: F401  before mmdet
from seg_vton.analysis import ablation
from seg_vton.analysis.ablation import ablation_table, collect
from seg_vton.errors import UserError

ROOT = Path(__file__).parents[2]
FPN = "mask-rcnn_r50_fpn_sgd-lr0.009_2e_deepfashion"
CARAFE = "mask-rcnn_r50_carafe-fpn_sgd-lr0.009_5e_deepfashion"
HALF = "mask-rcnn_r50_fpn_sgd-lr0.005_half-res_2e_ccp"

# Sarda & Sun, Table 1.
PAPER = {
    ("FPN", "Adam", "0.0164", "2"): ".238 / .205",
    ("FPN", "SGD", "0.02", "2"): ".595 / .568",
    ("FPN", "SGD", "0.01", "2"): ".599 / .574",
    ("FPN", "SGD", "0.009", "2"): ".602 / .570",
    ("CARAFE-FPN", "SGD", "0.009", "2"): ".647 / .603",
    ("CARAFE-FPN", "SGD", "0.009", "5"): ".802 / .752 (bbox AP .566, AP75 .644)",
}


@pytest.fixture(autouse=True)
def repository_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def result(config=FPN, seed=0, shift=0.0, **changes):
    """A result without row facts, as older test runs wrote it: the config file says what the row is."""

    def summary(base):
        names = ("AP", "AP50", "AP75", "APs", "APm", "APl")
        return {name: round(base + 0.1 * i + shift, 4) for i, name in enumerate(names)}

    content = {
        "schema": 1,
        "config": config,
        "config_sha256": "c" * 64,
        "checkpoint": "epoch_2.pth",
        "checkpoint_sha256": f"{config}{seed}",
        "command": "python tools/test.py CONFIG CHECKPOINT --split val",
        "date": "2026-01-02",
        "machine": {"cpu": "Intel(R) Xeon(R)", "cores": 2, "gpu": None},
        "training": {"seed": seed, "epoch": 5 if "5e" in config else 2, "train_accuracy": 93.21 + shift},
        "dataset": "ccp" if "ccp" in config else "deepfashion",
        "split": "val",
        "images": 100 if "ccp" in config else 3111,
        "metrics": {"bbox": summary(0.3), "segm": summary(0.2)},
        "per_class": {
            "top": {"instances": 40, **{k: {"AP": 0.5 + shift, "AP50": 0.75} for k in ("bbox", "segm")}},
            "face": {"instances": 0, **{k: {"AP": None, "AP50": None} for k in ("bbox", "segm")}},
        },
    }
    return content | changes


def write(folder, *contents):
    """A work dir for each result."""
    for index, content in enumerate(contents):
        path = folder / f"run{index}" / "epoch_2.x-val.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def tables(text):
    """The Markdown tables of a text, each as a list of dicts by column name."""
    blocks = [block for block in text.split("\n\n") if block.startswith("| ")]
    parsed = []
    for block in blocks:
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        parsed.append([dict(zip(header, row, strict=True)) for row in rows])
    return parsed


def recipe(row):
    return tuple(row[key] for key in ("neck", "optimizer", "lr", "epochs"))


PAPER_COLUMN = "paper: bbox AP50 / segm AP50"


def test_a_row_has_what_the_run_wrote(tmp_path):
    text = ablation_table([write(tmp_path, result())])
    [[row]] = tables(text)
    assert recipe(row) == ("FPN", "SGD", "0.009", "2")
    assert [row[f"bbox {name}"] for name in ("AP", "AP50", "AP75")] == [".300", ".400", ".500"]
    assert [row[f"segm {name}"] for name in ("AP", "AP50", "AP75")] == [".200", ".300", ".400"]
    assert row["box-head train accuracy"] == "93.2 %"
    assert row[PAPER_COLUMN] == ".602 / .570"
    assert row["data"] == "deepfashion val, 3111 images, resized to fit 750x1101"
    assert (row["seed"], row["trained in"], row["tested on"]) == ("0", "float32", "2 cores, Intel Xeon")
    assert row["date"] == "2026-01-02"
    assert f"- #1, seed 0: `{FPN}` (sha256 cccccccccccc)" in text
    assert "`python tools/test.py CONFIG CHECKPOINT --split val`" in text


def test_all_rows_lists_the_papers_table_in_its_order(tmp_path):
    [rows] = tables(ablation_table([write(tmp_path, result(), result(HALF))], all_rows=True))
    ccp, *deepfashion = rows
    assert (ccp["data"], ccp[PAPER_COLUMN]) == ("ccp val, 100 images, resized to fit 550x550", "-")
    assert {recipe(row): row[PAPER_COLUMN] for row in deepfashion} == PAPER
    assert [recipe(row) for row in deepfashion] == list(PAPER)
    assert [row["bbox AP"] for row in deepfashion] == [*["not run here"] * 3, ".300", *["not run here"] * 2]


def test_the_papers_test_numbers_stand_beside_our_test_only(tmp_path):
    contents = [result(CARAFE, split="test", images=3809), result(FPN, split="test", images=3809)]
    fpn, carafe = tables(ablation_table([write(tmp_path, *contents)]))[0]
    assert fpn[PAPER_COLUMN] == "-"
    assert carafe[PAPER_COLUMN] == ".741 / - (bbox AP .504, AP75 .566)"


@pytest.mark.parametrize("changes", [{"dataset": "ccp", "images": 100}, {"images": 50}])
def test_numbers_on_other_images_say_that_they_are_not_comparable(tmp_path, changes):
    text = ablation_table([write(tmp_path, result(**changes))], all_rows=True)
    ours = next(row for row in tables(text)[0] if row["#"] == "1")
    assert ours[PAPER_COLUMN] == ".602 / .570 on DeepFashion val: other images, not comparable"
    assert sum(row["bbox AP"] == "not run here" for row in tables(text)[0]) == len(PAPER)
    assert "cannot be compared" in text


def test_an_unfinished_training_is_not_the_papers_row(tmp_path):
    [rows] = tables(ablation_table([write(tmp_path, result(CARAFE, training={"seed": 0, "epoch": 1}))], all_rows=True))
    ours = next(row for row in rows if row["#"] == "1")
    assert (ours["epochs"], ours[PAPER_COLUMN], ours["box-head train accuracy"]) == ("1 of 5", "-", "-")
    assert sum(row["bbox AP"] == "not run here" for row in rows) == len(PAPER)


def test_the_coco_pretrained_row_is_not_the_papers(tmp_path):
    name = "mask-rcnn_r50_fpn_coco-pretrained_sgd-lr0.009_2e_deepfashion"
    [[row]] = tables(ablation_table([write(tmp_path, result(name))]))
    assert row["neck"] == "FPN, from mask_rcnn_r50_fpn_1x_coco_20200205-d4b0c5d6.pth"
    assert row[PAPER_COLUMN] == "-"


def test_seeds_of_a_config_become_mean_and_range(tmp_path):
    contents = [result(seed=10, shift=0.05), result(seed=2), result(seed=0, shift=0.01), result(CARAFE)]
    text = ablation_table([write(tmp_path, *contents)], per_class=True)
    fpn, carafe = tables(text)[0]
    assert fpn["bbox AP"] == ".320 [.300, .350]"
    assert fpn["seed"] == "0, 2, 10 (n = 3)"
    assert carafe["bbox AP"] == ".300"
    assert text.count("- #1, ") == 3
    assert tables(text)[1][0]["#1 bbox AP"] == ".520 [.500, .550]"


@pytest.mark.parametrize("other", [{"config_sha256": "d" * 64}, {"split": "test", "images": 3809}])
def test_runs_that_differ_in_more_than_the_seed_stay_apart(tmp_path, other):
    assert len(tables(ablation_table([write(tmp_path, result(), result(seed=1, **other))]))[0]) == 2


def test_boundary_ap_has_columns_where_a_run_has_it(tmp_path):
    old, new = result(), result(CARAFE)
    new["metrics"]["boundary"] = {"AP": 0.15, "AP50": 0.25, "AP75": 0.05}
    new["per_class"]["top"]["boundary"] = {"AP": 0.12, "AP50": 0.34}
    text = ablation_table([write(tmp_path, old, new)], all_rows=True, per_class=True)
    rows, classes = tables(text)
    cells = {row["#"]: [row[f"boundary {name}"] for name in ("AP", "AP50", "AP75")] for row in rows if row["#"] != "-"}
    assert cells == {"1": ["-"] * 3, "2": [".150", ".250", ".050"]}
    assert (classes[0]["#1 boundary AP"], classes[0]["#2 boundary AP50"]) == ("-", ".340")
    assert "Boundary AP (Cheng" in text
    assert "Boundary AP" not in ablation_table([write(tmp_path / "old", old)])


def costs(**changes):
    """What tools/analysis/model_cost.py writes of the FPN row."""
    row = {"neck": "FPN", "backbone": "ResNet-50", "image_scale": [750, 1101]} | changes
    cost = {"parameters": 43_970_000, "gigaflop": 254.4, "image": [768, 1120], "row": row}
    return json.dumps({"schema": 1, "rows": {FPN: cost}})


def test_costs_among_the_results_are_joined_by_config(tmp_path):
    runs = [result(seed=0, images_per_second=0.5), result(seed=1, images_per_second=0.7), result(CARAFE)]
    folder = write(tmp_path, *runs)
    (folder / "model-cost.json").write_text(costs())
    text = ablation_table([folder, folder / "model-cost.json"])
    fpn, carafe = tables(text)[0]
    names = ("M parameters", "GFLOP an image", "test images/s")
    assert [fpn[name] for name in names] == ["44.0", "254", "0.60 [0.50, 0.70]"]
    assert [carafe[name] for name in names] == ["-"] * 3
    assert "s a step" not in fpn
    assert "a multiply-add as two" in text


def test_a_cost_of_another_model_under_the_same_name_is_not_joined(tmp_path):
    folder = write(tmp_path, result())
    (folder / "model-cost.json").write_text(costs(neck="CARAFE-FPN"))
    assert "GFLOP an image" not in tables(ablation_table([folder]))[0][0]
    (folder / "model-cost.json").write_text("[]")
    with pytest.raises(UserError, match=r"model-cost\.json is not what tools/analysis/model_cost\.py writes"):
        ablation_table([folder])


def test_a_checkpoint_found_twice_counts_once_by_its_latest_test(tmp_path):
    folder = write(tmp_path, result(date="2026-01-03", shift=0.1), result(date="2026-01-02"))
    [[row]] = tables(ablation_table([folder, folder / "run0" / "epoch_2.x-val.json"]))
    assert (row["bbox AP"], row["seed"]) == (".400", "0")


def test_classes_stand_side_by_side_for_rows_of_the_same_data(tmp_path):
    text = ablation_table([write(tmp_path, result(), result(CARAFE, shift=0.2), result(HALF))], per_class=True)
    _, ccp, deepfashion = tables(text)
    assert list(ccp[0]) == ["class", "instances", "#1 bbox AP", "#1 bbox AP50", "#1 segm AP", "#1 segm AP50"]
    top, face = deepfashion
    assert (top["instances"], top["#2 bbox AP"], top["#3 bbox AP"], top["#3 segm AP50"]) == (
        "40",
        ".500",
        ".700",
        ".750",
    )
    assert set(face.values()) == {"face", "0", "-"}


def test_rows_are_taken_from_the_result_where_it_has_them(tmp_path):
    row = collect([write(tmp_path, result())])[0]["row"]
    folder = write(tmp_path, result("renamed", row=row | {"learning_rate": 0.5, "precision": "bfloat16"}))
    [[line]] = tables(ablation_table([folder]))
    assert (line["lr"], line["trained in"]) == ("0.5", "bfloat16")


def test_other_json_in_a_work_dir_is_no_result(tmp_path):
    write(tmp_path, result())
    (tmp_path / "predictions.ccp-val.json").write_text("[]")
    (tmp_path / "20260101_000000.json").write_text('{"loss": 1}\n{"loss": 2}\n')
    assert len(collect([tmp_path])) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": 1, ', r"epoch_2\.x-val\.json is not whole JSON"),
        (result(schema=7), r"epoch_2\.x-val\.json is not a result file of schema 1 \(its schema: 7\)"),
        (result(task="pose"), r"task 'pose'; there are tables of segmentation"),
        ({k: v for k, v in result().items() if k != "metrics"}, "lacks metrics"),
        (result("gone"), r"no file under configs is called gone\.py"),
        ([], "no result file in"),
    ],
)
def test_bad_results_are_named(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        ablation_table([write(tmp_path, content)])


def test_a_named_file_must_be_a_result(tmp_path):
    (tmp_path / "predictions.json").write_text("[]")
    with pytest.raises(UserError, match=r"predictions\.json is not a result file of schema 1"):
        ablation_table([tmp_path / "predictions.json"])
    with pytest.raises(UserError, match="nowhere does not exist"):
        ablation_table([tmp_path / "nowhere"])


def test_another_task_gets_a_table_of_its_own(tmp_path, monkeypatch):
    tryon = ablation.TaskTable(("fid",), lambda results, *_: f"FID of {len(results)}: {results[0]['fid']}")
    monkeypatch.setitem(ablation.TABLES, "tryon", tryon)
    contents = [result(), {**result(seed=1), "task": "tryon", "fid": 18.9, "row": {"epochs": 1}}]
    text = ablation_table([write(tmp_path, *contents)])
    assert len(tables(text)[0]) == 1
    assert text.endswith("\n\nFID of 1: 18.9\n")
