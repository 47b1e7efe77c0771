import json
import re

import pytest

from seg_vton.analysis.benchmark_table import benchmark_page, benchmark_tables, write_page
from seg_vton.errors import UserError
from seg_vton.files import write_json

MACHINE = {"cpu": "a CPU", "cores": 2, "gpu": None, "torch": "2.11.0"}


def timed(median, faster, seconds=(1.0, 1.0, 1.0)):
    """What `timing.compared` gives, of figures that tell its parts apart; `faster` is median, min and max."""
    ratios = dict(zip(("median", "min", "max"), faster, strict=True))
    return {"seconds": list(seconds), "median": median, "min": 0.9 * median, "max": 1.1 * median, "speedup": ratios}


FIRST = (1.0, 1.0, 1.0)
OPS = {
    "benchmark": "ops",
    "kernel": 5,
    "scale": 2,
    "places": {"neck": "the level P3"},
    "matmul_peak_gflops": 200.4,
    "copy_peak_gbytes": 20.0,
    "machine": MACHINE,
    "rows": [
        {"place": "neck", "shape": [1, 256, 140, 96], "form": "ours", "pass": "both", **timed(0.1234, (21.04, 9.5, 25))}
        | {"peak_over_output": 1.5, "share_of_matmul": 0.25, "share_of_copy": 0.5}
    ],
}
DETECTOR = {
    "benchmark": "detector",
    "size": [750, 1101],
    "matmul_peak_gflops": 200.4,
    "machine": MACHINE,
    "carafe_speedup": {"train": {"median": 0.96, "min": 0.93, "max": 0.99}},
    "rows": [
        {"task": "train", "form": "R50-FPN, mmdet's plain settings", **timed(10.0, FIRST)}
        | {"gigaflop": 968.2, "share_of_peak": 0.48, "peak_bytes": 1_600_000_000},
        {"task": "train", "form": "R50 CARAFE-FPN, our settings", **timed(8.0, (1.25, 1.2, 1.333))}
        | {"gigaflop": 940.0, "share_of_peak": 0.59, "peak_bytes": 1_500_000_000},
    ],
}
TRYON = {
    "benchmark": "tryon",
    "image_size": [256, 192],
    "batch": 4,
    "matmul_peak_gflops": 200.4,
    "machine": MACHINE,
    "rows": [
        {"task": "TPS grid", "form": "ours", **timed(0.000414, (98.7, 90, 101.4))} | {"peak_bytes": 2_100_000},
        {"task": "GMM step", "form": "ours", **timed(0.5, (1.5, 0.9, 2))}
        | {"peak_bytes": 3_000_000, "gigaflop": 50.0, "share_of_peak": 0.499},
        {"task": "GMM step", "form": "ours (--amp)", **timed(0.25, (3, 2.5, 3.5))}
        | {"peak_bytes": 1_000_000, "gigaflop": 50.0},
    ],
    "data": {"rows": [{"form": "ours", **timed(0.00095, (4.5, 4, 5))}]},
}
DATA = {
    "benchmark": "data",
    "workers": 2,
    "machine": MACHINE,
    "rows": [{"task": "try-on", "form": "ours", **timed(0.005, (3.14, 3, 3.2)), "peak_bytes": 25_000_000}],
}
EVALUATION = {
    "benchmark": "evaluation",
    "images": 5000,
    "instances": 10,
    "largest_difference": 2.2e-16,
    "machine": MACHINE,
    "rows": [{"form": "ours", **timed(3.25, (12.34, 12, 13.06)), "peak_bytes": 410_000_000}],
}
ALL = {"ops": OPS, "detector": DETECTOR, "tryon": TRYON, "data": DATA, "evaluation": EVALUATION}


EXPECTED = [
    ["neck 1x256x140x96, forward + backward", "ours", "123", "21.0", "9.50 to 25.0", "1.5", "25%", "50%"],
    ["train: R50-FPN, mmdet's plain settings", "10.00", "1.00", "-", "968", "48%", "1600"],
    ["train: R50 CARAFE-FPN, our settings", "8.00", "1.25", "1.20 to 1.33", "940", "59%", "1500"],
    ["TPS grid", "ours", "0.414", "98.7", "90.0 to 101.4", "-", "-", "2"],
    ["GMM step", "ours", "500", "1.50", "0.90 to 2.00", "50", "50%", "3"],
    ["GMM step", "ours (--amp)", "250", "3.00", "2.50 to 3.50", "50", "-", "1"],
    ["inputs of one item", "ours", "0.95", "4.50", "4.00 to 5.00", "-", "-", "-"],
    ["try-on", "ours", "200", "3.14", "3.00 to 3.20", "25"],
    ["ours", "3.25", "12.3", "12.0 to 13.1", "410"],
]
FACTS = {
    "rounds": 3,
    "quick": False,
    "code": "0123456789ab",
    "command": "python tools/x.py --out a.json",
    "started": "2026-01-02T03:04:05+00:00",
    "load_average": [0.125, 0.5, 1.0],
    "seconds": 90.0,
}


@pytest.fixture
def files(tmp_path):
    """One JSON for each benchmark, and one of a suite with all of them."""
    for name, report in ALL.items():
        write_json(tmp_path / f"{name}.json", report)
    write_suite(tmp_path / "suite.json", {})
    return tmp_path


def write_suite(path, changes):
    """A suite of all reports; `changes` has facts of single benchmarks that differ."""
    benchmarks = {name: {**FACTS, **changes.get(name, {}), "report": ALL[name]} for name in reversed(ALL)}
    write_json(path, {"suite": "cpu", "machine": MACHINE, "benchmarks": benchmarks}, overwrite=True)


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_tables_hold_the_reports_numbers(files):
    text = benchmark_tables(files / f"{name}.json" for name in ALL)
    assert [row for row in cells(text) if row in EXPECTED] == EXPECTED
    assert "200 GFLOP/s" in text
    assert "at most 2e-16" in text


def test_figures_have_no_exponents_and_equal_numbers_are_called_so(files):
    row = {"task": "TOM step", "form": "ours", **timed(2.54, FIRST), "peak_bytes": 1}
    write_json(files / "a.json", {**TRYON, "rows": [row]})
    write_json(files / "b.json", {**EVALUATION, "largest_difference": 0.0})
    text = benchmark_tables([files / "a.json", files / "b.json"])
    assert ["TOM step", "ours", "2540", "1.00", "-", "-", "-", "0"] in cells(text)
    assert "The twelve numbers are the same." in text


def test_every_table_says_how_many_rounds_it_is_of(files):
    assert benchmark_tables(files / f"{name}.json" for name in ALL).count("Rounds: 3.") == len(ALL)


def test_the_neck_is_told_from_the_settings(files):
    text = benchmark_tables([files / "detector.json"])
    assert "CARAFE-FPN is this many times faster than R50-FPN: train 0.96 (0.93 to 0.99)" in text


def test_a_suite_gives_the_same_tables_as_its_reports(files):
    assert benchmark_tables([files / "suite.json"]) == benchmark_tables(files / f"{name}.json" for name in ALL)


def test_a_page_opens_with_how_to_read_it(files):
    text = benchmark_page([files / "suite.json"])
    assert text.index("How to read") < text.index("## CARAFE, CPU") < text.index("## Evaluation, CPU")
    assert [row for row in cells(text) if row in EXPECTED] == EXPECTED


def test_a_page_says_whether_a_gpu_has_run(files):
    assert "No GPU has run" in benchmark_page([files / "suite.json"])
    write_json(files / "gpu.json", OPS | {"machine": MACHINE | {"gpu": "a GPU"}})
    page = benchmark_page([files / "suite.json", files / "gpu.json"])
    assert "No GPU has run" not in page
    assert page.index("## CARAFE, CPU") < page.index("## CARAFE, a GPU")


def test_the_page_in_docs_is_what_the_script_makes_of_the_results(repo, monkeypatch):
    monkeypatch.chdir(repo)
    page = (repo / "docs/benchmarks.md").read_text(encoding="utf-8")
    paths = re.search(r"benchmark_table\.py ((?:\S+\.json )+)--page docs/benchmarks\.md", page)[1].split()
    assert page == benchmark_page(paths)


def test_another_json_is_refused(tmp_path):
    write_json(tmp_path / "other.json", {"rows": []})
    with pytest.raises(UserError, match=r"other\.json is not a report"):
        benchmark_tables([tmp_path / "other.json"])


def test_what_keeps_carafe_from_the_limits_is_said_in_the_reports_shares(files):
    assert "What keeps" not in benchmark_page([files / "ops.json"])
    plain = OPS["rows"][0] | {"form": "seg_vton", "share_of_matmul": 0.06, "share_of_copy": 0.03}
    last = OPS["rows"][0] | {"form": "seg_vton, channels-last", "share_of_matmul": 0.08, "share_of_copy": 0.05}
    # In the backward pass the medians alone would say 1.5 times; in one round it is slower.
    rows = [
        plain | {"pass": "forward", "seconds": [4.0, 6.0, 8.0]},
        last | {"pass": "forward", "seconds": [2.0, 2.0, 2.0]},
        plain | {"pass": "both", "seconds": [3.0, 3.0, 1.0]},
        last | {"pass": "both", "seconds": [2.0, 2.0, 2.0]},
    ]
    write_json(files / "two.json", OPS | {"rows": rows})
    text = " ".join(benchmark_page([files / "two.json"]).split())
    assert "6 to 8 % of the matrix-product peak and 3 to 5 % of the copy peak" in text
    assert "4 x 25 by 25 x 256 matrices, 25600 multiply-adds each" in text
    assert "channels-last memory is, with min and max: neck, forward: 3.00 (2.00 to 4.00)." in text
    assert "do not say in which memory it is faster for neck, forward + backward." in text


def test_a_page_says_when_and_of_which_commit_each_benchmark_ran(files):
    page = benchmark_page([files / "suite.json"])
    assert ["CARAFE, CPU", "2026-01-02 03:04:05", "0123456789ab", "3", "1.5", "0.12"] in cells(page)
    text = " ".join(page.split())
    assert "All are of one commit. Together they took 8 minutes." in text
    assert "Run by `python tools/x.py --out a.json`." in text
    write_suite(files / "suite.json", {"data": {"code": "ba9876543210-dirty", "quick": True}})
    page = benchmark_page([files / "suite.json"])
    assert ["Data pipelines, CPU", "2026-01-02 03:04:05", "ba9876543210-dirty", "3, quick", "1.5", "0.12"] in cells(
        page
    )
    assert 'They are of different commits. "-dirty" means' in " ".join(page.split())
    assert "started" not in benchmark_page([files / "ops.json"]), "nobody noted when a report by itself was made"


@pytest.fixture
def drifting(files):
    """The suite with other peaks: the detector's process found 210 GFLOP/s, the try-on's 190."""
    path = files / "suite.json"
    content = json.loads(path.read_text())
    for name, peak in (("detector", 210.0), ("tryon", 190.0)):
        content["benchmarks"][name]["report"]["matmul_peak_gflops"] = peak
    write_json(path, content, overwrite=True)
    return path


def test_a_page_says_by_how_much_the_peaks_differ(files, drifting):
    text = " ".join(benchmark_page([files / "suite.json"]).split())
    assert "The 3 processes that measured the CPU's matrix-product peak found 190 to 210 GFLOP/s" in text
    assert "Shares are of the greatest." in text
    assert "processes that measured" not in benchmark_page([files / "ops.json"])


def shares(text):
    """Each row's share of the matrix-product peak by its first two cells."""
    return {(row[0], row[1]): next((cell for cell in row if cell.endswith("%")), "-") for row in cells(text)}


def test_shares_are_of_the_best_peak_that_a_suite_found_on_the_machine(drifting):
    text = benchmark_tables([drifting])
    assert shares(text)["GMM step", "ours"] == "45%"  # .499 x 190 / 210
    assert shares(text)["train: R50-FPN, mmdet's plain settings", "10.00"] == "48%"
    assert "Peak: 210 GFLOP/s in a float32 matrix product, the suite's best; this process's best was 190" in text
    content = json.loads(drifting.read_text())
    content["benchmarks"]["detector"]["report"]["machine"]["cpu"] = "another"
    write_json(drifting, content, overwrite=True)
    assert shares(benchmark_tables([drifting]))["GMM step", "ours"] == "47%"  # CARAFE's 200.4 is the best now


def test_a_page_replaces_an_earlier_one_and_nothing_else(files):
    page = files / "page.md"
    write_page([files / "ops.json"], page)
    write_page([files / "suite.json"], page)
    assert page.read_text(encoding="utf-8") == benchmark_page([files / "suite.json"])
    page.write_text("# My notes\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"page\.md exists already and is no page of tools/.*/benchmark_table\.py"):
        write_page([files / "suite.json"], page)
    assert page.read_text(encoding="utf-8") == "# My notes\n"
