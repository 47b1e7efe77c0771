import os
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, RUNNERS
from mmengine.runner import Runner
from torch import nn

import seg_vton  # noqa: F401  registers the optimizer wrapper
from seg_vton.engine import launch
from seg_vton.engine.hooks import CheckpointFitHook
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


def test_a_work_dir_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"work dir .*file cannot be made or written to: File exists"):
        launch.build_runner(line_config(tmp_path / "file"))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"work dir .*new cannot be made or written to: Permission denied"):
        launch.build_runner(line_config(tmp_path / "new"))


@pytest.mark.parametrize(("named", "expected"), [({"OMPI_COMM_WORLD_LOCAL_RANK": "3"}, "3"), ({}, "0")])
def test_mpi_says_which_gpu_the_models_wrapper_takes(tmp_path, monkeypatch, named, expected):
    for name in ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"):
        monkeypatch.setenv(name, "")  # to be put back
        monkeypatch.delenv(name)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    launch.build_runner(line_config(tmp_path / "run"))
    assert os.environ["LOCAL_RANK"] == expected


def test_a_backend_of_the_visualizer_whose_package_is_missing_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    backends = [{"type": "LocalVisBackend"}, {"type": "TensorboardVisBackend"}]
    config = line_config(tmp_path / "board", visualizer={"type": "Visualizer", "vis_backends": backends})
    with pytest.raises(UserError, match=r'vis_backends needs a package: .*"pip install .*tensorboard"'):
        launch.build_runner(config)
    monkeypatch.setitem(sys.modules, "ours", None)
    monkeypatch.setattr(launch.Runner, "from_cfg", lambda _: __import__("ours"))
    with pytest.raises(ModuleNotFoundError, match="ours"):  # anybody else's missing module is none of the user's faults
        launch.build_runner(line_config(tmp_path / "own"))


@MODELS.register_module(force=True)
class Outer(TwoNumbers):
    """Builds what it is told to."""

    def __init__(self, inner):
        super().__init__()
        self.inner = MODELS.build(inner)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": {"type": "TwoNumber"}}, r"type='TwoNumber' cannot be built: KeyError: TwoNumber is not in the"),
        ({"model": {"type": "TwoNumbers", "depth": 2}}, "type='TwoNumbers' cannot be built: TypeError: .*'depth'"),
        (
            {"optim_wrapper": {"optimizer": {"type": "SGD", "lr": -1}}},
            "type='SGD' .* ValueError: Invalid learning rate",
        ),
        ({"default_scope": "foo", "custom_hooks": [{"type": "FooHook"}]}, "type='FooHook' cannot be built: KeyError"),
        ({"model": {"type": "TwoNumbers", "width": "x"}}, TypeError),  # raised in a class of the researcher's
        ({"model": {"type": "Outer", "inner": {"type": "None"}}}, KeyError),  # which may have made up the type
    ],
)
def test_what_cannot_be_built_is_the_configs_fault_unless_other_code_was_on_the_way(tmp_path, settings, expected):
    (tmp_path / "mine.py").touch()
    config = Config(line_config(tmp_path / "run", **settings).to_dict(), filename=tmp_path / "mine.py")
    with pytest.raises(UserError if isinstance(expected, str) else expected) as error:
        launch.train(config)
    if isinstance(expected, str):
        assert re.search(rf"mine\.py: {expected}", str(error.value))
    else:
        assert not isinstance(error.value, UserError)


def test_a_config_that_resumes_by_itself_passes_over_damaged_checkpoints(tmp_path):
    launch.build_runner(line_config(tmp_path)).train()
    (tmp_path / "epoch_2.pth").write_bytes(b"")
    config = line_config(tmp_path, resume=True, train_cfg={"by_epoch": True, "max_epochs": 3})
    launch.train(config)
    assert config.load_from == str(tmp_path / "epoch_1.pth")
    assert (tmp_path / "epoch_3.pth").is_file()


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


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_training_starts_from_must_fit_in_part(tmp_path, monkeypatch, resume):
    hooks = []
    runner = SimpleNamespace(register_hook=hooks.append, train=lambda: None)
    monkeypatch.setattr(launch, "build_runner", lambda config: runner)
    launch.train(Config({"work_dir": str(tmp_path), "train_cfg": {}, "load_from": "coco.pth", "resume": resume}))
    assert [hook.path for hook in hooks if isinstance(hook, CheckpointFitHook)] == ["coco.pth"] * (not resume)
