"""Hooks that both halves use."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import torch
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, set_random_seed

from seg_vton.engine.checkpoint import check_fits
from seg_vton.engine.parallel import ChannelsLastDistributedDataParallel
from seg_vton.errors import UserError


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keeps the model's 4-D weights in channels-last (NHWC) memory, which CPU and GPU convolutions prefer.

    Activations follow the weights, results are the same up to rounding, and a checkpoint can be loaded with or without
    the hook. In a config: `custom_hooks = [dict(type='ChannelsLastHook')]`.

    In several processes the weights must be converted before the model is wrapped: `engine.launch` then wraps it in
    `ChannelsLastDistributedDataParallel`, and under any other wrapper this hook leaves them alone.
    """

    priority = "VERY_HIGH"

    def before_run(self, runner: Runner) -> None:
        """Converts the weights once the model is built, before any loop starts."""
        if not is_model_wrapper(runner.model):
            runner.model.to(memory_format=torch.channels_last)
        elif not isinstance(runner.model, ChannelsLastDistributedDataParallel):
            print_log(
                f"ChannelsLastHook converts no weights that are in a {type(runner.model).__name__} already: set "
                "model_wrapper_cfg.type='ChannelsLastDistributedDataParallel'",
                logger="current",
                level=logging.WARNING,
            )


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds every epoch by its number, so that a resumed run draws what an uninterrupted one would have drawn.

    mmengine restores weights, optimiser, schedules and the sampler's order, but not the random state behind flips and
    RoI sampling. This hook sets it from seed and epoch in the main process and hands the loader's workers a seed
    of their own for the epoch. Workers must be started anew each epoch: `persistent_workers=False` in the train loader.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Seeds the main process and the workers that the epoch will start.

        Raises:
            UserError: the loader keeps its workers, which would go on with the random state of earlier epochs.
        """
        loader = runner.train_dataloader
        if loader.num_workers and loader.persistent_workers:
            raise UserError(
                "EpochSeedHook needs train_dataloader.persistent_workers=False: kept workers are never reseeded"
            )
        # Ranks and workers within an epoch add small numbers to the seed: the strides keep epochs and runs apart.
        seed = (1_000_003 * runner.seed + 10_007 * runner.epoch) % 2**31
        set_random_seed(seed)
        loader.worker_init_fn = partial(worker_init_fn, num_workers=loader.num_workers, rank=get_rank(), seed=seed)


class CheckpointFitHook(Hook):
    """Refuses a checkpoint that is not the model's before a test or a resumed training uses it.

    mmengine loads whatever fits and warns about the rest, which is right for transfer (`load_from`) alone.

    Args:
        path: where the checkpoint comes from, for the message.
        resume: whether it must also hold what a training needs to go on.
    """

    def __init__(self, path: str, resume: bool = False) -> None:
        self.path, self.resume = path, resume

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Checks what was read, before it gets into the model.

        Raises:
            UserError: see `check_fits`; or the state of the training is not in the file.
        """
        check_fits(runner.model, checkpoint, self.path)
        missing = [key for key in ("meta", "optimizer") if key not in checkpoint]
        if self.resume and missing:
            raise UserError(
                f"checkpoint {self.path} has no {' and no '.join(missing)}: it holds weights only and no training can "
                "go on from it. To start a new one from these weights set load_from instead of --resume"
            )
