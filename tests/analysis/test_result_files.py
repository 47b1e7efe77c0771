import argparse
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seg_vton.analysis import contrast, results, tables
from seg_vton.errors import UserError

ROOT = Path(__file__).parents[2]


def segmentation(config="fpn", seed=0, ap=0.3, neck="FPN", **changes):
    """A result as tools/test.py writes it."""
    content = {
        "schema": 1,
        "config": config,
        "config_sha256": config * 4,
        "row": {
            **{"optimizer": "SGD", "learning_rate": 0.009, "epochs": 2, "iterations": None, "neck": neck},
            **{"detector_weights": None, "test_time_augmentation": False, "image_scale": [750, 1101]},
            **{"precision": "float32", "backbone": "ResNet-50"},
        },
        "checkpoint": "epoch_2.pth",
        "checkpoint_sha256": f"{config}{seed}",
        "command": "python tools/test.py CONFIG CHECKPOINT",
        "date": "2026-01-02",
        "machine": {"cpu": "Intel(R) Xeon(R)", "cores": 2, "gpu": None},
        "training": {"seed": seed, "epoch": 2},
        "dataset": "deepfashion",
        "split": "val",
        "images": 3111,
        "metrics": {"bbox": {"AP": ap, "AP50": ap + 0.1}, "segm": {"AP": ap - 0.1, "AP50": ap}},
        "per_class": {
            "top": {"instances": 40, "bbox": {"AP": ap}, "segm": {"AP": ap}},
            "face": {"instances": 0, "bbox": {"AP": None}, "segm": {"AP": None}},
        },
    }
    return content | changes


def tryon(config="tom_cp-vton", seed=0, ssim=0.6, aux=False, warper="a", images=(0.5, 0.7), **changes):
    content = segmentation(config, seed) | {
        **{"task": "tryon", "stage": "tom", "pairs": "paired", "image_size": [256, 192], "dataset": "viton"},
        **{"split": "test", "images": 2032, "training": {"seed": seed, "iterations": 10}},
        "warper": {"config": "gmm", "checkpoint": "iter_1.pth", "checkpoint_sha256": f"{warper}{seed}"},
        "metrics": {"SSIM": ssim, "PSNR": 14.5},
        "per_class": {},
        "per_image": {"names": ["x", "y"], "SSIM": list(images)},
        "convention": {"SSIM": "an 11 x 11 window"},
        "not_reported": {"FID": "it needs a file"},
        "row": {
            **{"stage": "tom", "aux": aux, "aux_head": None, "iterations": 10, "warper": "gmm", "warper_aux": False},
            **{"maps": "files", "known_warps": False, "precision": "float32"},
        },
    }
    return content | changes


def label_map(kind, iou):
    """A result as tools/analysis/label_map_iou.py writes it."""
    how = {"map": kind, "score_thr": 0.3, "one_per_class": True, "fill_holes": True}
    return segmentation("panoptic", neck="panoptic FPN") | {
        **{"task": "parsing", "convention": how, "converted": {}, "metrics": {"mIoU": iou, "boundary_mIoU": iou / 2}},
        "split": "val-label-map" + ("" if kind == "fused" else f"-{kind}"),
        "per_class": {"top": {"iou": iou, "pixels": 9}},
    }


def write(folder, *contents):
    for index, content in enumerate(contents):
        path = folder / f"run{index}" / "epoch_2.x-val.json"
        path.parent.mkdir(parents=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def read(text):
    """The Markdown tables of a text, each as a list of dicts by column name."""
    found = []
    for block in (block for block in text.split("\n\n") if block.startswith("| ")):
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        found.append([dict(zip(header, row, strict=True)) for row in rows])
    return found


def table(*arguments):
    parser = argparse.ArgumentParser()
    tables.add_arguments(parser)
    return tables.render(parser.parse_args([str(argument) for argument in arguments]))


def test_seeds_of_a_row_share_a_line(tmp_path):
    text = table(write(tmp_path, segmentation(ap=0.3), segmentation(seed=1, ap=0.5)), "--per-class")
    [row], classes = read(text)
    assert (row["row"], row["bbox AP"], row["seeds"]) == ("FPN", ".400 [.300, .500]", "0, 1 (n = 2)")
    assert (row["lr"], row["epochs"], row["tested on"]) == ("0.009", "2", "2 cores, Intel Xeon")
    assert row["paper"] == "bbox AP50 .602, segm AP50 .570"
    assert classes[0] == {"class": "top", "instances": "40", "#1 bbox AP": row["bbox AP"], "#1 segm AP": row["bbox AP"]}
    assert classes[1]["#1 bbox AP"] == "-"
    assert "`python tools/test.py CONFIG CHECKPOINT`" in text


def test_a_decoder_of_ones_own_is_not_the_papers_row(tmp_path):
    def run(config, stage="tom", aux=False, warper_aux=False, **head):
        head = {"label_space": None, "class_weight": None, "loss_weight": None} | head if aux else None
        row = tryon()["row"] | {"stage": stage, "aux": aux, "warper_aux": warper_aux, "aux_head": head}
        return tryon(config, stage="tom" if stage == "tom" else "gmm", row=row)

    own, odd = "LinearSegHead", {"class_weight": {"skin": 2, "face": "auto"}, "loss_weight": "auto"}
    runs = [
        run("papers", aux=True, warper_aux=True),
        run("on-own", aux=True, warper_aux=own, label_space="tryon8"),
        run("own", aux=own, warper_aux=True, class_weight=[1, 2], loss_weight=0.5),
        run("own-gmm", "gmm", own, label_space="body4", **odd),
        run("own-stage", "MyGMM"),
    ]
    text = table(write(tmp_path, *runs))
    lines = {line["row"]: line for block in read(text) for line in block}
    assert {name: line.get("auxiliary decoder") for name, line in lines.items()} == {
        "auxiliary learning in GMM and TOM": "AuxSegHead",
        "on-own": "tryon8",
        "own": "LinearSegHead; loss x0.5",
        "own-gmm": "LinearSegHead, body4, skin x2",
        "own-stage": "-",
    }
    assert [name for name, line in lines.items() if line.get("paper", "-") != "-"] == [
        "auxiliary learning in GMM and TOM"
    ]


def test_a_number_that_one_run_lacks_is_a_dash(tmp_path):
    lacking = segmentation(seed=1, metrics={"bbox": {"AP": 0.2}})
    [[first, _]] = read(table(write(tmp_path, segmentation(), lacking, segmentation("other", neck="CARAFE-FPN"))))
    assert (first["bbox AP"], first["bbox AP50"]) == (".250 [.200, .300]", "-")


def test_the_papers_rows_stand_in_its_order(tmp_path):
    [rows] = read(table(write(tmp_path, segmentation()), "--all-rows"))
    assert [row["paper"] for row in rows][:3] == [f"bbox AP50 {b}, segm AP50 {s}" for b, s in (
        (".238", ".205"), (".595", ".568"), (".599", ".574"))]  # fmt: skip
    assert [row["seeds"] for row in rows] == [*["not run here"] * 3, "0", *["not run here"] * 2]


def test_an_architecture_stands_before_its_variants(tmp_path):
    necks = {"b": "panoptic FPN", "a": "panoptic CARAFE-FPN, CARAFE in the branch", "c": "CARAFE-FPN"}
    runs = results.read_runs([write(tmp_path, *(segmentation(config, neck=neck) for config, neck in necks.items()))])
    assert list(runs["config"]) == ["c", "b", "a"]


@pytest.mark.parametrize("changes", [{"dataset": "ccp"}, {"images": 50}])
def test_numbers_on_other_images_say_that_they_do_not_compare(tmp_path, changes):
    [[row]] = read(table(write(tmp_path, segmentation(**changes))))
    assert row["paper"].endswith("on DeepFashion: other images, not comparable")


def test_an_unfinished_training_stands_beside_no_paper(tmp_path):
    [[row]] = read(table(write(tmp_path, segmentation(training={"seed": 0, "epoch": 1}))))
    assert row["epochs"] == "1 of 2" and "paper" not in row


def test_the_latest_test_of_a_checkpoint_counts(tmp_path):
    runs = results.read_runs([write(tmp_path, segmentation(date="2026-01-03"), segmentation(ap=0.9))])
    assert list(runs["bbox AP"]) == [0.3]


def test_another_test_of_a_checkpoint_is_another_row(tmp_path):
    low, high = label_map("fused", 0.4), label_map("fused", 0.5)
    low["convention"] = low["convention"] | {"score_thr": 0.5}
    warps = [tryon(warper="a", ssim=0.6), tryon(warper="b", ssim=0.8)]
    runs = results.read_runs([write(tmp_path, low, high, *warps)])
    assert sorted(runs["mIoU"].dropna()) == [0.4, 0.5] and sorted(runs["SSIM"].dropna()) == [0.6, 0.8]
    assert list(runs["#"]) == [1, 2, 1, 2]


def test_results_of_before_american_spelling(tmp_path):
    old = segmentation()
    old["row"]["optimiser"] = old["row"].pop("optimizer")
    assert read(table(write(tmp_path, old)))[0][0]["optimizer"] == "SGD"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not whole JSON"),
        (segmentation(schema=0), "schema 1"),
        (segmentation(task="depth"), "'depth'"),
        ({key: value for key, value in segmentation().items() if key != "metrics"}, "lacks metrics"),
        (segmentation(training=None), "lacks training or has something else there"),
        (segmentation(row={}), "lacks row.optimizer, "),
        (tryon(row={"stage": "tom"}), "lacks row.aux, "),
        (segmentation(per_class={"top": 0.5}), "lacks per_class.top"),
    ],
)
def test_what_is_no_result_is_named(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        results.read_runs([write(tmp_path, content)])
    (tmp_path / "number.json").write_text("3")
    with pytest.raises(UserError, match="schema 1"):
        table(tmp_path / "number.json")


def test_nothing_and_nowhere(tmp_path):
    (tmp_path / "predictions.x-val.json").write_text("[]")
    for path, message in ((tmp_path, "no result file"), (tmp_path / "absent", "does not exist")):
        with pytest.raises(UserError, match=message):
            results.read_runs([path])


def test_costs_join_unless_options_made_another_model(tmp_path):
    write(tmp_path, segmentation(), segmentation("other"))
    row = {key: segmentation()["row"][key] for key in ("neck", "backbone", "image_scale")}
    rows = {"fpn": {"parameters": 44e6, "gigaflop": 212.3, "row": row}}
    rows["other"] = rows["fpn"] | {"row": row | {"neck": "CARAFE-FPN"}}
    (tmp_path / "model-cost.json").write_text(json.dumps({"schema": 1, "rows": rows}))
    runs = results.read_runs([tmp_path]).set_index("config")
    assert runs.loc["fpn", "M parameters"] == 44 and runs.loc["other", "M parameters"] is None


def test_a_tom_row_has_seeds_of_its_warper(tmp_path):
    [[row]] = read(table(write(tmp_path, tryon(), tryon(seed=1, ssim=0.7))))
    assert (row["row"], row["SSIM"]) == ("CP-VTON", ".650 [.600, .700]")
    assert row["paper"] == "FID 20.31, SSIM .698, MS-SSIM .744, PSNR 14.54"
    assert "FID" not in row
    assert "- FID (#1): it needs a file" in table(tmp_path)


def test_the_paper_has_no_row_of_another_person_representation(tmp_path):
    other = tryon()
    other["row"]["person_channels"] = 21
    [[row]] = read(table(write(tmp_path, other)))
    assert (row["row"], row.get("paper", "-")) == ("person representation of 21 channels", "-")


def test_a_metric_of_ones_own_has_a_column(tmp_path):
    mine = tryon(metrics={"SSIM": 0.6, "my metric": 0.25})
    assert read(table(write(tmp_path, mine)))[0][0]["my metric"] == ".250"


def test_a_metric_of_ones_own_says_how_it_was_computed_and_may_be_a_text(tmp_path):
    mine = tryon(metrics={"SSIM": 0.6, "my metric": 0.25, "note": "fine"}, convention={"my metric": "by eye"})
    text = table(write(tmp_path, mine))
    assert "- my metric (#1): by eye" in text and "note" not in read(text)[0][0]


def test_what_old_results_lack_stands_in_the_others(tmp_path):
    old = tryon()
    del old["row"]["maps"]
    rows = read(table(write(tmp_path, old, tryon("tom_aux-seg", aux=True))))[0]
    assert [row["trained with"] for row in rows] == ["-", "the labels' maps, float32"]


def test_an_iteration_of_an_unfinished_training_is_told(tmp_path):
    run = segmentation(training={"seed": 0, "iterations": 500})
    run["row"] |= {"epochs": None, "iterations": 1000}
    assert read(table(write(tmp_path, run)))[0][0]["epochs"] == "500 of 1000 iterations"


def test_every_truth_has_its_table_by_class(tmp_path):
    spaces = [{"skin": {"pixels": 3, "IoU": 0.5}}, {"arm": {"pixels": 2, "IoU": 0.4}}]
    runs = [tryon(f"tom_{i}", aux=True, per_class=classes) for i, classes in enumerate(spaces)]
    _, *classes = read(table(write(tmp_path, *runs), "--per-class"))
    assert classes == [
        [{"class": "skin", "pixels": "3", "#1 IoU": ".500"}],
        [{"class": "arm", "pixels": "2", "#2 IoU": ".400"}],
    ]


def test_names_of_rows_on_exported_warps_tell_the_decoder():
    run = tryon(aux=True)
    run["row"] |= {"warper": "exported warps", "warper_aux": None}
    assert results.row_name(run) == "TOM on exported warps, decoder"


def test_the_maps_of_a_network_stand_together(tmp_path):
    maps = [label_map("fused", 0.5), label_map("semantic", 0.4), label_map("instances", 0.3)]
    rows, classes = read(table(write(tmp_path, *maps), "--per-class"))
    assert [(row["label maps from"], row["mIoU"], row["boundary_mIoU"]) for row in rows] == [
        ("semantic map, accessories: best of each class, score 0.3", ".500", ".250"),
        ("best of each class, score 0.3, holes filled", ".300", ".150"),
        ("semantic map", ".400", ".200"),
    ]
    assert classes == [{"class": "top", "pixels": "9", "#1 IoU": ".500", "#2 IoU": ".300", "#3 IoU": ".400"}]


def test_what_few_rows_have_is_in_their_names(tmp_path):
    run = segmentation(task="segmentation")
    run["row"] |= {"augmentation": ["RandomResize"], "instance_masks": "mean", "class_weight": [1, 2]}
    assert results.row_name(run) == "FPN, weighted classes, masks: mean, RandomResize"


def test_small_tables_and_choices(tmp_path):
    folder = write(tmp_path, segmentation(), segmentation("carafe", neck="CARAFE-FPN"))
    [rows] = read(table(folder, "--metrics", "segm AP", "top bbox AP"))
    assert [list(row.values()) for row in rows] == [["FPN", ".200", ".300", "0"], ["CARAFE-FPN", ".200", ".300", "0"]]
    assert len(read(table(folder, "--where", "config=carafe"))[0]) == 1
    for wrong in (["--metrics", "SSIM"], ["--where", "neck=x"], ["--where", "config=x"]):
        with pytest.raises(UserError):
            table(folder, *wrong)


def test_options_without_a_meaning_are_refused(tmp_path, monkeypatch):
    change = ["--changes", "fpn:fpn"]
    for wrong in (["--per-class", "--metrics", "segm AP"], ["--per-class", *change], ["--all-rows", *change]):
        with pytest.raises(UserError, match="--per-class goes with neither"):
            table(write(tmp_path / "-".join(wrong), segmentation()), *wrong)
    for path in ("docs/results/benchmark_cpu.json", "docs/results/scoring", "docs/results/faults"):
        with pytest.raises(UserError, match="--where alone"):
            table(ROOT / path, "--metrics", "SSIM")
    monkeypatch.setattr(sys, "argv", ["ablation_table.py", "--fill", "README.md", "--per-class"])
    with pytest.raises(SystemExit, match="--fill takes no other option"):
        runpy.run_path(str(ROOT / "tools/analysis/ablation_table.py"), run_name="__main__")


def test_a_small_table_of_several_data_sets_names_none_in_its_header(tmp_path):
    [rows] = read(table(write(tmp_path, tryon(), tryon("tom_z", dataset="ccp")), "--metrics", "SSIM"))
    assert [(row["row"], row["data"].split()[0]) for row in rows] == [("CP-VTON", "ccp"), ("CP-VTON", "viton")]


def test_runs_are_chosen_by_seed_where_one_has_none(tmp_path):
    folder = write(tmp_path, segmentation(), segmentation("bare", training={}))
    assert [row["seeds"] for row in read(table(folder, "--where", "seed=0"))[0]] == ["0"]


def test_scores_are_chosen_too():
    [rows] = read(table(ROOT / "docs/results/scoring", "--where", "protocol=1-rgb-bilinear"))
    assert {row["protocol"] for row in rows} == {"1-rgb-bilinear"}


def test_changes_pair_runs_that_share_their_gmm(tmp_path):
    before = [tryon(seed=seed, ssim=ssim) for seed, ssim in ((0, 0.60), (1, 0.65))]
    after = [tryon("tom_aux-seg", seed, ssim, aux=True, images=(0.6, 0.9)) for seed, ssim in ((0, 0.61), (1, 0.69))]
    [[change, images, paper]] = read(table(write(tmp_path, *before, *after), "--changes", "it=tom_cp-vton:tom_aux-seg"))
    assert (change["change"], change["seeds"]) == ("it", "2 and 2")
    assert (change["SSIM"], change["seeds agree in"]) == ("+.025 [+.010, +.040]", "SSIM")
    assert images["SSIM"] == "[+.100, +.200]"  # of differences .1 and .2
    assert paper["SSIM"] == "+.003"
    other = [tryon("tom_aux-seg", seed, 0.64, aux=True, warper="b") for seed in (0, 1)]
    [[change, *_]] = read(table(write(tmp_path / "b", *before, *other), "--changes", "tom_cp-vton:tom_aux-seg"))
    assert (change["SSIM"], change["seeds agree in"]) == ("+.015 [-.010, +.040]", "none")


def test_changes_of_what_was_not_run_is_ambiguous_or_of_other_images(tmp_path):
    runs = [segmentation("carafe"), segmentation("carafe", 1, split="test"), segmentation("other", dataset="ccp")]
    folder = write(tmp_path, segmentation(), *runs)
    for change, message in (
        ("fpn:nowhere", "no result of nowhere"),
        ("fpn:carafe", "several rows"),
        ("fpn:other", "tested on segmentation, deepfashion, val, 3111 images, but on segmentation, ccp, val"),
    ):
        with pytest.raises(UserError, match=message):
            table(folder, "--changes", change)
    with pytest.raises(UserError, match="no run has segm AP5"):
        table(folder, "--changes", "fpn:fpn", "--metrics", "segm AP5")


def test_a_pair_that_was_tested_twice_has_no_interval(tmp_path):
    runs = [tryon(name, aux=aux) for name, aux in (("tom_cp-vton", False), ("tom_aux-seg", True))]
    for run in runs:
        run["per_image"]["names"] = ["x", "x"]
    [[change, paper]] = read(table(write(tmp_path, *runs), "--changes", "it=tom_cp-vton:tom_aux-seg"))
    assert (change["change"], paper["change"]) == ("it", "it: the paper's own")


def test_the_interval_over_images_is_the_bootstraps():
    rng = np.random.default_rng(3)
    names, before = [f"{i}" for i in range(400)], rng.normal(0, 1, 400)
    after = before + rng.normal(0.1, 1, 400)
    frames = [
        pd.DataFrame({"content": [{"per_image": {"names": names, "SSIM": list(values)}}]}) for values in (before, after)
    ]
    low, high = contrast.interval(*frames, "SSIM")
    mean, error = (after - before).mean(), (after - before).std() / 20
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.2 * error)


def test_fill_replaces_tables_and_nothing_else(tmp_path):
    write(tmp_path / "runs", segmentation())
    page = tmp_path / "page.md"
    page.write_text('before\n\n<!-- table: runs --metrics "segm AP" -->\nold\n<!-- /table -->\n\nafter\n')
    tables.fill(page)
    text = page.read_text()
    assert text.startswith("before\n\n<!-- table: runs") and text.endswith("<!-- /table -->\n\nafter\n")
    assert "old" not in text and read(text)[0][0]["segm AP"] == ".200"
    tables.fill(page)
    assert page.read_text() == text
    for wrong, message in (
        (b"nothing", "in pairs"),
        (b"<!-- table: runs -->\n", "in pairs"),
        (b"<!-- table: runs --metrics 'segm AP -->\n<!-- /table -->", "No closing quotation"),
        (b"<!-- table: --metrics -->\n<!-- /table -->", "cannot be read"),
        (b"\xff", "not text in UTF-8"),
    ):
        page.write_bytes(wrong)
        with pytest.raises(UserError, match=message):
            tables.fill(page)


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{name}.md" for name in ("results", "benchmarks", "reliability", "scoring"))]
)
def test_the_documents_have_the_tables_of_the_stored_results(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- table: " in text
    assert tables.filled(text, (ROOT / page).parent) == text
