from copy import deepcopy

import pytest
import torch
from mmdet.registry import MODELS as DETECTORS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from seg_vton.engine import launch, testing
from seg_vton.engine.halves import half_of
from seg_vton.errors import UserError
from seg_vton.registry import DATASETS, build_model


@pytest.fixture(autouse=True)
def no_compiler_is_asked(monkeypatch):
    """mmengine asks compilers for their versions as it starts: half a second."""
    monkeypatch.setattr("mmengine.runner.runner.collect_env", dict)


@pytest.fixture
def configs(tiny_tryon, tmp_path):
    """The tiny configs by stage; the TOM's warper is an untrained GMM."""
    configs = {stage: launch.load_config(file, work_dir=str(tmp_path / "logs")) for stage, file in tiny_tryon.items()}
    torch.save(build_model(configs["gmm"].model).state_dict(), tmp_path / "gmm.pth")
    configs["tom"].model.warper.checkpoint = str(tmp_path / "gmm.pth")
    return configs


@pytest.fixture
def tom(configs, tmp_path):
    """An untrained TOM as a bare state dict, as the published ones are."""
    torch.save(build_model(configs["tom"].model).state_dict(), tmp_path / "tom.pth")
    return tmp_path / "tom.pth"


def refused(config, match, *arguments, **options):
    with pytest.raises(UserError, match=match):
        testing.run(config, *arguments, **options)


def test_the_split_chooses_pairs_and_the_results_name(configs):
    config = configs["tom"]
    config.val_dataloader.dataset.paired = config.test_dataloader.dataset.paired = True
    paired = dict(config.test_dataloader.dataset)
    half_of(config).select_split(config, "test")
    assert config.test_dataloader.dataset == paired
    half_of(config).select_split(config, "test-unpaired")
    assert config.test_dataloader.dataset == paired | {"pairs": "test_unpaired_pairs.txt", "paired": False}
    assert config.test_evaluator.split == "test-unpaired"
    config.test_evaluator = [config.test_evaluator, dict(config.test_evaluator)]
    half_of(config).select_split(config, "train")
    assert config.test_dataloader.dataset == config.train_dataloader.dataset
    assert [evaluator["split"] for evaluator in config.test_evaluator] == ["train", "train"]
    half_of(config).select_split(config, "val")
    assert config.test_dataloader.dataset == paired


def test_a_person_whose_own_garment_is_in_the_unpaired_list_is_unpaired_too(configs, tmp_path):
    """A list that was shuffled has one such line on average, and metrics refuse to mix."""
    (tmp_path / "shuffled.txt").write_text("000001_0.jpg 000002_1.jpg\n000002_0.jpg 000002_1.jpg\n")
    configs["tom"].unpaired = dict(pairs=str(tmp_path / "shuffled.txt"))
    loader = configs["tom"].test_dataloader
    loader.dataset = dict(type="ConcatDataset", datasets=[loader.dataset])
    half_of(configs["tom"]).select_split(configs["tom"], "test-unpaired")
    data = DATASETS.build(configs["tom"].test_dataloader.dataset.datasets[0])
    assert [data.is_paired(pair) for pair in data.pairs] == [False, False]


def test_a_config_without_unpaired_garments_is_told_so(configs):
    configs["tom"].pop("unpaired")
    with pytest.raises(UserError, match=r"tom_tiny\.py has no test-unpaired split.*`unpaired`"):
        half_of(configs["tom"]).select_split(configs["tom"], "test-unpaired")


def test_what_is_for_detections_is_refused(configs):
    with pytest.raises(UserError, match="--tta is for segmentation"):
        half_of(configs["tom"]).enable_tta(configs["tom"])
    for show, folder in ((True, None), (False, "pictures")):
        with pytest.raises(UserError, match="pass --out DIR"):
            half_of(configs["tom"]).enable_painting(configs["tom"], show, folder, 2.0)


def test_pictures_are_written_without_a_hook_in_the_config(configs):
    configs["tom"].default_hooks.visualization = None
    half_of(configs["tom"]).set_output(configs["tom"], "out", False)
    expected = {"type": "TryOnVisualizationHook", "out_dir": "out", "overwrite": False}
    assert configs["tom"].default_hooks.visualization == expected


def test_a_bare_state_dict_is_tested(configs, tom, tmp_path):
    path = testing.run(configs["tom"], tom, out=str(tmp_path / "out"))
    assert path == tmp_path / "tom.tiny-test.json"
    assert len(list((tmp_path / "out" / "try-on").glob("*.png"))) == 3


def test_earlier_results_and_images_are_kept(configs, tom, tmp_path, monkeypatch):
    (tmp_path / "tom.tiny-test.json").write_text("mine")
    refused(configs["tom"], r"tom\.tiny-test\.json exists already", tom)
    (tmp_path / "tom.tiny-test.json").unlink()
    (tmp_path / "out" / "try-on").mkdir(parents=True)
    (tmp_path / "out" / "try-on" / "a.png").write_text("mine")
    refused(configs["tom"], r"images of an earlier test \(try-on\): pass --overwrite", tom, out=str(tmp_path / "out"))
    assert (tmp_path / "out" / "try-on" / "a.png").read_text() == "mine"
    assert not (tmp_path / "tom.tiny-test.json").exists()


def test_checkpoints_of_other_models_are_refused(configs, tom, tiny_config_file, tmp_path):
    detector = Config.fromfile(tiny_config_file).model
    with DefaultScope.overwrite_default_scope("mmdet"):
        torch.save(DETECTORS.build(detector).state_dict(), tmp_path / "detector.pth")
    for stage, wrong in (("tom", "gmm"), ("gmm", "tom"), ("gmm", "detector"), ("tom", "detector")):
        refused(configs[stage], rf"{wrong}\.pth does not fit the model of the config", tmp_path / f"{wrong}.pth")
    configs["tom"].model.warper.checkpoint = str(tom)
    refused(configs["tom"], r"tom\.pth does not fit the model of the config", tom)
    assert not list(tmp_path.glob("*.json"))


def test_a_tom_without_its_gmm_says_what_to_do(configs, tom, tmp_path):
    configs["tom"].model.warper.checkpoint = str(tmp_path / "none.pth")
    refused(configs["tom"], r"warper's checkpoint .*none\.pth does not exist: train it with", tom)
    configs["tom"].model.warper = None
    refused(configs["tom"], r"has no warper: set model\.warper\.config", tom)


def train(config, iterations=2, **changes):
    """Trains for few iterations; returns the runner."""
    config.merge_from_dict({"train_cfg.max_iters": iterations, "train_dataloader.num_workers": 0, **changes})
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    runner = launch.build_runner(config)
    runner.train()
    return runner


@pytest.mark.parametrize("stage", ["gmm", "tom"])
def test_published_weights_start_a_training(configs, stage, tmp_path):
    """A state dict without prefix through `load_from`, at a rate of zero."""
    torch.save(build_model(configs[stage].model).state_dict(), tmp_path / "published.pth")
    changes = {"load_from": str(tmp_path / "published.pth"), "optim_wrapper.optimizer.lr": 0.0}
    state = train(configs[stage], 1, **changes).model.state_dict()
    weights = {key: value for key, value in torch.load(tmp_path / "published.pth").items() if "running" not in key}
    assert all(torch.equal(state[key], value) for key, value in weights.items() if "num_batches" not in key)


@pytest.mark.parametrize("stage", ["gmm", "tom"])
def test_bfloat16_trains_close_to_float32_and_keeps_the_warp_in_float32(configs, stage, monkeypatch):
    """Neighboring pixels of a warp are closer than bfloat16 can tell apart."""
    seen = []
    sample = torch.nn.functional.grid_sample

    def spy(images, grid, *arguments, **options):
        warped = sample(images, grid, *arguments, **options)
        seen.extend((images.dtype, grid.dtype, warped.dtype))
        return warped

    monkeypatch.setattr(torch.nn.functional, "grid_sample", spy)
    losses = []
    for enable in (lambda _: None, launch.enable_amp):
        config = deepcopy(configs[stage])
        enable(config)
        seen.clear()
        losses.append(train(config, 1).message_hub.get_scalar("train/loss").current())
        assert set(seen) == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
