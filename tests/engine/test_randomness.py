import random

import numpy as np
import pytest
import torch

from seg_vton.engine.randomness import mixed_seed, random_numbers_of, random_state, set_random_state


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002  what transforms use


def test_the_random_state_comes_back_through_a_checkpoint(tmp_path):
    draw()
    torch.save(random_state(), tmp_path / "a.pth")
    expected = draw(), draw()
    set_random_state(torch.load(tmp_path / "a.pth", weights_only=True))
    assert (draw(), draw()) == expected


def test_of_several_gpus_the_processs_own_is_asked(monkeypatch):
    """A training may go on where fewer are seen; asking for all would also take memory on each."""
    states, gpu = torch.cuda, [torch.tensor([1, 2], dtype=torch.uint8)]
    monkeypatch.setattr(states, "is_available", lambda: True)
    monkeypatch.setattr(states, "get_rng_state", lambda: gpu[-1])
    monkeypatch.setattr(states, "set_rng_state", gpu.append)
    state = random_state()
    gpu.append(None)
    set_random_state(state)
    assert gpu[-1].tolist() == [1, 2]


def test_neighboring_seeds_have_nothing_in_common():
    seeds = {mixed_seed(*numbers) for numbers in np.ndindex(5, 5, 5)}
    assert len(seeds) == 125
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert np.ptp(np.array(sorted(seeds), dtype=float)) > 2**31


def test_what_is_drawn_for_a_purpose_depends_on_its_numbers_alone():
    def drawn_for(*numbers):
        with random_numbers_of(*numbers):
            return draw()

    first, second = drawn_for(0, 1), drawn_for(0, 2)
    assert len({*first, *second}) == 6
    draw()
    assert (drawn_for(0, 1), drawn_for(0, 2)) == (first, second)


def test_the_process_goes_on_as_if_nothing_had_been_drawn_also_after_a_fault():
    state = random_state()
    expected = draw(), draw()
    set_random_state(state)
    found = [draw()]
    with pytest.raises(ValueError, match="broken"), random_numbers_of(3):
        draw()
        raise ValueError("broken")
    assert (*found, draw()) == expected
