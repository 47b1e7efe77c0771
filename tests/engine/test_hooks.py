import random
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import set_random_seed
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import DataLoader

import seg_vton  # noqa: F401  registers the hooks
from seg_vton.engine.hooks import ChannelsLastHook, CheckpointFitHook, EpochSeedHook, NonFiniteLossHook
from seg_vton.engine.samples import SeededSamples
from seg_vton.errors import UserError
from seg_vton.ops.winograd import WinogradConv2d


@pytest.fixture
def tiny(tiny_config_file):
    """The tiny detector and a batch of two images for it."""
    init_default_scope("mmdet")
    config = Config.fromfile(tiny_config_file)
    set_random_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    dataset = DATASETS.build(config.train_dataloader.dataset)
    return model, pseudo_collate([dataset[0], dataset[1]])


def loss_and_gradients(model, batch):
    """One training step's losses and gradients; RoIs are sampled with the same random numbers each time."""
    model = deepcopy(model).train()
    set_random_seed(1)
    data = model.data_preprocessor(deepcopy(batch), training=True)
    losses = model(**data, mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    return total.item(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_channels_last_changes_the_memory_and_not_the_training(tiny):
    model, batch = tiny
    plain_loss, plain = loss_and_gradients(model, batch)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    weights = [p for p in model.parameters() if p.dim() == 4]
    assert len(weights) > 30
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    assert not all(p.is_contiguous() for p in weights)  # else there was nothing to change
    loss, gradients = loss_and_gradients(model, batch)
    assert loss == pytest.approx(plain_loss, rel=1e-5)
    assert gradients.keys() == plain.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain[name], rtol=1e-3, atol=1e-5, msg=name)
    # A checkpoint has the same numbers with the hook or without.
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_checkpoint_of_either_memory_loads_into_the_other(tmp_path):
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    ChannelsLastHook().before_run(SimpleNamespace(model=first))
    torch.save(first.state_dict(), tmp_path / "a.pth")
    second.load_state_dict(torch.load(tmp_path / "a.pth", weights_only=True))
    assert second.weight.is_contiguous()
    assert torch.equal(first.weight, second.weight)
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), tmp_path / "b.pth")
    first.load_state_dict(torch.load(tmp_path / "b.pth", weights_only=True))
    assert first.weight.is_contiguous(memory_format=torch.channels_last)


class Draws(SeededSamples):
    """Items are random numbers of numpy, torch and Python, as data transforms draw them."""

    def __len__(self):
        """Eight items."""
        return 8

    def load_sample(self, index):
        """Three numbers."""
        return np.random.rand(), torch.rand(()).item(), random.random()  # noqa: NPY002  what transforms use


def epoch(number, loader, seed=0):
    """What the hook makes the given epoch draw: in the main process, and through the loader."""
    EpochSeedHook().before_train_epoch(SimpleNamespace(train_dataloader=loader, epoch=number, seed=seed))
    own = (random.random(), np.random.rand(), torch.rand(()).item())  # noqa: NPY002
    return own, tuple(float(number) for batch in loader for item in batch for number in np.ravel(item))


def loader(workers, **settings):
    return DataLoader(Draws(), num_workers=workers, **settings)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_draws_the_same_whatever_came_before(workers):
    one = loader(workers)
    first, second = epoch(0, one), epoch(1, one)
    torch.rand(100)
    assert epoch(1, loader(workers)) == second
    assert epoch(0, one) == first


@pytest.mark.parametrize("workers", [0, 2])
def test_epochs_seeds_and_workers_draw_different_numbers(workers):
    drawn = [epoch(number, loader(workers), seed) for number, seed in ((0, 0), (1, 0), (2, 0), (0, 1))]
    assert len({own for own, _ in drawn}) == 4
    numbers = [number for _, items in drawn for number in items]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(("workers", "batch"), [(0, 3), (1, 1), (2, 1), (2, 2), (3, 5)])
def test_neither_workers_nor_batches_change_what_a_sample_draws(workers, batch):
    """Nor what the main process draws after it has loaded."""

    def train_epoch(workers, batch):
        drawn = epoch(1, loader(workers, batch_size=batch, collate_fn=list))[1]
        return drawn, np.random.rand(), torch.rand(()).item(), random.random()  # noqa: NPY002

    assert train_epoch(workers, batch) == train_epoch(0, 1)


def test_a_sample_draws_the_same_in_any_order():
    drawn = []
    for order in (range(8), range(7, -1, -1)):
        turned = DataLoader(Draws(), sampler=order, batch_size=3, collate_fn=list)
        EpochSeedHook().before_train_epoch(SimpleNamespace(train_dataloader=turned, epoch=0, seed=0))
        drawn.append([item for batch in turned for item in batch])
    assert drawn[0] == drawn[1][::-1]


def test_kept_workers_are_refused():
    with pytest.raises(UserError, match="persistent_workers=False"):
        epoch(0, loader(2, persistent_workers=True))


def test_runs_of_the_try_on_take_the_cpus_forms(repo):
    config = Config.fromfile(repo / "configs" / "_base_" / "tryon_runtime.py")
    (hook,) = (HOOKS.build(hook) for hook in config.custom_hooks if hook.type == "CPUFormsHook")
    model = nn.Sequential(nn.Conv2d(128, 128, 3, padding=1))
    hook.before_run(SimpleNamespace(model=model))
    assert type(model[0]) is WinogradConv2d


def test_hooks_are_built_by_name():
    assert isinstance(HOOKS.build({"type": "ChannelsLastHook"}), ChannelsLastHook)
    assert isinstance(HOOKS.build({"type": "EpochSeedHook"}), EpochSeedHook)


def load(content, resume, classes=(), model=None):
    dataset = SimpleNamespace(metainfo={"classes": classes})
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    runner = SimpleNamespace(model=nn.Linear(2, 1), cfg={"model": model}, test_loop=loop)
    CheckpointFitHook("epoch_1.pth", resume).after_load_checkpoint(runner, content)


def test_of_weights_that_a_training_starts_from_some_must_fit():
    hook, runner = CheckpointFitHook("coco.pth", partly=True), SimpleNamespace(model=nn.Linear(2, 1))
    hook.after_load_checkpoint(runner, {"bias": torch.ones(1), "weight": torch.ones(80, 2)})
    with pytest.raises(UserError, match=r"coco\.pth does not fit .*unexpected: fc\.bias"):
        hook.after_load_checkpoint(runner, {"fc.bias": torch.ones(1)})


def test_a_resumed_training_needs_the_models_weights_and_its_state():
    whole = {
        "state_dict": nn.Linear(2, 1).state_dict(),
        "meta": {"epoch": 1, "iter": 2},
        "optimizer": {},
        "message_hub": {},
    }
    load(whole, resume=True)
    load(whole["state_dict"], resume=False)
    with pytest.raises(UserError, match=r"epoch_1\.pth has no meta and no optimizer and no message_hub: .*load_from"):
        load(whole["state_dict"], resume=True)
    for change, missing in (({"message_hub": None}, "message_hub"), ({"meta": {"iter": 2}}, r"meta\.epoch")):
        with pytest.raises(UserError, match=rf"epoch_1\.pth has no {missing}: no training can go on from it"):
            load(whole | change, resume=True)
    with pytest.raises(UserError, match=r"epoch_1\.pth does not fit .*weight 1x3 instead of 1x2"):
        load({"state_dict": nn.Linear(3, 1).state_dict()}, resume=False)


def test_a_detectors_classes_are_the_data_sets_in_its_order():
    for meta in (  # of mmdet 3, 3.0rc and 2
        {"dataset_meta": {"classes": ["top", "skirt"]}},
        {"dataset_meta": {"CLASSES": ("top", "skirt")}},
        {"CLASSES": ("top", "skirt")},
    ):
        content = {"state_dict": nn.Linear(2, 1).state_dict(), "meta": meta}
        for classes, model in ((("skirt", "top"), {}), (("top", "skirt"), {"head": {"num_classes": 2}})):
            load(content, resume=False, classes=classes, model=model)
        with pytest.raises(
            UserError, match=r"epoch_1\.pth knows the classes top, skirt .* has skirt, top: set metainfo"
        ):
            load(content, resume=False, classes=("skirt", "top"), model={"head": {"num_classes": 2}})


def test_a_loss_that_is_not_finite_for_some_steps_in_a_row_ends_the_training():
    hook, runner = NonFiniteLossHook(patience=2), SimpleNamespace(iter=6)
    sample = BaseDataElement(metainfo={"img_id": 17, "img_path": "photos/a.jpg"})

    def step(loss):
        hook.after_train_iter(runner, 0, {"data_samples": [sample]}, {"loss": loss})

    for loss in (torch.nan, 1.0, torch.tensor(torch.inf), torch.tensor(2.0), torch.nan):
        step(loss)
    with pytest.raises(
        UserError, match=r"the loss of iteration 7 is nan, the batch: 17 \(photos/a\.jpg\)\. It was not"
    ):
        step(torch.tensor(torch.nan))
    with pytest.raises(UserError, match="patience is 0"):
        NonFiniteLossHook(patience=0)
