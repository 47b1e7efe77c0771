"""The sweep's tables: rows by the weights that the results record, whatever their files are called."""

import pytest

from seg_vton.analysis.sweep_table import render


def result(stage="gmm", loss=1.0, classes=None, seed=0, **metrics):
    """A test's result, as far as the table reads it; `loss=None` is a row without a decoder."""
    head = None if loss is None else {"label_space": "tryon8", "class_weight": classes, "loss_weight": loss}
    facts = {"stage": stage, "aux_head": head, "iterations": 1000, "image_size": [128, 96]}
    facts |= {"precision": "float32"}
    skin = {} if head is None else {"skin": {"pixels": 9, "IoU": 0.5 + 0.1 * seed}}
    config = f"{stage}_{'cp-vton' if head is None else 'aux-seg'}"
    test = {"config": config, "dataset": "paper-doll", "split": "test", "pairs": "paired"}
    return {"row": facts, **test, "training": {"seed": seed}, "metrics": metrics, "per_class": skin}


def parse(text):
    tables = []
    for block in (block for block in text.split("\n\n") if block.startswith("|")):
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        tables.append([dict(zip(header, row, strict=True)) for row in rows])
    return tables


BOTH = {"background": 1.5, "skin": 1.5}


def test_rows_rise_by_weight_and_seeds_are_one_row():
    metrics = {"warped-mask IoU": 0.65, "warped-garment L1": 0.12}
    results = [
        result(loss=10.0, classes=BOTH, mIoU=0.7, **metrics),
        result(loss=0.1, classes=BOTH, mIoU=0.3, **metrics),
        result(loss=0.1, classes=BOTH, seed=1, mIoU=0.4, **metrics),
        result(loss=1.0, classes={"background": 3, "skin": 3}, mIoU=0.6, **metrics),
        result(loss=1.0, mIoU=0.5, **metrics),
        result(loss=1, mIoU=0.5, seed=1, **metrics),
        result(loss=None, **metrics),
    ]
    [rows] = parse(render(results))
    assert [row["GMM: weight of the loss"] for row in rows] == ["0", "0.1", "1", "1", "10"]
    assert [row["class weights"] for row in rows] == [
        *("no decoder", "background 1.5, skin 1.5", "all 1", "background 3, skin 3", "background 1.5, skin 1.5")
    ]
    assert [row["mIoU"] for row in rows] == ["-", ".350 [.300, .400]", ".500 [.500, .500]", ".600", ".700"]
    assert rows[1]["seeds"] == "0, 1 (n = 2)"
    assert rows[1]["IoU of skin"] == ".550 [.500, .600]"
    assert {row["warped-garment L1"] for row in rows if row["seeds"] == "0"} == {"0.1200"}


def test_each_stage_has_its_own_measures():
    gmm, tom = parse(render([result("tom", SSIM=0.6, PSNR=16.0), result("gmm", **{"warped-mask IoU": 0.6})]))
    assert "SSIM" not in gmm[0]
    assert (tom[0]["SSIM"], tom[0]["PSNR"]) == (".600", "16.00")
    assert "MS-SSIM" not in tom[0]  # too small images have none


@pytest.mark.parametrize("change", [{"iterations": 3000}, {"image_size": [256, 192]}, {"precision": "bfloat16"}])
def test_trainings_that_differ_in_more_than_the_seed_stay_apart(change):
    other = result(mIoU=0.5, seed=1)
    other["row"] |= change
    assert len(parse(render([result(mIoU=0.5), other]))[0]) == 2


def test_a_sentence_says_how_much_the_weights_matter_beside_the_seeds():
    losses = {0.1: (0.60, 0.64), 1.0: (0.70, 0.71), 10.0: (0.66, 0.66)}
    results = [
        result(loss=loss, seed=seed, mIoU=value, **{"warped-mask IoU": 0.5})
        for loss, values in losses.items()
        for seed, value in enumerate(values)
    ]
    plain = [result(loss=None, **{"warped-mask IoU": 0.1})]
    sentence = render(results + plain).split("\n\n")[1]
    assert sentence == (
        "Among GMM's rows with a decoder the weights move warped-mask IoU by .000 (.500 to .500, seeds of one row by "
        "up to .000); mIoU by .085 (.620 to .705, seeds of one row by up to .040)."
    )
    assert "Among" not in render([results[0], *plain])
