"""Differences between rows: signs, spreads over seeds and images, and what they are said to show."""

import numpy as np
import pytest

from seg_vton.analysis.contrast import NOT_RUN, SEEDS_AGREE, Contrast, Measure, Step, table
from seg_vton.analysis.result_rows import Row, fraction

AP = Measure("AP", lambda run: run["metrics"].get("AP"), fraction)
PSNR = Measure("PSNR", lambda run: run["metrics"].get("PSNR"), "{:.2f}".format)


def row(*values, name="AP"):
    runs = ({"metrics": {} if value is None else {name: value}, "training": {}} for value in values)
    return Row(tuple(runs))


def tom(values, gmms=("a", "b"), images=None):
    """A row of TOMs of seeds 0, 1, ..., each on a GMM; `images` are the APs of three images in each run."""
    runs = [
        {"metrics": {"AP": value}, "training": {"seed": seed}, "warper": {"checkpoint_sha256": gmm}}
        for seed, (value, gmm) in enumerate(zip(values, gmms, strict=True))
    ]
    for run, numbers in zip(runs, images or [], strict=False):
        run["per_image"] = {"names": ["x", "y", "z"], "AP": numbers}
    return Row(tuple(runs))


@pytest.mark.parametrize(
    ("first", "second", "text", "verdict"),
    [
        ([0.5], [0.525], "+.025", "one seed, so it may be chance"),
        ([0.5, 0.52], [0.45], "-.060 [-.070, -.050]", "one seed, so it may be chance"),
        ([0.5, 0.52], [0.55, 0.53], "+.030 [+.010, +.050]", "all 4 pairs of seeds agree"),
        ([0.5, 0.52], [0.55, 0.51], "+.020 [-.010, +.050]", "the pairs disagree"),
        ([0.5, 0.52], [0.4, 0.3], "-.160 [-.220, -.100]", "all 4 pairs of seeds agree"),
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


def test_rows_on_the_same_gmms_are_compared_seed_by_seed():
    first, second = tom([0.5, 0.7]), tom([0.6, 0.8])
    contrast = Step("a step", first, second).in_(AP)
    assert (str(contrast), contrast.verdict()) == ("+.100 [+.100, +.100]", "both seeds agree")
    contrast = Step("a step", first, tom([0.6, 0.65])).in_(AP)
    assert (str(contrast), contrast.verdict()) == ("+.025 [-.050, +.100]", "the seeds disagree")


@pytest.mark.parametrize("second", [tom([0.6, 0.8], gmms=("a", "c")), tom([0.6], gmms=("a",)), row(0.6, 0.8)])
def test_rows_on_other_gmms_are_compared_in_all_pairs(second):
    assert len(Step("a step", tom([0.5, 0.7]), second).in_(AP).differences) == 2 * len(second.runs)


def test_images_are_compared_by_name_and_averaged_over_seeds():
    first = tom([0.5, 0.5], images=[[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])
    second = tom([0.6, 0.6], images=[[0.2, 0.4, 0.6], [0.4, 0.6, 0.8]])
    found = Step("a step", first, second).in_(AP)
    assert found.by_image == pytest.approx([0.1, 0.2, 0.3])
    second.runs[0]["per_image"] = {"names": ["z", "x", "y"], "AP": [0.6, 0.2, 0.4]}
    assert Step("a step", first, second).in_(AP).by_image == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "change", [{"AP": [0.1, None, 0.3]}, {"names": ["x", "y", "w"]}], ids=["an image lacks it", "other images"]
)
def test_images_that_are_not_all_there_say_nothing(change):
    numbers = [[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]]
    first, second = tom([0.5, 0.5], images=numbers), tom([0.6, 0.6], images=numbers)
    for run in second.runs:
        run["per_image"] |= change
    found = Step("a step", first, second).in_(AP)
    assert (list(found.by_image), found.interval, found.clear) == ([], None, None)
    assert "images" not in found.verdict()


def test_the_interval_over_the_images_is_that_of_their_mean():
    """Of 200 normal differences it is close to mean +- 1.96 standard errors."""
    rng = np.random.default_rng(1)
    by_image = rng.normal(0.02, 0.1, 200)
    low, high = Contrast(AP, [0.5, 0.5], [0.6, 0.6], by_image=by_image).interval
    error = 1.96 * by_image.std(ddof=1) / np.sqrt(200)
    assert (low, high) == pytest.approx((by_image.mean() - error, by_image.mean() + error), abs=0.1 * error)


@pytest.mark.parametrize(
    ("by_image", "verdict"),
    [
        ([0.1, 0.2, 0.15] * 9, "all 4 pairs of seeds agree; clear over the images"),
        ([0.3, -0.2, 0.0] * 9, "all 4 pairs of seeds agree; not clear over the images"),
    ],
)
def test_a_verdict_says_what_the_images_say(by_image, verdict):
    assert Contrast(AP, [0.5, 0.5], [0.6, 0.6], by_image=by_image).verdict() == verdict


@pytest.mark.parametrize(
    ("second", "by_image", "said"),
    [
        ([0.6, 0.7], (), "the paper's direction"),
        ([0.4, 0.3], (), "opposite to the paper's direction"),
        ([0.6, 0.4], (), "undecided"),
        ([0.6, 0.7], [0.3, -0.2, 0.0] * 9, "undecided"),
        ([0.6], (), "undecided, as there is one seed"),
    ],
)
def test_a_difference_is_put_beside_the_papers(second, by_image, said):
    assert Contrast(AP, [0.5, 0.51], second, by_image=by_image).against(0.02) == said


def test_directions_name_the_measures_that_the_paper_has():
    first = Row(tuple({"metrics": {"AP": 0.5, "PSNR": p, "FID": 1.0}, "training": {}} for p in (18.0, 19.0)))
    second = Row(tuple({"metrics": {"AP": 0.6, "PSNR": p, "FID": 2.0}, "training": {}} for p in (17.0, 16.0)))
    step = Step("a step", first, second, {"AP": 0.1, "PSNR": 0.5})
    said = step.directions([AP, PSNR, Measure("FID", lambda run: run["metrics"]["FID"], str)])
    assert said == "the paper's direction in AP; opposite to the paper's direction in PSNR"
    assert Step("a step", first, second).directions([AP]) == ""
    names = [Measure(name, lambda run: run["metrics"]["AP"], str) for name in "abc"]
    assert Step("a step", first, second, dict.fromkeys("abc", 0.1)).directions(names).endswith(" in a, b and c")


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_the_table_of_steps():
    numbers = ((0.6, 20.0), (0.7, 19.0))
    both = Row(tuple({"metrics": {"AP": ap, "PSNR": psnr}, "training": {}} for ap, psnr in numbers))
    start = Row(tuple({"metrics": {"AP": 0.5, "PSNR": psnr}, "training": {}} for psnr in (18.0, 19.5)))
    steps = [Step("one", start, both, {"PSNR": 0.5}), Step("two", None, both), Step("three", row(0.5), row(0.4))]
    header, _, *lines = cells(table(steps, [AP, PSNR, Measure("FID", lambda run: None, str)], "the paper"))
    assert header == ["change", "seeds", "AP", "PSNR", SEEDS_AGREE]
    assert lines == [
        ["one", "2 and 2", "+.150 [+.100, +.200]", "+0.75 [-0.50, +2.00]", "AP"],
        ["one: the paper", "-", "-", "+0.50", "-"],
        ["two", "0 and 2", NOT_RUN, NOT_RUN, "-"],
        ["three", "1 and 1", "-.100", NOT_RUN, "-"],
    ]


def test_intervals_over_the_images_have_a_line_below():
    first = tom([0.5, 0.5], images=[[0.5, 0.5, 0.5]] * 2)
    second = tom([0.6, 0.6], images=[[0.6, 0.6, 0.6]] * 2)
    _, _, _, line = cells(table([Step("one", first, second)], [AP]))
    assert line == ["one: 95 % over the images", "-", "[+.100, +.100]", "-"]
