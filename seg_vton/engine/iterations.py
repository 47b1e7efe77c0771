"""Training counted in iterations that a resumed run continues exactly: data order and random numbers by iteration.

mmengine's `IterBasedTrainLoop` finds its place in the data by loading every batch again (upstream 0.10.7) and never
restores random states. Here both are functions of the seed and the iteration's number, so that nothing has to be
replayed: a run that was killed and resumed ends with the weights of one that was not, bit for bit on the CPU.
"""

from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import count
from typing import Any

import torch
from mmengine.dist import get_dist_info, get_rank, sync_random_seed
from mmengine.registry import DATA_SAMPLERS, LOOPS
from mmengine.runner import IterBasedTrainLoop, set_random_seed
from torch import nn
from torch.utils.data import Sampler, get_worker_info

from seg_vton.engine.randomness import mixed_seed
from seg_vton.errors import UserError

# What a drawn seed is for: the same iteration needs several that have nothing in common.
_ORDER, _DATA, _STEP = range(3)


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(Sampler[int]):
    """An endless stream of indices, shuffled anew in every pass over the data, that can start anywhere.

    All processes share one stream and take its entries in turn. The order of a pass is a function of the seed and the
    pass's number, so any place in the stream is found without drawing what lies before it.

    Args:
        dataset: what is sampled; only its length is used.
        shuffle: False takes every pass in the data set's order.
        seed: the same in all processes; None takes a random one that they agree on.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.size, self.shuffle = len(dataset), shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0

    def skip(self, num_samples: int) -> None:
        """Makes the next iterator start after so many indices of this process, counted from the stream's start."""
        self.start = num_samples

    def __iter__(self) -> Iterator[int]:
        """Yields indices without end."""
        first, offset = divmod(self.start * self.world_size + self.rank, self.size)
        for number in count(first):
            order = torch.arange(self.size)
            if self.shuffle:
                generator = torch.Generator().manual_seed(mixed_seed(self.seed, _ORDER, number))
                order = torch.randperm(self.size, generator=generator)
            yield from order[offset :: self.world_size].tolist()
            offset = (offset - self.size) % self.world_size  # a pass rarely ends with the last process's turn

    def __len__(self) -> int:
        """Length of one pass, as mmengine's endless sampler has it."""
        return self.size


class _WorkerSeeds:
    """Seeds a loader's worker for every batch by the iteration that the batch is for, whoever loads it.

    torch deals batches to the workers in turn, so a worker knows its next one's number: it is seeded as it starts, and
    then each time that it has put a batch together.
    """

    def __init__(self, collate: Callable[[Sequence[Any]], Any], seed: int, rank: int, iteration: int) -> None:
        self.collate, self.seed, self.rank, self.iteration = collate, seed, rank, iteration
        self.batches = 0

    def start(self, worker_id: int) -> None:
        """The loader's `worker_init_fn`."""
        set_random_seed(mixed_seed(self.seed, _DATA, self.rank, self.iteration + worker_id))

    def __call__(self, items: Sequence[Any]) -> Any:
        """The loader's `collate_fn`."""
        batch, worker = self.collate(items), get_worker_info()
        if worker is not None:
            self.batches += 1
            iteration = self.iteration + worker.id + self.batches * worker.num_workers
            set_random_seed(mixed_seed(self.seed, _DATA, self.rank, iteration))
        return batch


@LOOPS.register_module()
class SeededIterBasedTrainLoop(IterBasedTrainLoop):
    """mmengine's loop over iterations, with the data order and the random numbers of each set by seed and number.

    Each iteration seeds Python, numpy and torch anew: for loading its batch (also in workers, so that their number does
    not matter) and for its training step, differently in each process. The train loader needs `SeededInfiniteSampler`.
    Arguments are those of `IterBasedTrainLoop`.
    """

    def run(self) -> nn.Module:
        """Trains up to `max_iters` from wherever the runner stands; `UserError` where the loader cannot start there."""
        runner = self.runner
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")  # the whole training is one epoch, as in mmengine's loop
        loader = self.dataloader
        if not isinstance(loader.sampler, SeededInfiniteSampler) or loader.persistent_workers:
            raise UserError(
                "SeededIterBasedTrainLoop needs train_dataloader.sampler.type='SeededInfiniteSampler' and "
                f"persistent_workers=False, found {type(loader.sampler).__name__} and {loader.persistent_workers}; one "
                "iterator serves the whole training, so workers are kept anyway"
            )
        loader.sampler.skip(self.iter * loader.batch_size)
        seeds = _WorkerSeeds(loader.collate_fn, runner.seed, get_rank(), self.iter)
        loader.collate_fn, loader.worker_init_fn = seeds, seeds.start
        self.dataloader_iterator = iter(loader)
        while self.iter < self.max_iters and not self.stop_training:
            runner.model.train()
            self._seed(_DATA)
            batch = next(self.dataloader_iterator)
            self._seed(_STEP)
            self.run_iter(batch)
            self._decide_current_val_interval()
            due = self.iter % self.val_interval == 0 or self.iter == self.max_iters
            if runner.val_loop is not None and self.iter >= self.val_begin and due:
                runner.val_loop.run()
        self.dataloader_iterator = None  # ends the workers now, not whenever garbage is collected
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        return runner.model

    def _seed(self, purpose: int) -> None:
        set_random_seed(mixed_seed(self.runner.seed, purpose, get_rank(), self.iter))
