"""Schedules and settings of a training that is resumed with others, and learning rates that end too early.

A checkpoint holds the settings of its schedulers beside their progress, and mmengine loads both: a training resumed
with a longer schedule would go on with the shorter one, whose learning rate is 0 by then. With the optimizer's settings
it is the same.
"""

import warnings
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import zip_longest
from logging import WARNING
from types import SimpleNamespace
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner

from seg_vton.engine.results import parse_config_text
from seg_vton.errors import UserError

_PROGRESS = ("last_step", "_global_step", "_last_value", "verbose")  # of a scheduler's state; the rest are settings


class ScheduleHook(Hook):
    """Makes a resumed training follow the config's schedule and settings, and names one that ends before the training.

    Schedulers that the config has changed since the checkpoint are run from the start up to the iteration it was
    written at, so the training goes on at the learning rate it would have had with them from the start. Every training
    has this hook. Schedulers that wait for a metric, and those of several optimizers, stay as mmengine resumes them.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Puts the state of changed schedulers, and what the config sets in the optimizer, into the checkpoint."""
        if not runner.cfg.get("resume"):
            return
        _keep_settings(runner, checkpoint)
        saved = checkpoint.get("param_schedulers")
        if not isinstance(saved, list) or not _by_time(runner.param_schedulers):
            return
        changes = _changes(saved, [scheduler.state_dict() for scheduler in runner.param_schedulers])
        if not changes:
            return
        iteration, epoch = checkpoint["meta"]["iter"], checkpoint["meta"]["epoch"]
        length = len(runner.train_loop.dataloader)
        if not epoch * length <= iteration < (epoch + 1) * length:  # another batch size, or counted in iterations
            length = iteration // epoch if epoch else iteration + 1
        schedulers = _detached(runner.param_schedulers)
        for _ in _rates(schedulers, length, 0, iteration):
            pass
        checkpoint["param_schedulers"] = [scheduler.state_dict() for scheduler in schedulers]
        names = {scheduler.param_name for scheduler in schedulers} | {"betas"}  # momentum is the first of Adam's
        names |= {f"initial_{name}" for name in names}
        optimizer = checkpoint["optimizer"]
        groups = [*optimizer["param_groups"], optimizer.get("base_param_settings") or {}]  # the latter for the log
        for before, now in zip(groups, schedulers[0].optimizer.param_groups, strict=False):
            before.update({name: now[name] for name in names & now.keys()})
        rate = schedulers[0].optimizer.param_groups[0]["lr"]
        print_log(
            f"param_scheduler differs from the checkpoint's ({'; '.join(changes)}); the config's is used: the learning "
            f"rate of iteration {iteration + 1} is {rate:g}",
            "current",
        )

    def before_train(self, runner: Runner) -> None:
        """Says where nothing is left to train.

        Raises:
            UserError: a resumed training would go on at the learning rate 0; a new one is warned of it.
        """
        loop, resumed = runner.train_loop, bool(runner.cfg.get("resume"))
        if resumed and loop.iter >= loop.max_iters:
            print_log(
                f"nothing is left to train: the checkpoint is of iteration {loop.iter} and this training ends after "
                f"{loop.max_iters}. Set train_cfg.max_iters or max_epochs, and the ends of param_scheduler, to train "
                "longer",
                "current",
                WARNING,
            )
        if loop.iter >= loop.max_iters or not _by_time(runner.param_schedulers):
            return
        length = len(loop.dataloader) if isinstance(loop, EpochBasedTrainLoop) else loop.max_iters
        schedulers, last = _detached(runner.param_schedulers), loop.iter - 1
        for iteration, rate in enumerate(_rates(schedulers, length, loop.iter, loop.max_iters), loop.iter):
            last = iteration if rate > 0 else last
        if last >= loop.max_iters - 2:  # the last step of many schedules is one to 0
            return
        ends = [f"param_scheduler.{n}.end={s.end}{' epochs' if s.by_epoch else ''}" for n, s in enumerate(schedulers)]
        message = (
            f"the learning rate is 0 from iteration {last + 2} on, but the training goes on to {loop.max_iters}: "
            f"its schedule ({', '.join(ends)}) is shorter. Set the schedule's end and train_cfg to the same length"
        )
        if resumed:
            raise UserError(message)
        print_log(message, "current", WARNING)


def _keep_settings(runner: Runner, checkpoint: dict[str, Any]) -> None:
    """Puts settings of the optimizer that the config has changed since into the checkpoint, but for scheduled ones.

    `UserError` where it names another optimizer. Nothing is done for several optimizers, nor for checkpoints that do
    not know their config.
    """
    text, groups = checkpoint["meta"].get("cfg"), checkpoint["optimizer"].get("param_groups")
    trained = (parse_config_text(text) if isinstance(text, str) else None) or {}
    before, now = ((config.get("optim_wrapper") or {}).get("optimizer") for config in (trained, runner.cfg))
    if not before or not now or groups is None:
        return
    if before.get("type") != now.get("type"):
        raise UserError(
            f"the checkpoint's optimizer is {before.get('type')}, and the config's {now.get('type')} cannot go on with "
            "its state. To start anew from these weights set load_from instead of --resume"
        )
    scheduled = {scheduler.param_name for scheduler in runner.param_schedulers or ()}
    scheduled |= {"betas"} if "momentum" in scheduled else set()
    changed = [key for key in before | now if key not in scheduled and before.get(key) != now.get(key)]
    for group, own in zip(groups, runner.optim_wrapper.param_groups, strict=False):
        group.update({key: own[key] for key in changed if key in own})
    if changed:
        changes = (f"{key} was {before.get(key)} and is {now.get(key)}" for key in changed)
        print_log(
            f"the optimizer differs from the checkpoint's ({'; '.join(changes)}): the config's is used", "current"
        )


def _by_time(schedulers: Any) -> bool:
    """Whether there are schedulers of one optimizer, and none waits for a metric."""
    return (
        isinstance(schedulers, list) and schedulers != [] and not any(hasattr(s, "need_val_args") for s in schedulers)
    )


def _changes(saved: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[str]:
    """The settings that differ between the states of schedulers, in words."""
    changes = []
    for index, (before, now) in enumerate(zip_longest(saved, new)):
        if before is None or now is None:
            changes.append(f"{index} {'is new' if before is None else 'is gone'}")
            continue
        keys = [k for k in before | now if k not in _PROGRESS and before.get(k) != now.get(k)]
        changes += [f"{index}.{k} was {before.get(k)} and is {now.get(k)}" for k in keys]
    return changes


def _detached(schedulers: Sequence[Any]) -> list[Any]:
    """Copies of schedulers, on copies of their optimizer's settings."""
    groups = [{k: v for k, v in group.items() if k != "params"} for group in schedulers[0].optimizer.param_groups]
    optimizer, copies = SimpleNamespace(param_groups=groups, step=None), [copy(scheduler) for scheduler in schedulers]
    for scheduler in copies:
        scheduler.optimizer = optimizer
    return copies


def _rates(schedulers: Sequence[Any], length: int, start: int, stop: int) -> Iterator[float]:
    """Steps schedulers through iterations as a training does; yields the highest learning rate of each before it.

    Args:
        schedulers: what `_detached` returned, as they are at iteration `start`.
        length: iterations of an epoch.
        start: the first iteration, from 0.
        stop: the one after the last.
    """
    by_iteration, by_epoch = ([s for s in schedulers if s.by_epoch == kind] for kind in (False, True))
    for iteration in range(start, stop):
        yield max(group["lr"] for group in schedulers[0].optimizer.param_groups)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an optimizer that does not step
            for scheduler in by_iteration if (iteration + 1) % length else (*by_iteration, *by_epoch):
                scheduler.step()
