import json

import pytest

import seg_vton  # noqa: F401  before mmdet
from seg_vton.analysis.ablation import ablation_table
from seg_vton.errors import UserError

HEAD = {"label_space": "tryon8", "class_weight": {"background": 1.5, "skin": 1.5}, "loss_weight": 1.0}
PLAIN, TOM_ONLY, BOTH = (False, False), (False, True), (True, True)
SMALL = "images of 128 x 96 are too small for it"
PAPER_COLUMN = "paper: FID / SSIM / MS-SSIM / PSNR"
# Ayush et al., ICCV Workshops 2019.
PAPER = {
    "CP-VTON": "20.31 / .698 / .744 / 14.54",
    "auxiliary learning in TOM": "19.87 / .701 / .750 / 14.64",
    "auxiliary learning in GMM and TOM": "18.93 / .712 / .767 / 15.19",
}


def result(aux=PLAIN, seed=0, shift=0.0, stage="tom", metrics=None, **changes):
    """What `tools/test.py` writes: `aux` says whether GMM and TOM have the decoder."""
    gmm = "gmm_aux-seg" if aux[0] else "gmm_cp-vton"
    own = aux[1] if stage == "tom" else aux[0]
    config = {PLAIN: "tom_cp-vton", TOM_ONLY: "tom_aux-seg_gmm-cp-vton", BOTH: "tom_aux-seg"}.get(aux, "tom_other")
    row = {"stage": stage, "aux": own, "aux_head": HEAD if own else None, "image_size": [128, 96], "iterations": 2000}
    row |= {"precision": "float32", "maps": "files", "known_warps": False}
    if stage == "tom":
        row |= {"warper": gmm, "warper_aux": aux[0]}
        numbers = {"SSIM": 0.7, "PSNR": 15.0, "warped-mask IoU": 0.8} | ({"mIoU": 0.6} if own else {})
    else:
        numbers = {"warped-mask IoU": 0.8, "warped-garment L1": 0.05} | ({"mIoU": 0.6} if own else {})
    missing = {"FID": "it needs a file", "MS-SSIM": SMALL} | ({} if own else {"mIoU": "no auxiliary head"})
    numbers = {name: value + shift for name, value in numbers.items()} if metrics is None else metrics
    content = {
        "schema": 1,
        "task": "tryon",
        "stage": stage,
        "config": config if stage == "tom" else gmm,
        "config_sha256": f"{seed}" * 64,
        "row": row,
        "checkpoint": "iter_2000.pth",
        "checkpoint_sha256": f"{stage}{aux}{seed}",
        "command": "python tools/test.py CONFIG CHECKPOINT",
        "date": "2026-01-02",
        "machine": {"cpu": "Intel(R) Xeon(R)", "cores": 2, "gpu": None},
        "training": {"seed": seed, "epoch": 0, "iterations": 2000},
        "dataset": "paper-doll",
        "split": "test",
        "images": 200,
        "image_size": [128, 96],
        "pairs": "paired",
        "label_space": "tryon8",
        "metrics": numbers,
        "not_reported": {name: reason for name, reason in missing.items() if name not in numbers},
        "per_class": {"skin": {"pixels": 50, "IoU": 0.5 + shift}, "lower": {"pixels": 0, "IoU": None}} if own else {},
        "convention": {"images": "200 images, paired", **{name: f"how {name} is computed" for name in numbers}},
    }
    if stage == "tom":
        warper = {"config": gmm, "checkpoint": "iter_3000.pth", "checkpoint_sha256": f"{seed}abc"}
        content["warper"] = warper
    return content | changes


def write(folder, *contents):
    for index, content in enumerate(contents):
        path = folder / f"run{index}" / "iter_2000.paper-doll-test.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def tables(text):
    """The Markdown tables of a text, each as a list of dicts by column name."""
    parsed = []
    for block in (block for block in text.split("\n\n") if block.startswith("| ")):
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        parsed.append([dict(zip(header, row, strict=True)) for row in rows])
    return parsed


def test_the_three_rows_stand_in_the_papers_order_with_mean_and_spread_over_seeds(tmp_path):
    runs = [result(aux, seed, shift) for aux in (BOTH, PLAIN, TOM_ONLY) for seed, shift in ((1, 0.02), (0, 0.0))]
    [rows] = tables(ablation_table([write(tmp_path, *runs)]))
    assert [(row["row"], row["GMM"], row["TOM"]) for row in rows] == [
        ("CP-VTON", "gmm_cp-vton", "tom_cp-vton"),
        ("auxiliary learning in TOM", "gmm_cp-vton", "tom_aux-seg_gmm-cp-vton"),
        ("auxiliary learning in GMM and TOM", "gmm_aux-seg", "tom_aux-seg"),
    ]
    first, *others = rows
    assert first["SSIM"] == ".710 [.700, .720]"
    assert first["PSNR"] == "15.01 [15.00, 15.02]"
    assert first["warped-mask IoU"] == ".810 [.800, .820]"
    assert (first["FID"], first["MS-SSIM"], first["mIoU"], first["auxiliary decoder"]) == ("-",) * 4
    assert [row["mIoU"] for row in others] == [".610 [.600, .620]"] * 2
    assert others[0]["auxiliary decoder"] == "tryon8, background x1.5, skin x1.5; loss x1"
    assert (first["seed"], first["iterations"]) == ("0, 1 (n = 2)", "2000")
    assert first["data"] == "paper-doll test, 200 images of 128 x 96, paired"


def test_the_papers_numbers_stand_beside_and_say_that_they_are_of_other_images(tmp_path):
    [rows] = tables(ablation_table([write(tmp_path, *(result(aux) for aux in (PLAIN, TOM_ONLY, BOTH)))]))
    on_viton = " on VITON: other images, not comparable"
    assert {row["row"]: row[PAPER_COLUMN] for row in rows} == {name: text + on_viton for name, text in PAPER.items()}


def test_on_vitons_test_set_they_can_be_compared(tmp_path):
    viton = dict(dataset="viton", images=2032, image_size=[256, 192])
    full = {"FID": 19.123, "SSIM": 0.71, "MS-SSIM": 0.75, "PSNR": 15.456, "mIoU": 0.6, "warped-mask IoU": 0.9}
    text = ablation_table([write(tmp_path, result(BOTH, metrics=full, **viton))], all_rows=True)
    ours, *left = tables(text)[0]
    assert (ours[PAPER_COLUMN], ours["FID"], ours["MS-SSIM"]) == (
        PAPER["auxiliary learning in GMM and TOM"],
        "19.12",
        ".750",
    )
    assert [(row["row"], row["FID"], row[PAPER_COLUMN]) for row in left] == [
        (name, "not run here", PAPER[name]) for name in list(PAPER)[:2]
    ]


@pytest.mark.parametrize("change", [{"images": 100}, {"pairs": "unpaired"}, {"image_size": [128, 96]}])
def test_part_of_viton_or_unpaired_garments_cannot(tmp_path, change):
    viton = dict(dataset="viton", images=2032, image_size=[256, 192])
    [[row]] = tables(ablation_table([write(tmp_path, result(PLAIN, **viton | change))]))
    assert row[PAPER_COLUMN].endswith("not comparable")


def test_other_combinations_and_unfinished_trainings_are_not_the_papers(tmp_path):
    unfinished = result(PLAIN, training={"seed": 0, "iterations": 500})
    rows = tables(ablation_table([write(tmp_path, result((True, False)), unfinished)]))[0]
    by_name = {row["row"]: row for row in rows}
    assert by_name["auxiliary learning in GMM"][PAPER_COLUMN] == "-"
    assert (by_name["CP-VTON"][PAPER_COLUMN], by_name["CP-VTON"]["iterations"]) == ("-", "500 of 2000")


def test_the_convention_stands_under_the_table_with_what_is_missing_and_why(tmp_path):
    text = ablation_table([write(tmp_path, result(PLAIN), result(BOTH))])
    assert "- images: 200 images, paired" in text
    assert "- SSIM: how SSIM is computed" in text
    assert "- mIoU: #2: how mIoU is computed" in text
    assert f"- MS-SSIM: {SMALL}" in text
    assert "- mIoU: #1: no auxiliary head" in text
    assert "does not say by which convention" in text


def test_runs_of_different_conventions_or_recipes_are_not_averaged(tmp_path):
    other = result(seed=1)
    other["convention"] = {**other["convention"], "SSIM": "another window"}
    recipe = result(seed=2)
    recipe["row"] = {**recipe["row"], "recipe": "another"}
    text = ablation_table([write(tmp_path, result(), other, recipe)])
    assert [row["seed"] for row in tables(text)[0]] == ["0", "1", "2"]
    assert "- SSIM: #1, #3: how SSIM is computed" in text
    assert "- SSIM: #2: another window" in text


def test_gmms_have_a_table_of_their_own(tmp_path):
    runs = [result(BOTH), result(BOTH, stage="gmm"), result(PLAIN, stage="gmm")]
    toms, gmms = tables(ablation_table([write(tmp_path, *runs)]))
    assert [row["#"] for row in toms + gmms] == ["1", "2", "3"]
    assert [(row["row"], row["GMM"]) for row in gmms] == [
        ("CP-VTON", "gmm_cp-vton"),
        ("auxiliary learning in GMM", "gmm_aux-seg"),
    ]
    assert [row["warped-garment L1"] for row in gmms] == ["0.0500"] * 2
    assert "SSIM" not in gmms[0]


def test_classes_are_listed_by_iou(tmp_path):
    text = ablation_table([write(tmp_path, result(BOTH), result(PLAIN), result(TOM_ONLY, shift=0.1))], per_class=True)
    classes = tables(text)[1]
    assert classes[0] == {"class": "skin", "pixels": "50", "#2 IoU": ".600", "#3 IoU": ".500"}
    assert (classes[1]["pixels"], classes[1]["#2 IoU"]) == ("0", "-")


def test_lpips_has_a_column_where_it_was_measured(tmp_path):
    metrics = {"SSIM": 0.7, "LPIPS": 0.1234}
    text = ablation_table([write(tmp_path, result(metrics=metrics), result(BOTH))])
    assert [row["LPIPS"] for row in tables(text)[0]] == [".123", "-"]
    assert "- LPIPS: #1: how LPIPS is computed" in text


def test_sources_name_the_warper_too(tmp_path):
    text = ablation_table([write(tmp_path, result(seed=3))])
    assert "- #1, seed 3: `tom_cp-vton` (sha256 333333333333), `iter_2000.pth`" in text
    assert "warped by `gmm_cp-vton`, `iter_3000.pth` (sha256 3abc)" in text


def test_a_result_that_lacks_its_convention_is_refused(tmp_path):
    content = result()
    del content["convention"]
    with pytest.raises(UserError, match="lacks convention"):
        ablation_table([write(tmp_path, content)])


def test_sources_name_the_code_and_how_it_was_trained_where_a_checkpoint_says_so(tmp_path):
    training = {"code": "0123456789ab", "command": "python tools/train.py CONFIG", "date": "2026-01-01"}
    known = result(seed=1, code="ba9876543210-dirty")
    known["training"] |= training
    text = ablation_table([write(tmp_path, result(), known)])
    first, second = (line for line in text.splitlines() if line.startswith("- #1, seed"))
    assert first.endswith("`python tools/test.py CONFIG CHECKPOINT`")
    assert second.endswith(
        "(code ba9876543210-dirty); trained on 2026-01-01 by `python tools/train.py CONFIG` (code 0123456789ab)"
    )


def test_a_result_of_before_says_nothing_of_what_it_learned_from(tmp_path):
    content = result()
    for fact in ("maps", "known_warps", "precision"):
        del content["row"][fact]
    assert tables(ablation_table([write(tmp_path, content)]))[0][0]["trained with"] == "-"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "the labels' maps, float32"),
        ({"known_warps": True, "precision": "bfloat16"}, "the labels' maps, known warps, bfloat16"),
        ({"maps": "predicted"}, "the segmenter's maps, float32"),
    ],
)
def test_a_row_says_what_it_learned_from(tmp_path, facts, said):
    content = result()
    content["row"] |= facts
    assert tables(ablation_table([write(tmp_path, content)]))[0][0]["trained with"] == said
