import re

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from seg_vton.engine import schedules
from seg_vton.engine.schedules import ScheduleHook
from seg_vton.errors import UserError

LENGTH = 5  # iterations of an epoch


class Training:
    """What mmengine does with schedulers in a training of epochs of `LENGTH` iterations."""

    def __init__(self, config, epochs, kind=torch.optim.SGD):
        model = nn.Linear(2, 2)
        groups = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.3}]
        self.optim_wrapper = OptimWrapper(
            kind(groups, lr=0.1, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))
        )
        self.param_schedulers = []
        for settings in config:
            settings = dict(settings)
            name = settings.pop("type")
            build = PARAM_SCHEDULERS.get(name)
            if settings.pop("convert_to_iter_based", False):
                made = build.build_iter_from_epoch(self.optim_wrapper, **settings, epoch_length=LENGTH)
            else:
                made = build(self.optim_wrapper, **settings)
            self.param_schedulers.append(made)
        loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
        loop._iter, loop._max_iters, loop._epoch, loop.dataloader = 0, epochs * LENGTH, 0, range(LENGTH)
        self.train_loop, self.cfg = loop, {"resume": False}

    def run(self, iterations):
        """Trains; returns what the optimizer had at each iteration."""
        seen = []
        for _ in range(iterations):
            groups = self.optim_wrapper.param_groups
            seen.append([(group["lr"], group.get("momentum"), group.get("betas")) for group in groups])
            self.optim_wrapper.optimizer.step()
            self.train_loop._iter += 1
            self.train_loop._epoch = self.train_loop._iter // LENGTH
            for scheduler in self.param_schedulers:
                if not scheduler.by_epoch or self.train_loop._iter % LENGTH == 0:
                    scheduler.step()
        return seen

    def checkpoint(self):
        """What mmengine saves."""
        return {
            "meta": {"iter": self.train_loop.iter, "epoch": self.train_loop.epoch},
            "optimizer": self.optim_wrapper.state_dict(),
            "param_schedulers": [scheduler.state_dict() for scheduler in self.param_schedulers],
        }

    def resume(self, checkpoint):
        """Loads as `Runner.resume` does."""
        self.cfg["resume"] = True
        ScheduleHook().after_load_checkpoint(self, checkpoint)
        self.train_loop._iter, self.train_loop._epoch = checkpoint["meta"]["iter"], checkpoint["meta"]["epoch"]
        self.optim_wrapper.load_state_dict(checkpoint["optimizer"])
        for scheduler, state in zip(self.param_schedulers, checkpoint["param_schedulers"], strict=False):
            scheduler.load_state_dict(state)
        ScheduleHook().before_train(self)


WARM_UP = {"type": "LinearLR", "start_factor": 0.01, "by_epoch": False, "begin": 0, "end": 7}
SCHEDULES = {
    "linear": lambda epochs: [
        {
            "type": "LinearLR",
            "by_epoch": False,
            "begin": 6,
            "end": epochs * LENGTH + 1,
            "start_factor": 1.0,
            "end_factor": 0,
        }
    ],
    "steps": lambda epochs: [
        WARM_UP,
        {"type": "MultiStepLR", "by_epoch": True, "milestones": [epochs - 1], "gamma": 0.1},
    ],
    "cosine": lambda epochs: [WARM_UP, {"type": "CosineAnnealingLR", "by_epoch": True, "begin": 1, "end": epochs}],
    "cosine by iterations": lambda epochs: [
        {"type": "CosineAnnealingLR", "by_epoch": True, "end": epochs, "convert_to_iter_based": True}
    ],
    "poly": lambda epochs: [{"type": "PolyLR", "by_epoch": False, "power": 0.9, "end": epochs * LENGTH + 1}],
    "one more": lambda epochs: [WARM_UP, {"type": "ExponentialLR", "by_epoch": True, "gamma": 0.8}][: epochs - 1],
    "momentum": lambda epochs: [{"type": "CosineAnnealingMomentum", "by_epoch": False, "end": epochs * LENGTH}],
}


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("iterations", [10, 8], ids=["at the end", "within an epoch"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_training_resumed_to_train_longer_follows_the_longer_schedule(name, iterations, kind):
    whole = Training(SCHEDULES[name](4), 4, kind).run(20)
    short = Training(SCHEDULES[name](2), 2, kind)
    short.run(iterations)
    longer = Training(SCHEDULES[name](4), 4, kind)
    longer.resume(short.checkpoint())
    assert longer.run(20 - iterations) == whole[iterations:]


def test_the_same_schedule_is_resumed_as_it_was(monkeypatch):
    training = Training(SCHEDULES["steps"](4), 4)
    training.run(9)
    checkpoint = training.checkpoint()
    checkpoint["optimizer"]["param_groups"][0]["lr"] = 0.017  # as if a metric had changed it
    said = []
    monkeypatch.setattr(schedules, "print_log", lambda *text: said.append(text))
    again = Training(SCHEDULES["steps"](4), 4)
    again.resume(checkpoint)
    assert again.run(1)[0][0][0] == 0.017
    assert not said


def test_settings_of_the_optimizer_are_the_configs_unless_they_are_scheduled(monkeypatch):
    said = []
    monkeypatch.setattr(schedules, "print_log", lambda text, *_: said.append(text))
    training = Training(SCHEDULES["momentum"](2), 2)
    training.run(3)
    checkpoint = training.checkpoint()
    momentum = checkpoint["optimizer"]["param_groups"][0]["momentum"]
    for group in checkpoint["optimizer"]["param_groups"]:
        group.update(lr=0.7, weight_decay=0.1, nesterov=True)
    optimizer = {"type": "SGD", "lr": 0.7, "momentum": 0.9, "weight_decay": 0.1}
    checkpoint["meta"]["cfg"] = f"optim_wrapper = dict(optimizer=dict({optimizer}))"
    again = Training(SCHEDULES["momentum"](2), 2)
    again.cfg["optim_wrapper"] = {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.5}}
    again.resume(checkpoint)
    groups = again.optim_wrapper.optimizer.param_groups
    assert [[group[key] for group in groups] for key in ("lr", "weight_decay", "nesterov")] == [
        [0.1, 0.3],
        [0, 0],
        [True, True],
    ]
    assert groups[0]["momentum"] == momentum != 0.9
    assert "(lr was 0.7 and is 0.1; weight_decay was 0.1 and is None)" in said[0]
    again.cfg["optim_wrapper"]["optimizer"]["type"] = "Adam"
    with pytest.raises(UserError, match="checkpoint's optimizer is SGD, and the config's Adam cannot go on"):
        again.resume(checkpoint)


def test_a_schedule_that_ends_before_the_training(monkeypatch):
    said = []
    monkeypatch.setattr(schedules, "print_log", lambda text, *_: said.append(text))
    short = Training(SCHEDULES["linear"](2), 2)
    ScheduleHook().before_train(short)
    short.run(10)
    longer = Training(SCHEDULES["linear"](2), 4)
    assert not said
    ScheduleHook().before_train(longer)  # a new one
    expected = r"the learning rate is 0 from iteration 11 on, .* to 20: .*param_scheduler\.0\.end=11"
    assert re.search(expected, said[0])
    with pytest.raises(UserError, match=expected):
        longer.resume(short.checkpoint())


def test_a_training_at_its_end_says_so(monkeypatch):
    said = []
    monkeypatch.setattr(schedules, "print_log", lambda text, *_: said.append(text))
    training = Training(SCHEDULES["cosine"](2), 2)
    training.run(10)
    Training(SCHEDULES["cosine"](2), 2).resume(training.checkpoint())
    assert [text.partition(":")[0] for text in said] == ["nothing is left to train"]
