from pathlib import Path

import pytest
import torch.distributed
from tool_process import Started
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


THREAD_WANTS_THE_LOCK = """
import gc, sys, tempfile, weakref
import torch
from seg_vton import processes

sys.setswitchinterval(1000)  # a thread gets Python's lock only where it is given up
with tempfile.TemporaryDirectory() as folder:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=0, world_size=1)
    wrapped = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    wrapped.cycle = [wrapped]
    reference, tensors, collect = weakref.ref(wrapped), [torch.zeros(10_000) for _ in range(500)], gc.collect
    del wrapped

    def collect_at_work():
        reference().process_group.allreduce(tensors)  # whose end takes the lock for each tensor
        collect()

    gc.collect = collect_at_work
    processes.leave_process_group()
assert reference() is None
"""


def test_a_thread_that_wants_the_interpreters_lock_is_waited_for(tmp_path):
    script = tmp_path / "leave.py"
    script.write_text(THREAD_WANTS_THE_LOCK)
    assert Started(str(script), [], tmp_path / "log", (), str(tmp_path)).wait(60) == 0


def test_a_single_process_has_nothing_to_leave():
    leave_process_group()
    assert not torch.distributed.is_initialized()
