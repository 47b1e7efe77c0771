from seg_vton.analysis.result_rows import cores, machine


def test_one_core_is_one_core():
    assert [cores({"cores": number}) for number in (1, 2)] == ["1 core", "2 cores"]
    run = {"machine": {"cpu": "Intel(R) Xeon(R)", "cores": 1, "gpu": None}}
    assert machine(run) == "1 core, Intel Xeon"
