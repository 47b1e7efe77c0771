import pytest
import torch

from seg_vton.analysis.memory import peak_bytes


def test_peak_bytes_counts_what_lives_at_the_same_time():
    def job():
        a = torch.empty(1 << 18)
        del a
        b, c = torch.empty(1 << 18), torch.empty(1 << 18)
        return b, c

    assert peak_bytes(job) == pytest.approx(2 * (1 << 20), rel=0.01)
    assert peak_bytes(lambda: None) == 0


def test_releasing_what_was_there_before_makes_no_room():
    """Whether or not the block was allocated under a profile, which is when PyTorch knows its size."""
    held = []

    def job():
        held.clear()
        held.append(torch.empty(1 << 18))

    assert [peak_bytes(job) for _ in range(3)] == pytest.approx([1 << 20] * 3, rel=0.01)
    job()
    assert peak_bytes(job) == pytest.approx(1 << 20, rel=0.01)
