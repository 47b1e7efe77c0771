import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import DATA_SAMPLERS, LOOPS
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed
from torch import nn
from torch.utils.data import DataLoader, Dataset

from seg_vton.engine import iterations
from seg_vton.engine.iterations import SeededInfiniteSampler, SeededIterBasedTrainLoop
from seg_vton.errors import UserError

SIZE = 7  # of the data set: no multiple of the batch, so that batches cross the passes' ends


def draw(sampler, count):
    return list(islice(iter(sampler), count))


# ---- the sampler


@pytest.fixture
def process(monkeypatch):
    """Makes a sampler of one of several processes."""

    def build(rank, world_size, size=SIZE, **settings):
        monkeypatch.setattr(iterations, "get_dist_info", lambda: (rank, world_size))
        return SeededInfiniteSampler(range(size), **{"seed": 3, **settings})

    return build


def test_every_pass_has_each_index_once_in_an_order_of_its_own():
    stream = draw(SeededInfiniteSampler(range(SIZE), seed=0), 4 * SIZE)
    passes = [tuple(stream[i : i + SIZE]) for i in range(0, 4 * SIZE, SIZE)]
    assert all(sorted(one) == list(range(SIZE)) for one in passes)
    assert len(set(passes)) == 4
    assert draw(SeededInfiniteSampler(range(SIZE), seed=0), SIZE) == list(passes[0])
    assert draw(SeededInfiniteSampler(range(SIZE), seed=1), SIZE) not in map(list, passes)


def test_without_shuffling_the_data_sets_order_repeats():
    assert draw(SeededInfiniteSampler(range(3), shuffle=False, seed=0), 7) == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 9])
def test_processes_share_one_stream_by_turns(process, world_size):
    whole = draw(process(0, 1), 5 * SIZE * world_size)
    for rank in range(world_size):
        assert draw(process(rank, world_size), 5 * SIZE) == whole[rank::world_size]


@pytest.mark.parametrize("world_size", [1, 2, 3, 9])
@pytest.mark.parametrize("start", [0, 1, SIZE - 1, SIZE, 3 * SIZE + 2])
def test_it_starts_anywhere(process, world_size, start):
    for rank in range(world_size):
        whole = draw(process(rank, world_size), start + 3 * SIZE)
        later = process(rank, world_size)
        later.skip(start)
        assert draw(later, 3 * SIZE) == whole[start:]


def test_a_late_start_draws_nothing_before_it(monkeypatch):
    sampler = SeededInfiniteSampler(range(1000), seed=0)
    passes = []
    seed = iterations.mixed_seed
    monkeypatch.setattr(iterations, "mixed_seed", lambda *numbers: passes.append(numbers[-1]) or seed(*numbers))
    sampler.skip(800_000_001)
    draw(sampler, 10)
    assert passes == [800_000]


# ---- the loop


class Noisy(Dataset):
    """A few vectors with noise from torch, numpy and Python; counts how often an item is read in this process."""

    def __init__(self):
        self.read = 0

    def __len__(self):
        """SIZE items."""
        return SIZE

    def __getitem__(self, index):
        """An item of four numbers."""
        self.read += 1
        noise = [torch.rand(()).item(), np.random.rand(), random.random()]  # noqa: NPY002  what transforms use
        return torch.tensor([index / SIZE, *noise])


class Dropping(BaseModel):
    """A model that draws random numbers in training, keeps running statistics, and records its losses."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.losses = []

    def forward(self, inputs, mode="tensor"):
        """The loss, or the output."""
        output = self.layers(inputs)
        if mode != "loss":
            return output
        loss = (output - inputs.sum(1, keepdim=True)).square().mean()
        self.losses.append(loss.item())
        return {"loss": loss}


def vectors(items):
    return {"inputs": torch.stack(items)}


def run(folder, stop, resume=None, workers=0, seed=0, loop="SeededIterBasedTrainLoop", **loader):
    """Trains up to iteration `stop` of 12, saving every third; returns the runner."""
    set_random_seed(seed)  # for the model's first weights: it is built before the Runner
    sampler = DATA_SAMPLERS.build({"type": "SeededInfiniteSampler", "dataset": range(SIZE), "seed": seed})
    runner = Runner(
        model=Dropping(),
        work_dir=str(folder),
        train_dataloader=DataLoader(
            Noisy(), 2, **{"sampler": sampler, "num_workers": workers, "collate_fn": vectors, **loader}
        ),
        train_cfg={"type": loop, "max_iters": stop},
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.01}},
        param_scheduler={"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.1, "by_epoch": False, "end": 12},
        default_hooks={
            "checkpoint": {"type": "PreemptibleCheckpointHook", "by_epoch": False, "interval": 3},
            "logger": None,
        },
        log_processor={"by_epoch": False},
        randomness={"seed": seed},
        load_from=resume and str(resume),
        resume=resume is not None,
        log_level="ERROR",
        experiment_name=f"{folder.name}-{stop}",
    )
    runner.train()
    return runner


@pytest.fixture(autouse=True)
def no_compiler_is_asked(monkeypatch):
    """mmengine asks compilers for their versions as it starts: half a second."""
    monkeypatch.setattr("mmengine.runner.runner.collect_env", dict)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The losses and the last weights of a training of 12 iterations without workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmengine.runner.runner.collect_env", dict)
        model = run(tmp_path_factory.mktemp("whole"), 12).model
    return model.losses, model.state_dict()


def assert_same(model, whole, first=0):
    losses, weights = whole
    assert model.losses == losses[first:]
    state = model.state_dict()
    assert [name for name in weights if not torch.equal(weights[name], state[name])] == []


@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 2), (0, 2), (3, 1)])
def test_a_stopped_and_resumed_run_ends_as_one_that_was_not(tmp_path, whole, before, after):
    """Also where the number of workers changes, which batches are prefetched, and whatever was drawn before."""
    run(tmp_path, 8, workers=before)
    torch.rand(100)
    resumed = run(tmp_path, 12, resume=tmp_path / "iter_6.pth", workers=after)
    assert_same(resumed.model, whole, first=6)


def test_resuming_reads_no_batch_again(tmp_path):
    run(tmp_path, 6)
    loader = run(tmp_path, 12, resume=tmp_path / "iter_6.pth").train_dataloader
    assert loader.dataset.read == 6 * 2


def test_random_numbers_drawn_between_iterations_do_not_matter(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(SeededIterBasedTrainLoop, "_decide_current_val_interval", lambda self: torch.rand(3))
    assert_same(run(tmp_path, 12, workers=2).model, whole)


def test_seeds_differ(tmp_path, whole):
    losses = run(tmp_path, 12, seed=1).model.losses
    assert not set(losses) & set(whole[0])


def test_processes_draw_different_numbers(tmp_path, whole, monkeypatch):
    """With rank 1's random numbers, and rank 0's data order, every loss is another."""
    monkeypatch.setattr(iterations, "get_rank", lambda: 1)
    losses = [run(tmp_path, 12, workers=workers).model.losses for workers in (0, 2)]
    assert losses[0] == losses[1]
    assert not set(losses[0]) & set(whole[0])


def test_mmengines_own_loop_does_not_resume_exactly(tmp_path, whole):
    """Else the loop here had no reason to exist."""
    run(tmp_path, 6)
    resumed = run(tmp_path, 12, resume=tmp_path / "iter_6.pth", loop="IterBasedTrainLoop")
    assert resumed.model.losses != whole[0][6:]


@pytest.mark.parametrize(
    "settings", [{"sampler": None}, {"num_workers": 1, "persistent_workers": True}], ids=["sampler", "kept workers"]
)
def test_a_loader_that_cannot_start_anywhere_is_refused(tmp_path, settings):
    with pytest.raises(UserError, match=r"needs train_dataloader\.sampler\.type='SeededInfiniteSampler'"):
        run(tmp_path, 3, **settings)


def test_they_are_built_by_name():
    assert LOOPS.get("SeededIterBasedTrainLoop") is SeededIterBasedTrainLoop
    assert issubclass(SeededIterBasedTrainLoop, IterBasedTrainLoop)
    assert DATA_SAMPLERS.get("SeededInfiniteSampler") is SeededInfiniteSampler
