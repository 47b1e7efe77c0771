"""Candidates take turns in changing order, and ratios are of one round each."""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from seg_vton.analysis.timing import compared, copy_peak, interleave, matmul_peak, peak_bytes, spread, turns


def test_candidates_take_turns_and_the_warm_up_is_not_counted(capsys):
    calls = []
    jobs = {("a", 1): lambda: calls.append("a"), ("b", 2): lambda: calls.append("b")}
    seconds = interleave(jobs, rounds=3, warmup=2)
    rounds = [sorted(calls[start : start + 2]) for start in range(0, len(calls), 2)]
    assert rounds == [["a", "b"]] * 5
    assert {name: len(taken) for name, taken in seconds.items()} == {("a", 1): 3, ("b", 2): 3}
    assert all(each > 0 for taken in seconds.values() for each in taken)
    assert capsys.readouterr().out == "", "the bar must stay out of what a tool prints"


def test_seconds_are_of_one_call_of_a_job_that_runs_several_times(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("seg_vton.analysis.timing.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    calls = []
    seconds = interleave({"a": lambda: calls.append(next(clock))}, rounds=2, warmup=0, calls=4)
    assert len(calls) == 8
    assert seconds == {"a": [5 / 4, 5 / 4]}


def test_over_two_turns_of_the_order_every_form_has_every_place_twice_and_other_neighbors():
    """A form that always ran first, or always after the slowest one, would have that one's caches."""
    for names in ("ab", "abc", "abcdefghij"):
        rounds = [turns(names, number) for number in range(2 * len(names))]
        assert all(sorted(order) == list(names) for order in rounds)
        places = Counter((name, place) for order in rounds for place, name in enumerate(order))
        assert set(places.values()) == {2}
        before = {name: {a for order in rounds for a, b in pairwise(order) if b == name} for name in names}
        assert all(len(found) >= min(2, len(names) - 1) for found in before.values())
    assert [turns("ab", number)[0] for number in range(-1, 4)] == ["a", "a", "b", "b", "a"]


def test_a_speedup_is_of_the_rounds_ratios():
    assert compared([1.0, 2.0, 1.0], [2.0, 4.0, 9.0])["speedup"] == {"median": 2, "min": 2, "max": 9}
    # Of the medians the first would be the same and the second 2; of the means the first would be 2.
    assert compared([2.0, 2.0, 2.0], [1.0, 10.0, 1.0])["speedup"] == {"median": 0.5, "min": 0.5, "max": 5}


def test_a_report_keeps_every_round():
    found = compared([3.0, 1.0, 2.0], [6.0, 3.0, 2.0])
    assert found["seconds"] == [3, 1, 2]
    assert {key: found[key] for key in ("median", "min", "max")} == spread([1.0, 2.0, 3.0])
    assert found["speedup"] == {"median": 2, "min": 1, "max": 3}


def test_peaks_are_rates_of_this_machine():
    assert 0 < matmul_peak(64, rounds=2) < 1e6
    assert 0 < copy_peak(1, rounds=2) < 1e5


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
