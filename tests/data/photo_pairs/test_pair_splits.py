"""Splits by person."""

import pytest

from seg_vton.data.photo_pairs import SplitRule
from seg_vton.errors import UserError


def test_ranges_are_of_numbers_and_hold_their_ends():
    rule = SplitRule(train=["0001-0704"], test=["0705-0804"])
    persons = ["0001", "704", "0705", "00804", "0805", "0000", "704a"]
    assert [rule.split(person) for person in persons] == ["train", "train", "test", "test", None, None, None]


def test_patterns_and_ids():
    rule = SplitRule(train=["studio_*", "anna"], test=["7-7"])
    assert [rule.split(person) for person in ("studio_3", "anna", "7", "bob")] == ["train", "train", "test", None]


def test_a_person_is_never_in_both():
    with pytest.raises(UserError, match="0100 is in --train and in --test"):
        SplitRule(train=["0001-0100"], test=["0100-0200"]).split("0100")


def test_share_is_drawn_by_person_and_seed():
    persons = [f"{number:04d}" for number in range(2000)]
    first, again, other = ([SplitRule(test_share=0.2, seed=s).split(p) for p in persons] for s in (0, 0, 1))
    assert first == again != other
    assert first.count("test") == pytest.approx(400, abs=60)
    assert set(first) == {"train", "test"}


def test_person_id_groups_photos():
    rule = SplitRule(person_id=r"id_(\d+)")
    assert rule.person("MEN/id_0008/front") == rule.person("MEN/id_0008/back") == "0008"
    assert SplitRule(person_id=r"id_\d+").person("id_0008-front") == "id_0008"
    assert SplitRule().person("a/b") == "a/b"
    with pytest.raises(UserError, match="finds no id in the name 'x'"):
        rule.person("x")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (SplitRule(test_share=1.5), "test-share is 1.5"),
        (SplitRule(train=["9-3"]), "range 9-3 is empty"),
        (SplitRule(person_id="("), "not a regular expression"),
    ],
)
def test_rules_that_make_no_sense(rule, said):
    with pytest.raises(UserError, match=said):
        rule.check()
