import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, RUNNERS
from mmengine.runner import Runner
from torch import nn

import seg_vton  # noqa: F401  registers the optimizer wrapper
from seg_vton.engine import launch
from seg_vton.errors import UserError

PLAIN = """
model = dict(type="Thing", depth=18)
steps = [dict(scale=1), dict(scale=2)]
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01))
load_from = "coco.pth"
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="row.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_options_reach_nested_values_and_list_items(write):
    options = {"model.depth": 50, "steps.1.scale": 3, "optim_wrapper.optimizer.lr": 0.02, "new.key": "x"}
    config = launch.load_config(write(PLAIN), options)
    assert (config.model.depth, config.model.type) == (50, "Thing")
    assert [step.scale for step in config.steps] == [1, 3]
    assert config.optim_wrapper.optimizer.to_dict() == {"type": "SGD", "lr": 0.02}
    assert config.new.key == "x"


def test_loading_in_the_main_process_keeps_no_workers(write):
    loaders = "train_dataloader = dict(num_workers=0)\nval_dataloader = dict(num_workers=2, persistent_workers=True)\n"
    path = write(PLAIN + loaders + "test_dataloader = val_dataloader\n")
    config = launch.load_config(path, {"test_dataloader.num_workers": 0})
    assert config.train_dataloader.persistent_workers is False
    assert config.val_dataloader.persistent_workers is True
    assert config.test_dataloader.persistent_workers is False


@pytest.mark.parametrize("options", [{"steps.7.scale": 1}, {"steps.x": 1}, {"model.depth.deeper": 1}])
def test_options_that_do_not_fit_are_named(write, options):
    with pytest.raises(UserError, match=r"--cfg-options do not fit .*row\.py"):
        launch.load_config(write(PLAIN), options)


def test_the_command_line_then_the_config_then_the_name_say_where_to_write(write):
    assert launch.load_config(write(PLAIN)).work_dir == "work_dirs/row"
    own = write(PLAIN + "work_dir = 'mine'\n", "own.py")
    assert launch.load_config(own).work_dir == "mine"
    assert launch.load_config(own, {"work_dir": "option"}).work_dir == "option"
    assert launch.load_config(own, {"work_dir": "option"}, "given").work_dir == "given"


def test_the_launcher_is_the_command_lines(write):
    assert launch.load_config(write(PLAIN + "launcher = 'slurm'\n")).launcher == "none"
    assert launch.load_config(write(PLAIN), launcher="pytorch").launcher == "pytorch"


def test_a_missing_config_is_named(tmp_path):
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(UserError, match="does not exist: configs are under configs/segmentation"):
            launch.load_config(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model = dict(", "SyntaxError"),
        ("model = undefined", "NameError"),
        ("_base_ = './none.py'", "none.py"),
        ("_base_ = './row2.py'\nlr = _base_.no.such", "no"),
        ("custom_imports = dict(imports=['no_such_module'])", "no_such_module"),
        ("model = dict() + 1", "TypeError"),
        ("model = [1][3]", "IndexError"),
        ("model = int('x')", "ValueError"),
        ("filename = 'reserved'", "reserved"),
    ],
)
def test_a_broken_config_is_named_with_its_fault(write, text, expected):
    write("a = 1\n", "row2.py")
    with pytest.raises(UserError, match=r"row\.py cannot be read") as error:
        launch.load_config(write(text))
    assert expected in str(error.value)


def test_a_config_in_another_format_is_read_and_an_unknown_one_refused(write):
    assert launch.load_config(write('{"a": 1}', "row.json")).a == 1
    with pytest.raises(UserError, match=r"row\.txt cannot be read"):
        launch.load_config(write("a = 1", "row.txt"))


def test_amp_is_float16_on_a_gpu_and_bfloat16_elsewhere(write, monkeypatch):
    for gpu, expected in ((True, "AmpOptimWrapper"), (False, "BFloat16OptimWrapper")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda gpu=gpu: gpu)
        config = launch.load_config(write(PLAIN))
        launch.enable_amp(config)
        assert config.optim_wrapper.type == expected
        assert config.optim_wrapper.get("loss_scale") == ("dynamic" if gpu else None)
        assert config.optim_wrapper.optimizer.lr == 0.01


@pytest.mark.parametrize(("known", "warned"), [(False, True), (True, False)])
def test_amp_without_bfloat16_units_is_warned_of(write, monkeypatch, capsys, known, warned):
    said = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(launch.machine, "has_bfloat16", lambda: known)
    monkeypatch.setattr(launch, "print_log", lambda text, *_: said.append(text))
    launch.enable_amp(launch.load_config(write(PLAIN)))
    assert any("slower" in text for text in said) == warned


@pytest.mark.parametrize("setting", ["", "auto_scale_lr = dict(enable=False)", "auto_scale_lr = None"])
def test_scaling_without_a_base_batch_size_is_refused(write, setting):
    config = launch.load_config(write(PLAIN + setting))
    with pytest.raises(UserError, match=r"row\.py has no auto_scale_lr\.base_batch_size"):
        launch.enable_auto_scale_lr(config)


def test_scaling_is_switched_on(write):
    config = launch.load_config(write(PLAIN + "auto_scale_lr = dict(enable=False, base_batch_size=2)"))
    launch.enable_auto_scale_lr(config)
    assert config.auto_scale_lr.to_dict() == {"enable": True, "base_batch_size": 2}


def test_resuming_from_a_file_or_from_the_last_checkpoint(write, tmp_path):
    config = launch.load_config(write(PLAIN), work_dir=str(tmp_path))
    launch.set_resume(config, "epoch_3.pth")
    assert (config.resume, config.load_from) == (True, "epoch_3.pth")
    torch.save({"state_dict": {}}, tmp_path / "epoch_7.pth")
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "epoch_7.pth"))
    launch.set_resume(config, "auto")
    assert (config.resume, config.load_from) == (True, str(tmp_path / "epoch_7.pth"))


def test_resuming_where_nothing_is_starts_as_the_config_says(write, tmp_path):
    """So one command starts a training and goes on with it; the weights to start from are not forgotten."""
    config = launch.load_config(write(PLAIN), work_dir=str(tmp_path / "new"))
    launch.set_resume(config, "auto")
    assert (config.resume, config.load_from) == (False, "coco.pth")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "last_checkpoint").touch()  # a run killed while it wrote the name
    launch.set_resume(config, "auto")
    assert (config.resume, config.load_from) == (False, "coco.pth")


@MODELS.register_module(force=True)
class TwoNumbers(BaseModel):
    """A line."""

    def __init__(self, width=1):
        super().__init__()
        self.fit = nn.Linear(width, 1)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        """Squared error."""
        return {"loss": (self.fit(torch.tensor(inputs)) - 1).square().mean()}


def line_config(folder, **settings):
    config = {
        "model": {"type": "TwoNumbers"},
        "launcher": "none",
        "work_dir": str(folder),
        "train_dataloader": {
            "dataset": [[1.0]],
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "batch_size": 1,
            "num_workers": 0,
        },
        "train_cfg": {"by_epoch": True, "max_epochs": 2},
        "optim_wrapper": {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}},
        "experiment_name": folder.name,
        "log_level": "ERROR",
    }
    return Config(config | settings)


def test_the_runner_trains_and_resumes(tmp_path):
    runner = launch.build_runner(line_config(tmp_path / "first"))
    assert isinstance(runner, Runner)
    runner.train()
    config = line_config(tmp_path / "second", train_cfg={"by_epoch": True, "max_epochs": 3})
    launch.set_resume(config, str(tmp_path / "first" / "epoch_2.pth"))
    resumed = launch.build_runner(config)
    resumed.train()
    assert resumed.iter == 3
    assert not (tmp_path / "second" / "epoch_2.pth").exists()


def test_resuming_from_another_models_checkpoint_is_refused(tmp_path):
    launch.build_runner(line_config(tmp_path / "first")).train()
    config = line_config(tmp_path / "second", model={"type": "TwoNumbers", "width": 2})
    launch.set_resume(config, str(tmp_path / "first" / "epoch_1.pth"))
    with pytest.raises(UserError, match=r"epoch_1\.pth does not fit .*fit\.weight 1x1 instead of 1x2"):
        launch.build_runner(config).train()


def test_resuming_from_bare_weights_is_refused_and_starting_from_them_is_not(tmp_path):
    torch.save({"fit.weight": torch.full((1, 1), 7.0), "fit.bias": torch.zeros(1)}, tmp_path / "bare.pth")
    config = line_config(tmp_path / "resumed")
    launch.set_resume(config, str(tmp_path / "bare.pth"))
    with pytest.raises(UserError, match="no training can go on from it"):
        launch.build_runner(config).train()
    still = {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.0}}
    started = launch.build_runner(
        line_config(tmp_path / "new", load_from=str(tmp_path / "bare.pth"), optim_wrapper=still)
    )
    started.train()
    assert started.model.fit.weight.item() == 7


def test_a_runner_of_another_kind_is_built_by_name(tmp_path):
    class Special(Runner):
        """A runner with a name of its own."""

    RUNNERS.register_module(module=Special, name="SpecialRunner", force=True)
    assert type(launch.build_runner(line_config(tmp_path / "run", runner_type="SpecialRunner"))) is Special
