"""Differences between rows: signs, spreads over pairs of seeds, and what they are said to show."""

import pytest

from seg_vton.analysis.contrast import NOT_RUN, Contrast, Measure, Step, table
from seg_vton.analysis.result_rows import Row, fraction

AP = Measure("AP", lambda run: run["metrics"].get("AP"), fraction)
PSNR = Measure("PSNR", lambda run: run["metrics"].get("PSNR"), "{:.2f}".format)


def row(*values, name="AP"):
    return Row(tuple({"metrics": {} if value is None else {name: value}} for value in values))


@pytest.mark.parametrize(
    ("first", "second", "text", "verdict"),
    [
        ([0.5], [0.525], "+.025", "one seed, so it may be chance"),
        ([0.5, 0.52], [0.45], "-.060 [-.070, -.050]", "one seed, so it may be chance"),
        ([0.5, 0.52], [0.55, 0.53], "+.030 [+.010, +.050]", "in every pair of seeds"),
        ([0.5, 0.52], [0.55, 0.51], "+.020 [-.010, +.050]", "the seeds overlap"),
        ([0.5, 0.52], [0.4, 0.3], "-.160 [-.220, -.100]", "in every pair of seeds"),
    ],
)
def test_a_difference_has_its_sign_its_spread_and_its_verdict(first, second, text, verdict):
    contrast = Contrast(AP, first, second)
    assert (str(contrast), contrast.verdict()) == (text, verdict)


@pytest.mark.parametrize("second", [None, row(None), row(0.6, None)])
def test_what_was_not_run_or_not_measured_has_no_difference(second):
    contrast = Step("a step", row(0.5), second).in_(AP)
    assert not contrast.known
    assert str(contrast) == NOT_RUN


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_the_table_of_steps():
    both = Row(tuple({"metrics": {"AP": ap, "PSNR": psnr}} for ap, psnr in ((0.6, 20.0), (0.7, 19.0))))
    start = Row(tuple({"metrics": {"AP": 0.5, "PSNR": psnr}} for psnr in (18.0, 19.5)))
    steps = [Step("one", start, both, {"PSNR": 0.5}), Step("two", None, both), Step("three", row(0.5), row(0.4))]
    header, _, *lines = cells(table(steps, [AP, PSNR, Measure("FID", lambda run: None, str)], "the paper"))
    assert header == ["change", "seeds", "AP", "PSNR", "every pair of seeds agrees in"]
    assert lines == [
        ["one", "2 and 2", "+.150 [+.100, +.200]", "+0.75 [-0.50, +2.00]", "AP"],
        ["one: the paper", "-", "-", "+0.50", "-"],
        ["two", "0 and 2", NOT_RUN, NOT_RUN, "-"],
        ["three", "1 and 1", "-.100", NOT_RUN, "-"],
    ]
