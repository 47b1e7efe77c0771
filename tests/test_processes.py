import torch.distributed

from seg_vton.processes import leave_process_group


def test_the_group_is_left(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    leave_process_group()
    assert not torch.distributed.is_initialized()


def test_a_single_process_has_nothing_to_leave():
    leave_process_group()
    assert not torch.distributed.is_initialized()
