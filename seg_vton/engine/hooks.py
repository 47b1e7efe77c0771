"""Hooks that both halves use."""

from __future__ import annotations

from functools import partial

import torch
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner, set_random_seed


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keeps the model's 4-D weights in channels-last (NHWC) memory, which CPU and GPU convolutions prefer.

    Activations follow the weights, results are the same up to rounding, and a checkpoint can be loaded with or without
    the hook. In a config: `custom_hooks = [dict(type='ChannelsLastHook')]`.
    """

    priority = "VERY_HIGH"

    def before_run(self, runner: Runner) -> None:
        """Converts the weights once the model is built, before any loop starts."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.to(memory_format=torch.channels_last)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds every epoch by its number, so that a resumed run draws what an uninterrupted one would have drawn.

    mmengine restores weights, optimiser, schedules and the sampler's order, but not the random state behind flips and
    RoI sampling. This hook sets it to `seed + epoch` in the main process and hands the loader's workers a seed of
    their own for the epoch. Workers must be started anew each epoch: `persistent_workers=False` in the train loader.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Seeds the main process and the workers that the epoch will start.

        Raises:
            ValueError: the loader keeps its workers, which would go on with the random state of earlier epochs.
        """
        loader = runner.train_dataloader
        if loader.num_workers and loader.persistent_workers:
            raise ValueError(
                "EpochSeedHook needs train_dataloader.persistent_workers=False: kept workers are never reseeded"
            )
        # Ranks and workers within an epoch add small numbers to the seed: the stride keeps epochs apart.
        seed = runner.seed + 10007 * runner.epoch
        set_random_seed(seed)
        loader.worker_init_fn = partial(worker_init_fn, num_workers=loader.num_workers, rank=get_rank(), seed=seed)
