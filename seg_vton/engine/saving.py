"""Saving a training so that there is always a good checkpoint, and finding it again."""

import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, get_rank, get_world_size, is_main_process
from mmengine.fileio.backends import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner

from seg_vton.engine.checkpoint import checkpoint_meta, load_checkpoint_file, not_finite
from seg_vton.engine.randomness import random_state, set_random_state
from seg_vton.errors import DamagedFileError, UserError
from seg_vton.files import atomic_path, write_text
from seg_vton.processes import leave_process_group

MARK = "last_checkpoint"
"""The file in a work dir that names its last checkpoint; mmengine's."""

_NAME = re.compile(r"(epoch|iter)_\d+\.pth")


@register_backend("local", force=True, prefixes="")
class AtomicLocalBackend(LocalBackend):
    """What mmengine writes to local paths with: temporary name, flush, rename. A run killed then keeps the old file."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes bytes; an existing file is replaced in one step."""
        with atomic_path(filepath, overwrite=True) as temporary:
            temporary.write_bytes(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Writes text; an existing file is replaced in one step."""
        self.put(obj.encode(encoding), filepath)


def find_good_checkpoint(work_dir: str | Path) -> Path | None:
    """The last whole checkpoint in a work dir, None where there is none; the log names those that are not whole.

    `UserError` where there are checkpoints and none is whole, or one that asks for more than data is refused.
    """
    folder, mark = Path(work_dir), Path(work_dir) / MARK
    named = Path(mark.read_text(encoding="utf-8", errors="replace").strip()) if mark.is_file() else Path()
    # The mark has a whole path; the work dir may have been moved or copied since, and its own file is meant then.
    first = next((path for path in (folder / named.name, named) if named.name and path.is_file()), None)
    folders = {folder, (first or named).parent} if named.name else {folder}
    found = {path for f in folders if f.is_dir() for path in f.iterdir() if _NAME.fullmatch(path.name)}
    candidates = sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    if first:
        candidates = [first, *(path for path in candidates if path != first)]
    for path in candidates:
        try:
            load_checkpoint_file(path, "cpu")
        except DamagedFileError as error:
            print_log(f"{error}. The one before it is used", logger="current", level=logging.WARNING)
            continue
        return path
    if candidates:
        raise UserError(
            f"none of the {len(candidates)} checkpoints in {work_dir} can be read, {candidates[0]} for one: remove "
            "them to start anew, or choose another --work-dir"
        )
    return None


@LOOPS.register_module()
class ResumableEpochBasedTrainLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs, which can also go on within an epoch as if it had never been interrupted.

    The batches that were seen before are loaded again and left out, which brings the loader's workers to where they
    were; then the random state of the main process is put back. Arguments are those of `EpochBasedTrainLoop`.

    Attributes:
        interrupted: what `PreemptibleCheckpointHook` put into the checkpoint that is resumed from, if that was within
            an epoch: `epoch_length`, and `random_states` by process.
    """

    interrupted: dict[str, Any] | None = None

    def run_epoch(self) -> None:
        """Trains for one epoch, or for what is left of it."""
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        seen = 0
        if self.interrupted is not None:
            length, states = self.interrupted["epoch_length"], self.interrupted["random_states"]
            if length != len(self.dataloader) or len(states) != get_world_size():
                raise UserError(
                    f"the checkpoint was written within an epoch of {length} iterations by {len(states)} processes, "
                    f"and this training has {len(self.dataloader)} and {get_world_size()}: resume with the same batch "
                    "size, data and processes, or from the checkpoint of an epoch's end"
                )
            seen = self.iter - self.epoch * length
            print_log(f"going on within epoch {self.epoch + 1}: {seen} batches are loaded and skipped", "current")
        for index, batch in enumerate(self.dataloader):
            if index >= seen:
                self.run_iter(index, batch)
            elif index == seen - 1:
                set_random_state(states[get_rank()])
        self.interrupted = None
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1


@HOOKS.register_module()
class PreemptibleCheckpointHook(CheckpointHook):
    """mmengine's hook for checkpoints, which never is without a good one and saves one more when asked to end.

    - With `max_keep_ckpts` the oldest checkpoint goes when the new one is there, not before.
    - Weights that are not finite are not saved: the last good checkpoint stays the last.
    - On SIGTERM and SIGINT a checkpoint is written after the iteration under way and the process ends with code 143 or
      130. Resuming goes on from that iteration. A second signal ends it at once, unless it comes within 5 seconds:
      a scheduler signals torchrun and its processes, and torchrun signals these again.

    Arguments are those of `CheckpointHook`.
    """

    _signal = 0

    def before_train(self, runner: Runner) -> None:
        """Prepares for signals; Python lets the main thread alone handle them."""
        super().before_train(runner)
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}

    def after_train(self, runner: Runner) -> None:
        """Puts the handlers of signals back."""
        super().after_train(runner)
        for number, handler in getattr(self, "_handlers", {}).items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal; a loader's worker leaves it to the main process, which still needs its batch."""
        if os.getpid() != self._process:
            return
        if not self._signal:
            self._signal, self._signalled = number, time.monotonic()
        elif time.monotonic() - self._signalled > 5:
            sys.exit(128 + number)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Hands on the place in an epoch and the seed, and keeps the config's kind of optimizer."""
        if not runner.cfg.get("resume"):
            return
        meta = checkpoint_meta(checkpoint)
        runner.train_loop.interrupted = meta.get("interrupted")
        # mmengine gives the run the checkpoint's seed, but the sampler was built with the config's, or a random one.
        sampler = getattr(runner.train_loop.dataloader.batch_sampler, "sampler", None)
        if meta.get("seed") is not None and getattr(sampler, "seed", None) == runner.seed:
            sampler.seed = meta["seed"]
        # A fused optimizer whose checkpoint says that it is not would fail at the first step of mixed precision.
        own = getattr(getattr(runner.optim_wrapper, "optimizer", None), "defaults", {})
        for group in checkpoint["optimizer"].get("param_groups", ()):
            group.update({key: own[key] for key in ("fused", "foreach") if key in own})

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Saves where it is time; ends where a signal came to any process."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        number = torch.tensor(self._signal)
        all_reduce(number, "max")  # nothing in a single process
        if number:
            self._end(runner, int(number), runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Ends where a signal came; of several processes in the next training iteration, which all of them reach."""
        if self._signal and get_world_size() == 1:
            self._end(runner, self._signal, runner.iter)

    def _end(self, runner: Runner, number: int, done: int) -> None:
        """Saves after `done` iterations and ends the process."""
        loop, name = runner.train_loop, signal.Signals(number).name
        if isinstance(loop, EpochBasedTrainLoop) and not isinstance(loop, ResumableEpochBasedTrainLoop):
            print_log(f"{name}: {type(loop).__name__} cannot resume within an epoch, so nothing is saved", "current")
        else:
            meta: dict[str, Any] = {"epoch": runner.epoch, "iter": done}
            if isinstance(loop, EpochBasedTrainLoop) and done > runner.epoch * len(loop.dataloader):
                states = all_gather_object(random_state())
                meta["interrupted"] = {"epoch_length": len(loop.dataloader), "random_states": states}
            print_log(f"{name}: saving after iteration {done}, `--resume` goes on from it", logger="current")
            if not self.by_epoch:
                self._save_checkpoint_with_step(runner, done, meta)
            elif not not_finite(runner.model.state_dict()):
                file = f"iter_{done}.pth"  # which the next checkpoint of an epoch removes
                runner.save_checkpoint(self.out_dir, file, meta=meta, by_epoch=False, backend_args=self.backend_args)
                if is_main_process():
                    write_text(Path(runner.work_dir) / MARK, str(Path(self.out_dir) / file), overwrite=True)
        leave_process_group()
        sys.exit(128 + number)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Saves, then removes what `max_keep_ckpts` leaves out.

        mmengine's own method, which all of its ways to save go through: no public one could leave a checkpoint out.
        """
        if not_finite(runner.model.state_dict()):
            print_log("the weights hold NaN or infinity and are not saved", logger="current", level=logging.ERROR)
            return
        full = 0 < self.max_keep_ckpts == len(self.keep_ckpt_ids)
        outdated = self.keep_ckpt_ids.popleft() if full and self.keep_ckpt_ids[-1] != step else None
        super()._save_checkpoint_with_step(runner, step, meta)
        if outdated is not None and is_main_process():
            (Path(self.out_dir) / self.filename_tmpl.format(outdated)).unlink(missing_ok=True)
        if self.by_epoch and is_main_process():
            for path in Path(self.out_dir).glob("iter_*.pth"):
                if _NAME.fullmatch(path.name):  # of `_end`, and no copy of a user's
                    path.unlink()
