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
