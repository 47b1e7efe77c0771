"""From a config and command-line options to a Runner: mmdet's flags, plus the CPU."""

import errno
import os
import traceback
from logging import WARNING
from pathlib import Path

import torch
import torch.distributed
from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.visualization import vis_backend

from seg_vton import machine
from seg_vton.engine.configs import blamed_on_config
from seg_vton.engine.configs import load_config as load_config
from seg_vton.engine.hooks import CheckpointFitHook, NonFiniteLossHook, OriginHook
from seg_vton.engine.samples import explain_faults
from seg_vton.engine.saving import find_good_checkpoint
from seg_vton.engine.schedules import ScheduleHook
from seg_vton.errors import UserError
from seg_vton.files import remove_leftovers

_PLAIN = {
    "CheckpointHook": "a training that is asked to end saves nothing, and NaN weights are saved; "
    "PreemptibleCheckpointHook ends with a checkpoint and keeps the last good one",
    "EpochBasedTrainLoop": "a training resumes where an epoch starts; ResumableEpochBasedTrainLoop goes on within one",
    "IterBasedTrainLoop": "a resumed training draws other numbers than one that was not interrupted; "
    "SeededIterBasedTrainLoop draws the same",
}
"""What a training does without where a config names a class of mmengine's, and which of ours does it."""


def trained_checkpoint(config: Config) -> Path:
    """The file with which a config's training ends, there or not; `UserError` where it trains nothing."""
    training = config.get("train_cfg") or {}
    for name, key in (("iter", "max_iters"), ("epoch", "max_epochs")):
        if key in training:
            return Path(config.work_dir) / f"{name}_{training[key]}.pth"
    raise UserError(f"config {config.filename} has no train_cfg that says where its training ends: name a checkpoint")


def enable_amp(config: Config) -> None:
    """Trains in mixed precision: float16 with a loss scale on CUDA, as mmdet does, bfloat16 on the CPU."""
    if torch.cuda.is_available():
        config.optim_wrapper.type = "AmpOptimWrapper"
        config.optim_wrapper.loss_scale = "dynamic"
    else:
        config.optim_wrapper.type = "BFloat16OptimWrapper"
        if not machine.has_bfloat16():
            print_log("this CPU has no bfloat16 units: --amp will be slower than float32 here", "current", WARNING)


def enable_auto_scale_lr(config: Config) -> None:
    """Scales the learning rate with the batch over all processes, where the config says which batch it is for."""
    if "base_batch_size" not in (config.get("auto_scale_lr") or {}):
        raise UserError(f"{config.filename} has no auto_scale_lr.base_batch_size, so --auto-scale-lr cannot scale")
    config.auto_scale_lr.enable = True


def set_resume(config: Config, resume: str) -> None:
    """Resumes from a checkpoint file, or with 'auto' from the last whole one in the work dir (`find_good_checkpoint`).

    'auto' starts the training as the config says where there is none yet, from its `load_from` if it has one, so that
    the same command starts a training and goes on with it.
    """
    last = find_good_checkpoint(config.work_dir) if resume == "auto" else resume
    config.resume = bool(last)
    if last:
        config.load_from = str(last)
    else:
        start = config.get("load_from") or "scratch"
        print_log(f"no checkpoint in {config.work_dir} to resume from: starting from {start}", "current")


def build_runner(config: Config) -> Runner:
    """Builds the Runner, on the CPU also for several processes.

    mmengine's start-up of several processes binds each to a GPU. Without one, processes talk through gloo and the model
    is wrapped without device ids. A checkpoint to resume from must be the model's own and hold the training's state.
    `UserError` where a package is missing that a backend of the visualizer needs, the work dir cannot be used, or a
    part of the config cannot be built.
    """
    try:
        Path(config.work_dir).mkdir(parents=True, exist_ok=True)
        if not os.access(config.work_dir, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(
            f"work dir {config.work_dir} cannot be made or written to: {error.strerror}. Choose another --work-dir"
        ) from None
    on_cpu = config.launcher == "pytorch" and not torch.cuda.is_available()
    if on_cpu and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
    if config.launcher != "none":
        _choose_wrapper(config, on_cpu)
    # mmengine reads it where it wraps the model, and MPI calls it otherwise.
    os.environ.setdefault("LOCAL_RANK", os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK", "0"))
    try:
        with blamed_on_config(config):
            runner = RUNNERS.build(config) if "runner_type" in config else Runner.from_cfg(config)
    except ImportError as error:
        if traceback.extract_tb(error.__traceback__)[-1].filename != vis_backend.__file__:
            raise
        raise UserError(f"{config.filename}: visualizer.vis_backends needs a package: {error}") from error
    if not any(isinstance(hook, NonFiniteLossHook) for hook in runner.hooks):
        runner.register_hook(NonFiniteLossHook())
    if config.get("resume"):
        runner.register_hook(CheckpointFitHook(config.get("load_from") or f"in {config.work_dir}", resume=True))
    return runner


def train(config: Config) -> None:
    """Builds the Runner and trains; a worker's or another process's death is a `UserError` too."""
    remove_leftovers(config.work_dir)
    if config.get("resume") and config.get("load_from") is None:  # mmengine's own search takes no second look
        set_resume(config, "auto")
    checkpoint = (config.get("default_hooks") or {}).get("checkpoint") or {}
    for found in (checkpoint.get("type", "CheckpointHook"), config.train_cfg.get("type", "EpochBasedTrainLoop")):
        if found in _PLAIN:
            print_log(f"{found}: {_PLAIN[found]}", "current", WARNING)
    runner = build_runner(config)
    runner.register_hook(OriginHook())
    runner.register_hook(ScheduleHook())
    if config.get("load_from") and not config.get("resume"):
        runner.register_hook(CheckpointFitHook(config.load_from, partly=True))
    with explain_faults(), blamed_on_config(config):
        runner.train()


def _choose_wrapper(config: Config, on_cpu: bool) -> None:
    """Says what wraps the model in several processes, as far as the config does not; the defaults are mmengine's."""
    wrapper = config.setdefault("model_wrapper_cfg", ConfigDict())
    channels_last = any(hook.get("type") == "ChannelsLastHook" for hook in config.get("custom_hooks") or [])
    wrapper.setdefault("type", f"{'ChannelsLast' if channels_last else 'MM'}DistributedDataParallel")
    wrapper.setdefault("broadcast_buffers", False)
    wrapper.setdefault("find_unused_parameters", config.get("find_unused_parameters", False))
    if on_cpu:
        wrapper.device_ids = None  # else mmengine puts the local rank there, which must then be a GPU
