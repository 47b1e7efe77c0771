import pytest
import torch
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

import seg_vton  # noqa: F401  registers the wrapper
from seg_vton.engine.optim import BFloat16OptimWrapper


@pytest.fixture
def step():
    """Runs one training step; returns the model, the types seen inside it, its loss and the wrapper."""

    def run(kind="BFloat16OptimWrapper", **settings):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 4))
        seen = []
        for module in (model[0], model[2]):
            module.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        wrapper = OPTIM_WRAPPERS.build({"type": kind, "optimizer": optimizer, **settings})
        before = [p.detach().clone() for p in model.parameters()]
        with wrapper.optim_context(model):
            loss = model(torch.ones(2, 3, 8, 8)).float().square().mean()
        wrapper.update_params(loss)
        assert not any(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
        return model, seen, loss.item(), wrapper

    return run


def test_the_forward_pass_is_bfloat16_and_all_that_lasts_is_float32(step):
    model, seen, _, wrapper = step()
    assert isinstance(wrapper, BFloat16OptimWrapper)
    assert seen == [torch.bfloat16, torch.bfloat16]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} <= {torch.float32}
    state = [value for entry in wrapper.optimizer.state.values() for value in entry.values()]
    assert state
    assert {value.dtype for value in state} == {torch.float32}


def test_the_result_is_that_of_float32_to_bfloat16s_precision(step):
    mixed, _, mixed_loss, _ = step()
    plain, seen, plain_loss, _ = step("OptimWrapper")
    assert set(seen) == {torch.float32}
    assert mixed_loss != plain_loss
    assert mixed_loss == pytest.approx(plain_loss, rel=0.02)
    for ours, theirs in zip(mixed.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)


def test_outside_the_context_nothing_is_cast(step):
    model, seen, _, _ = step()
    model(torch.ones(1, 3, 8, 8))
    assert seen[-1] == torch.float32


def test_gradients_accumulate_over_steps(step):
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(
        {
            "type": "BFloat16OptimWrapper",
            "optimizer": optimizer,
            "accumulative_counts": 2,
            "clip_grad": {"max_norm": 1.0},
        }
    )
    wrapper.initialize_count_status(model, 0, 4)
    before = model.weight.detach().clone()
    changed = []
    for _ in range(4):
        with wrapper.optim_context(model):
            loss = model(torch.ones(1, 2)).float().square().mean()
        wrapper.update_params(loss)
        changed.append(not torch.equal(model.weight, before))
        before = model.weight.detach().clone()
    assert changed == [False, True, False, True]
