import pickle

import pytest
import torch
from mmengine.config import Config

from seg_vton.engine import launch, testing
from seg_vton.engine.halves import Half, half_of
from seg_vton.errors import UserError
from seg_vton.tryon.half import TryOnHalf


@pytest.fixture
def config(tiny_config_file, tmp_path):
    return launch.load_config(tiny_config_file, work_dir=str(tmp_path / "logs"))


@pytest.fixture
def checkpoint(tmp_path):
    torch.save({"weight": torch.ones(1)}, tmp_path / "epoch_1.pth")
    return tmp_path / "epoch_1.pth"


def test_the_split_chooses_data_and_evaluator():
    parts = {
        f"{split}_{what}": {"name": f"{split} {what}"}
        for split in ("val", "test")
        for what in ("dataloader", "evaluator")
    }
    config = Config(parts)
    assert type(half_of(config)) is Half
    half_of(config).select_split(config, "test")
    assert (config.test_dataloader.name, config.test_evaluator.name) == ("test dataloader", "test evaluator")
    half_of(config).select_split(config, "val")
    assert (config.test_dataloader.name, config.test_evaluator.name) == ("val dataloader", "val evaluator")
    for split in ("test-unpaired", "train"):
        with pytest.raises(UserError, match=f"has no {split} split"):
            half_of(config).select_split(config, split)
    for key, value in {"val_dataloader": None, "test_evaluator": None}.items():
        with pytest.raises(UserError, match=f"has no {key}: --split {key.split('_')[0]} needs"):
            Half().select_split(Config(parts | {key: value}), key.split("_")[0])


def test_options_of_the_other_split_are_not_left_unread(config):
    options = {"test_dataloader.dataset.data_root": "mine", "test_dataloader.num_workers": 0}
    Half().select_split(config, "test", options)
    Half().select_split(config, "val", {**options, "val_dataloader.dataset.data_root": "mine"})
    with pytest.raises(UserError, match=r"test_dataloader\.dataset\.data_root: --split val does not .* val_dataloader"):
        Half().select_split(config, "val", options)


@pytest.mark.parametrize(
    ("split", "unread", "read"),
    [
        ("test-unpaired", "val_dataloader.dataset.pairs", "test_dataloader.dataset.pairs"),
        ("train", "test_dataloader.dataset.pairs", "train_dataloader.dataset.pairs"),
        ("train", "val_evaluator.fid", "test_evaluator.fid"),
    ],
)
def test_options_of_data_that_a_split_of_try_on_does_not_read(config, split, unread, read):
    with pytest.raises(UserError, match=f"{unread}: --split {split} does not read it; it reads {read}"):
        TryOnHalf().select_split(config, split, {unread: "x"})


def test_tta_flips_after_all_of_the_pipeline_but_packing(config):
    model = config.model.to_dict()
    half_of(config).enable_tta(config)
    assert config.model.type == "InstanceTTAModel"
    assert config.model.module.to_dict() == model
    steps = config.test_dataloader.dataset.pipeline
    assert [step.type for step in steps] == ["LoadImageFromFile", "Resize", "LoadAnnotations", "TestTimeAug"]
    flips, pack = steps[-1].transforms
    assert sorted(flip.prob for flip in flips) == [0.0, 1.0]
    assert {"flip", "flip_direction", "img_id", "ori_shape"} <= set(pack[0].meta_keys)
    assert config.val_dataloader.dataset.pipeline[-1].type == "PackDetInputs"


def test_a_configs_own_tta_is_taken(config):
    config.tta_model = {"type": "InstanceTTAModel", "tta_cfg": {"max_per_img": 7}}
    config.tta_pipeline = [{"type": "LoadImageFromFile"}]
    half_of(config).enable_tta(config)
    assert config.model.tta_cfg.max_per_img == 7
    assert [step.type for step in config.test_dataloader.dataset.pipeline] == ["LoadImageFromFile"]


def test_the_first_of_several_evaluators_writes_the_predictions(config):
    config.test_evaluator = [config.test_evaluator, dict(config.test_evaluator)]
    half_of(config).set_output(config, "new.json", overwrite=False)
    assert [evaluator.get("predictions_file") for evaluator in config.test_evaluator] == ["new.json", None]


def test_painting_is_switched_on(config, monkeypatch):
    with pytest.raises(UserError, match=r"--show-dir .*test_testing\.py is a file: name a folder"):
        half_of(config).enable_painting(config, show=False, show_dir=__file__, wait_time=2.0)
    half_of(config).enable_painting(config, show=False, show_dir="pictures", wait_time=2.0)
    hook = config.default_hooks.visualization
    assert hook == {
        "type": "FolderVisualizationHook",
        "draw": True,
        "show": False,
        "wait_time": 2.0,
        "test_out_dir": "pictures",
    }
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("matplotlib.get_backend", lambda: "agg")
    with pytest.raises(UserError, match=r"--show needs a display, .*--show-dir"):
        half_of(config).enable_painting(config, True, None, 2.0)
    monkeypatch.setattr("matplotlib.get_backend", lambda: "TkAgg")
    half_of(config).enable_painting(config, True, None, 2.0)
    assert config.default_hooks.visualization.show
    config.default_hooks.pop("visualization")
    with pytest.raises(UserError, match=r"no default_hooks\.visualization"):
        half_of(config).enable_painting(config, True, None, 2.0)


def refused(config, match, *args, **kwargs):
    with pytest.raises(UserError, match=match):
        testing.run(config, *args, **kwargs)


def test_files_are_checked_before_anything_is_built(config, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "build_runner", lambda _: pytest.fail("a runner was built"))
    refused(config, r"none\.pth does not exist", tmp_path / "none.pth")
    of_mmdet = Config(config.to_dict() | {"test_evaluator": {"type": "CocoMetric"}})
    refused(of_mmdet, r"test_evaluator CocoMetric does not say .*dataset='NAME'", checkpoint)
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    refused(config, "cannot be written to, and results go there", checkpoint)
    monkeypatch.setattr("os.access", lambda path, mode: True)
    refused(config, r"must end in \.json .* or \.pkl", checkpoint, out=str(tmp_path / "out.txt"))
    (tmp_path / "out.json").write_text("[]")
    refused(config, r"out\.json exists already", checkpoint, out=str(tmp_path / "out.json"))
    (tmp_path / "epoch_1.tiny-val.json").write_text("{}")
    refused(config, r"epoch_1\.tiny-val\.json exists already", checkpoint)
    assert (tmp_path / "out.json").read_text() == "[]"
    assert (tmp_path / "epoch_1.tiny-val.json").read_text() == "{}"


def test_a_result_with_tta_has_a_name_of_its_own(config, checkpoint, tmp_path):
    (tmp_path / "epoch_1.tiny-val-tta.json").write_text("{}")
    half_of(config).enable_tta(config)
    refused(config, r"epoch_1\.tiny-val-tta\.json exists already", checkpoint)


def test_another_models_checkpoint_is_refused_before_any_image(config, checkpoint, tmp_path):
    refused(
        config, r"epoch_1\.pth does not fit .* missing: backbone\.conv1\.weight, .*1 unexpected: weight", checkpoint
    )
    assert not list(tmp_path.glob("*.json"))


def test_a_checkpoint_with_code_is_refused(config, tmp_path):
    with (tmp_path / "epoch_1.pth").open("wb") as stream:
        pickle.dump({}, stream)
    refused(config, r"epoch_1\.pth cannot be read as a checkpoint", tmp_path / "epoch_1.pth")
