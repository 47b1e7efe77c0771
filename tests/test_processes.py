from pathlib import Path

import pytest
import torch.distributed
from torch import nn

from seg_vton.processes import leave_process_group

TASKS = Path("/proc/self/task")


@pytest.mark.skipif(not TASKS.is_dir(), reason="threads are counted by their names in /proc, which Linux has")
def test_nothing_of_the_group_lives_on(tmp_path):
    """A wrapped model holds the group, and a runner's hooks hold the runner: a cycle."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    wrapped = nn.parallel.DistributedDataParallel(nn.Linear(2, 2))
    wrapped.cycle = [wrapped]
    del wrapped
    assert any("gloo" in (task / "comm").read_text() for task in TASKS.iterdir())
    leave_process_group()
    assert not torch.distributed.is_initialized()
    assert not any("gloo" in (task / "comm").read_text() for task in TASKS.iterdir())


def test_a_single_process_has_nothing_to_leave():
    leave_process_group()
    assert not torch.distributed.is_initialized()
