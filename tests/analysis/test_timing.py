"""Candidates take turns, and ratios are of one round each."""

from seg_vton.analysis.timing import copy_peak, interleave, matmul_peak, speedup, spread


def test_candidates_take_turns_and_the_warm_up_is_not_counted(capsys):
    calls = []
    jobs = {("a", 1): lambda: calls.append("a"), ("b", 2): lambda: calls.append("b")}
    seconds = interleave(jobs, rounds=3, warmup=2)
    assert "".join(calls) == "ab" * 5
    assert {name: len(taken) for name, taken in seconds.items()} == {("a", 1): 3, ("b", 2): 3}
    assert all(each > 0 for taken in seconds.values() for each in taken)
    assert capsys.readouterr().out == "", "the bar must stay out of what a tool prints"


def test_a_speedup_is_the_median_of_the_rounds_ratios():
    assert speedup([2.0, 4.0, 9.0], [1.0, 2.0, 1.0]) == 2
    assert speedup([1.0, 10.0, 1.0], [2.0, 2.0, 2.0]) == 0.5  # of the medians it would be the same, of the means 2
    assert speedup([1.0, 2.0, 3.0], [1.0, 1.0, 6.0]) == 1  # of the medians it would be 2


def test_a_spread_is_of_all_rounds():
    assert spread([3.0, 1.0, 2.0]) == {"median": 2, "min": 1, "max": 3}


def test_peaks_are_rates_of_this_machine():
    assert 0 < matmul_peak(64, rounds=2) < 1e6
    assert 0 < copy_peak(1, rounds=2) < 1e5
