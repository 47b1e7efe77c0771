"""Hooks that both halves use."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.registry import HOOKS, MODEL_WRAPPERS
from mmengine.runner import Runner, set_random_seed
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from seg_vton.engine.checkpoint import check_fits, trained_classes
from seg_vton.engine.configs import heads_of
from seg_vton.engine.results import ORIGIN, origin
from seg_vton.engine.samples import SeededSamples
from seg_vton.errors import UserError
from seg_vton.ops.cpu_forms import use_cpu_forms


@MODEL_WRAPPERS.register_module()
class ChannelsLastDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper for several processes around a model whose 4-D weights it converts to channels-last (NHWC).

    torch lays its gradient buckets out as the weights are when it wraps the model. Weights converted later meet buckets
    of the old layout in the first iteration, whose gradients come back with their values in the wrong places, without a
    word (torch 2.11). So the weights are converted first. Arguments are those of `MMDistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__(module.to(memory_format=torch.channels_last), *args, **kwargs)


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keeps the model's 4-D weights in channels-last (NHWC) memory, which CPU and GPU convolutions prefer.

    Activations follow the weights, results are the same up to rounding, and a checkpoint can be loaded with or without
    the hook. In several processes the weights must be converted before the model is wrapped: `engine.launch` then wraps
    it in `ChannelsLastDistributedDataParallel`, and under any other wrapper this hook leaves them alone.
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
class CPUFormsHook(Hook):
    """Puts forms that are faster on the CPU in the place of layers, see `use_cpu_forms`; does nothing on a GPU.

    A checkpoint can be loaded with or without the hook.
    """

    def before_run(self, runner: Runner) -> None:
        """Changes the layers once the model is built, before any loop starts."""
        use_cpu_forms(runner.model)


@HOOKS.register_module()
class FoldBatchNormHook(Hook):
    """Folds batch normalization into convolutions before a test: less memory traffic, same results up to rounding.

    A test normalizes with fixed statistics: a scale and a shift for each channel, and a convolution can do both.
    Training and the validations within it are left as they are. In a config: `custom_hooks =
    [dict(type='FoldBatchNormHook')]`. It is for detectors: GMM has its batch normalization behind a ReLU.
    """

    def before_test(self, runner: Runner) -> None:
        """Folds in place, once the checkpoint is in the model.

        `UserError` where something stands between a convolution and the batch normalization that would be folded into
        it.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # mmcv folds batch normalization into the last convolution among the children before it, whatever follows that.
        for name, module in model.named_modules():
            convolution, between = None, []
            for child_name, child in module.named_children():
                if isinstance(child, nn.Conv2d):
                    convolution, between = child_name, []
                elif not isinstance(child, _BatchNorm):  # what mmcv asks for; torch's name for all kinds of it
                    between.append(f"{child_name} ({type(child).__name__})")
                elif convolution is not None and between:
                    raise UserError(
                        f"FoldBatchNormHook cannot fold {child_name} of {name or type(module).__name__} into "
                        f"{convolution}: {', '.join(between)} stands between them. Take the hook out of custom_hooks"
                    )
                else:
                    convolution = None
        with torch.no_grad():
            fuse_conv_bn(model)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds every epoch by its number, and the loading of each sample by epoch and index.

    mmengine restores weights, optimizer, schedules and the sampler's order, but not the random state behind flips and
    RoI sampling, and its loader's workers draw each in an order of its own. This hook sets the main process's state by
    seed and epoch, and `SeededSamples` loads each sample in a state of its own. So a resumed run draws what an
    uninterrupted one would have drawn, and one with two workers what one without any draws. Workers must be started
    anew each epoch: `persistent_workers=False` in the train loader.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Seeds the main process and the samples that the epoch will load."""
        loader = runner.train_dataloader
        if loader.num_workers and loader.persistent_workers:
            raise UserError(
                "EpochSeedHook needs train_dataloader.persistent_workers=False: kept workers are never reseeded"
            )
        # Ranks and workers within an epoch add small numbers to the seed: the strides keep epochs and runs apart.
        seed = (1_000_003 * runner.seed + 10_007 * runner.epoch) % 2**31
        set_random_seed(seed)
        # What draws outside of samples, a collate function that mixes images say.
        loader.worker_init_fn = partial(worker_init_fn, num_workers=loader.num_workers, rank=get_rank(), seed=seed)
        if isinstance(loader.dataset, SeededSamples):
            loader.dataset.seed_samples(runner.seed, runner.epoch)
        elif runner.epoch == 0:
            print_log(
                f"samples of {type(loader.dataset).__name__} draw random numbers in the order of loading: "
                "another number of workers trains differently (see seg_vton.engine.samples.SeededSamples)",
                logger="current",
            )


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stops a training whose loss is NaN or infinite for `patience` steps in a row, with the images of the batch.

    Single steps can recover (a skipped step of mixed precision, say); several in a row do not. Every training has this
    hook; `custom_hooks = [dict(type='NonFiniteLossHook', patience=1)]` sets the number.
    """

    def __init__(self, patience: int = 5) -> None:
        if patience < 1:
            raise UserError(f"NonFiniteLossHook: patience is {patience}: it must be 1 or more steps")
        self.patience, self.count = patience, 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Counts; raises `UserError` at the last step of so many."""
        loss = torch.as_tensor((outputs or {}).get("loss", 0.0))
        if loss.isfinite().all():
            self.count = 0
            return
        self.count += 1
        images = ", ".join(
            f"{s.get('img_id', s.get('person', '?'))} ({s.get('img_path') or s.get('image_path') or 'no file'})"
            for s in data_batch["data_samples"]
        )
        message = f"the loss of iteration {runner.iter + 1} is {loss.item()}, the batch: {images}"
        if self.count < self.patience:
            print_log(message, logger="current", level=logging.WARNING)
            return
        raise UserError(
            f"{message}. It was not finite for {self.count} steps in a row: lower the learning rate or look at these "
            "images; the last good checkpoint stays and --resume goes on from it"
        )


class OriginHook(Hook):
    """Notes in every checkpoint the commit, command and date of the training, for the results of its tests.

    They are taken when the hook is made, before the training: files may change while it runs.
    """

    def __init__(self) -> None:
        self._origin = origin()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Adds them to the checkpoint's `meta`."""
        checkpoint["meta"][ORIGIN] = self._origin


class CheckpointFitHook(Hook):
    """Refuses a checkpoint that is not the model's before a test or a training uses it.

    mmengine loads whatever fits and warns about the rest, which is right for transfer (`load_from`) alone: with
    `partly` something must fit. `path` is for the message; to `resume`, a checkpoint must also hold what a training
    needs to go on. A detector's classes must be the data set's, in its order.
    """

    def __init__(self, path: str, resume: bool = False, partly: bool = False) -> None:
        self.path, self.resume, self.partly = path, resume, partly

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Raises `UserError` before it gets into the model; see `check_fits`."""
        check_fits(runner.model, checkpoint, self.path, self.partly)
        if self.partly:
            return
        trained = trained_classes(checkpoint)
        if trained and any(heads_of(runner.cfg.get("model"))):
            loop = runner.train_loop if self.resume else runner.test_loop
            classes = getattr(loop.dataloader.dataset, "metainfo", {}).get("classes") or ()
            if trained != tuple(classes):
                raise UserError(
                    f"checkpoint {self.path} knows the classes {', '.join(trained)} in this order, and the data set "
                    f"has {', '.join(classes)}: set metainfo=dict(classes=...) of the data set to the checkpoint's"
                )
        missing = [key for key in ("meta", "optimizer", "message_hub") if not isinstance(checkpoint.get(key), Mapping)]
        missing += [f"meta.{key}" for key in ("epoch", "iter") if not missing and key not in checkpoint["meta"]]
        if self.resume and missing:
            raise UserError(
                f"checkpoint {self.path} has no {' and no '.join(missing)}: no training can go on from it, as from "
                "weights alone, or those of mmdet 2.x. To start a new one from these weights set load_from instead of "
                "--resume"
            )
