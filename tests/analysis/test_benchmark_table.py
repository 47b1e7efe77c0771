import re

import pytest

from seg_vton.analysis.benchmark_table import benchmark_page, benchmark_tables, write_page
from seg_vton.errors import UserError
from seg_vton.files import write_json

MACHINE = {"cpu": "a CPU", "cores": 2, "gpu": None, "torch": "2.11.0"}
OPS = {
    "kernel": 5,
    "scale": 2,
    "peaks": {"matmul_gflops": 200.4, "copy_gbytes": 20.0},
    "machine": MACHINE,
    "rows": [
        {
            "place": "neck",
            "shape": [1, 256, 138, 94],
            "form": "ours",
            "pass": "both",
            "median": 0.1234,
            "min": 0.12,
            "max": 0.15,
            "speedup": 21.04,
        }
        | {"peak_over_output": 1.5, "share_of_matmul": 0.25, "share_of_copy": 0.5}
    ],
}
DETECTOR = {
    "size": [750, 1101],
    "matmul_peak_gflops": 200.4,
    "machine": MACHINE,
    "rows": {
        "plain train": {"median": 10.0, "min": 9.5, "max": 11.0, "gigaflop": 968.2, "share_of_peak": 0.48},
        "ours train": {"median": 8.0, "min": 7.9, "max": 8.2, "gigaflop": 940.0, "share_of_peak": 0.59}
        | {"ratio": 0.8, "peak_bytes": 1_500_000_000},
    },
}
TRYON = {
    "image_size": [256, 192],
    "batch": 4,
    "matmul_peak_gflops": 200.4,
    "machine": MACHINE,
    "rows": [
        {"task": "TPS grid", "form": "ours", "median": 0.000414, "min": 0.0004, "max": 0.00052, "speedup": 98.7}
        | {"peak_bytes": 2_100_000},
        {"task": "GMM step", "form": "ours", "median": 0.5, "min": 0.4, "max": 0.6, "speedup": 1.5}
        | {"peak_bytes": 3_000_000, "gigaflop": 50.0, "share_of_peak": 0.499},
    ],
    "data": {"rows": [{"form": "ours", "median": 0.00095, "min": 0.0009, "max": 0.001, "speedup": 4.5}]},
}
DATA = {
    "benchmark": "data",
    "workers": 2,
    "machine": MACHINE,
    "rows": [
        {"task": "try-on", "form": "ours", "min": 0.004, "median": 0.005, "max": 0.01, "items_per_second": 200.0}
        | {"speedup": 3.14, "peak_bytes": 25_000_000}
    ],
}
EVALUATION = {
    "benchmark": "evaluation",
    "images": 5000,
    "instances": 10,
    "largest_difference": 2.2e-16,
    "machine": MACHINE,
    "rows": [
        {"form": "ours", "min": 3.1, "median": 3.25, "max": 3.4, "speedup": 12.34, "peak_bytes": 410_000_000},
    ],
}
ALL = {"ops": OPS, "detector": DETECTOR, "tryon": TRYON, "data": DATA, "evaluation": EVALUATION}


EXPECTED = [
    ["neck 1x256x138x94, forward + backward", "ours", "123", "120 to 150", "21.0", "1.5", "25%", "50%"],
    ["train: R50-FPN, mmdet's plain settings", "10.00", "9.5 to 11", "968", "48%", "-", "1.00"],
    ["train: R50 CARAFE-FPN, ours", "8.00", "7.9 to 8.2", "940", "59%", "1500", "1.25"],
    ["TPS grid", "ours", "0.414", "0.4 to 0.52", "98.70", "-", "2"],
    ["GMM step", "ours", "500", "400 to 600", "1.50", "50%", "3"],
    ["inputs of one item", "ours", "0.95", "0.9 to 1", "4.50", "-", "-"],
    ["try-on", "ours", "200", "100 to 250", "3.14", "25"],
    ["ours", "3.25", "3.1 to 3.4", "12.3", "410"],
]


@pytest.fixture
def files(tmp_path):
    """One JSON for each benchmark, and one of a suite with all of them."""
    for name, report in ALL.items():
        write_json(tmp_path / f"{name}.json", report)
    benchmarks = {name: {"rounds": 3, "quick": False, "report": ALL[name]} for name in reversed(ALL)}
    write_json(tmp_path / "suite.json", {"suite": "cpu", "machine": MACHINE, "benchmarks": benchmarks})
    return tmp_path


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_tables_hold_the_reports_numbers(files):
    text = benchmark_tables(files / f"{name}.json" for name in ALL)
    assert [row for row in cells(text) if row in EXPECTED] == EXPECTED
    assert "200 GFLOP/s" in text
    assert "at most 2e-16" in text


def test_figures_have_no_exponents_and_equal_numbers_are_called_so(files):
    row = {"task": "TOM step", "form": "ours", "median": 2.54, "min": 1.5, "max": 12.3, "speedup": 1.0, "peak_bytes": 1}
    write_json(files / "a.json", {**TRYON, "rows": [row]})
    write_json(files / "b.json", {**EVALUATION, "largest_difference": 0.0})
    text = benchmark_tables([files / "a.json", files / "b.json"])
    assert ["TOM step", "ours", "2540", "1500 to 12300", "1.00", "0"] in cells(text)
    assert "The twelve numbers are the same." in text


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
    assert "What keeps it" not in benchmark_page([files / "ops.json"])
    row = OPS["rows"][0]
    plain = row | {"form": "seg_vton", "median": 0.2, "share_of_matmul": 0.06, "share_of_copy": 0.03}
    last = row | {"form": "seg_vton, channels-last", "median": 0.15, "share_of_matmul": 0.08, "share_of_copy": 0.05}
    write_json(files / "two.json", OPS | {"rows": [plain, last]})
    text = " ".join(benchmark_page([files / "two.json"]).split())
    assert "6 to 8 % of the matrix-product peak and 3 to 5 % of the copy peak" in text
    assert "4 x 25 by 25 x 256 matrices, 25600 multiply-adds each" in text
    assert "takes 25 to 25 % less time" in text


def test_a_page_replaces_an_earlier_one_and_nothing_else(files):
    page = files / "page.md"
    write_page([files / "ops.json"], page)
    write_page([files / "suite.json"], page)
    assert page.read_text(encoding="utf-8") == benchmark_page([files / "suite.json"])
    page.write_text("# My notes\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"page\.md exists already and is no page of tools/.*/benchmark_table\.py"):
        write_page([files / "suite.json"], page)
    assert page.read_text(encoding="utf-8") == "# My notes\n"
