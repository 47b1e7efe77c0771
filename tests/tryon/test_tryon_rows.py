import json

import pytest
from mmengine.config import Config

import seg_vton  # noqa: F401  registers
from seg_vton.engine.launch import load_config
from seg_vton.tryon.half import TryOnHalf


@pytest.fixture(autouse=True)
def repository_root(repo, monkeypatch):
    monkeypatch.chdir(repo)


def config(name, **options):
    loaded = load_config(f"configs/tryon/{name}.py")
    loaded.merge_from_dict(options)
    return loaded


def describe_row(tested, trained=None):
    return TryOnHalf().describe_row(tested, trained)


@pytest.mark.parametrize(
    ("name", "stage", "aux", "warper_aux"),
    [
        ("gmm_cp-vton_256x192_200k_viton", "gmm", False, "absent"),
        ("gmm_aux-seg_256x192_200k_viton", "gmm", True, "absent"),
        ("tom_cp-vton_256x192_200k_viton", "tom", False, False),
        ("tom_aux-seg_gmm-cp-vton_256x192_200k_viton", "tom", True, False),
        ("tom_aux-seg_256x192_200k_viton", "tom", True, True),
    ],
)
def test_the_papers_rows_are_told_apart(name, stage, aux, warper_aux):
    row = describe_row(config(name))
    assert (row["stage"], row["aux"], row.get("warper_aux", "absent")) == (stage, aux, warper_aux)
    assert (row["optimizer"], row["learning_rate"], row["iterations"], row["batch_size"]) == ("Adam", 1e-4, 200_000, 4)
    assert row["image_size"] == [256, 192]
    assert json.loads(json.dumps(row)) == row


def test_the_head_is_described_by_the_choices_that_the_paper_leaves_open():
    row = describe_row(config("tom_aux-seg_256x192_200k_viton"))
    weights = {"background": 1.5, "skin": 1.5}
    assert row["aux_head"] == {"label_space": "tryon8", "class_weight": weights, "loss_weight": 1.0}
    assert row["warper"] == "gmm_aux-seg_256x192_200k_viton"
    assert row["perceptual_weights"] == "vgg19"


def test_a_head_of_ones_own_is_not_the_papers(tmp_path):
    gmm = tmp_path / "gmm_linear.py"
    gmm.write_text("model = dict(type='GMM', aux_head=dict(type='LinearSegHead'))")
    tested = config("tom_aux-seg_256x192_200k_viton", **{"model.warper.config": str(gmm)})
    row = describe_row(tested)
    assert (row["aux"], row["warper_aux"]) == (True, "LinearSegHead")
    tested.model.aux_head = dict(type="LinearSegHead", loss_weight=0.5)
    row = describe_row(tested)
    assert (row["aux"], row["aux_head"]["label_space"]) == ("LinearSegHead", None)


def test_exported_warps_are_not_the_warpers():
    tested = config("tom_cp-vton_256x192_200k_viton")
    tested.test_dataloader.dataset.folders = dict(warped_cloth="warp-cloth", warped_mask="warp-mask")
    row = describe_row(tested)
    assert (row["warper"], row["warper_aux"], row["known_warps"]) == ("exported warps", None, None)


def test_a_row_is_the_same_for_every_seed_and_its_warper():
    name = "tom_aux-seg_256x192_200k_viton"
    one = describe_row(config(name))
    other = config(name, **{"model.warper.checkpoint": "runs/seed1/iter_9.pth", "randomness.seed": 1, "work_dir": "x"})
    assert describe_row(other) == one


@pytest.mark.parametrize(
    "option",
    [
        {"model.aux_head.loss_weight": 0.5},
        {"model.aux_head.class_weight": {"background": 1.0}},
        {"optim_wrapper.optimizer.lr": 2e-4},
        {"train_cfg.max_iters": 100},
        {"model.loss_mask.loss_weight": 0.1},
        {"train_dataloader.dataset.pairs": "half.txt"},
    ],
)
def test_a_row_is_another_where_the_training_is(option):
    name = "tom_aux-seg_256x192_200k_viton"
    assert describe_row(config(name, **option)) != describe_row(config(name))


def test_training_facts_come_from_the_config_that_trained():
    tested = config("gmm_aux-seg_256x192_200k_viton")
    trained = config("gmm_aux-seg_256x192_200k_viton", **{"optim_wrapper.optimizer.lr": 0.5, "train_cfg.max_iters": 7})
    row = describe_row(tested, Config(trained.to_dict()))
    assert (row["learning_rate"], row["iterations"]) == (0.5, 7)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("gmm_cp-vton_256x192_1k_ccp", True),
        ("tom_cp-vton_256x192_1k_ccp", True),
        ("gmm_cp-vton_l1-only_256x192_2k_ccp", False),
        ("tom_cp-vton_256x192_200k_viton", False),
    ],
)
def test_rows_whose_warps_were_learned_from_known_ones_are_told_apart(name, known):
    assert describe_row(config(name))["known_warps"] is known


def test_a_row_knows_its_precision():
    assert describe_row(config("gmm_cp-vton_256x192_1k_ccp"))["precision"] == "float32"
    amp = config("gmm_cp-vton_256x192_1k_ccp", **{"optim_wrapper.type": "BFloat16OptimWrapper"})
    assert describe_row(amp)["precision"] == "bfloat16"


@pytest.mark.parametrize(
    ("name", "maps"),
    [("gmm_aux-seg_256x192_1k_ccp", "files"), ("gmm_aux-seg_mask-rcnn-parse_256x192_1k_ccp", "predicted")],
)
def test_a_row_knows_whose_maps_it_learned_from(name, maps):
    assert describe_row(config(name))["maps"] == maps


@pytest.mark.parametrize(
    ("name", "channels"), [("tom_cp-vton_256x192_1k_ccp", None), ("tom_viton-hd-agnostic_256x192_1k_ccp", 21)]
)
def test_a_row_of_another_person_representation_says_so(name, channels):
    assert describe_row(config(name))["person_channels"] == channels


def test_the_facts_of_data_sets_are_seen_through_their_wrappers():
    name = "gmm_aux-seg_mask-rcnn-parse_128x96_2k_paper-doll"
    wrapped = config(name)
    for loader in (wrapped.train_dataloader, wrapped.test_dataloader):
        loader.dataset = dict(type="ConcatDataset", datasets=[loader.dataset])
    plain, row = describe_row(config(name)), describe_row(wrapped)
    assert {**row, "recipe": None} == {**plain, "recipe": None}
