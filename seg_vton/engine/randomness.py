"""Random numbers as functions of a seed and of what they are for, and the state of what they are drawn from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def mixed_seed(*numbers: int) -> int:
    """One 32-bit seed out of several numbers of 0 and more; neighbors give unrelated ones."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def random_numbers_of(*numbers: int) -> Iterator[None]:
    """Within the body, Python's, numpy's and torch's CPU generator draw what `numbers` stand for; then they go on.

    Generators of GPUs are left alone: a loader's worker has none, and its main process must not lose its place.
    """
    python, numpy, seed = random.getstate(), np.random.get_state(), mixed_seed(*numbers)  # noqa: NPY002
    with torch.random.fork_rng(devices=()):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  what transforms draw from
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def random_state() -> dict[str, Any]:
    """The state of all random generators of this process, its own GPU's too, as plain data and tensors."""
    kind, numbers, *rest = np.random.get_state()  # noqa: NPY002  what transforms draw from
    state = {"python": random.getstate(), "numpy": (kind, numbers.tolist(), *rest), "torch": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_state(state: dict[str, Any]) -> None:
    """Puts `random_state` back."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
