import pytest

from seg_vton.analysis.benchmark_table import benchmark_tables
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
        "plain train": {"median": 10.0, "gigaflop": 968.2, "share_of_peak": 0.48},
        "ours train": {"median": 8.0, "gigaflop": 940.0, "share_of_peak": 0.59, "ratio": 0.801},
    },
}
TRYON = {
    "image_size": [256, 192],
    "batch": 4,
    "matmul_peak_gflops": 200.4,
    "machine": MACHINE,
    "rows": [{"task": "TPS grid", "form": "ours", "median": 0.000414, "speedup": 98.7, "peak_bytes": 2_100_000}],
    "data": {"rows": [{"form": "ours", "median": 0.00095, "speedup": 4.5}]},
}


def test_tables_hold_the_reports_numbers(tmp_path):
    for name, report in (("ops.json", OPS), ("detector.json", DETECTOR), ("tryon.json", TRYON)):
        write_json(tmp_path / name, report)
    text = benchmark_tables(tmp_path / name for name in ("ops.json", "detector.json", "tryon.json"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert ["neck 1x256x138x94, forward + backward", "ours", "123", "21.0", "1.5", "25%", "50%"] in rows
    assert ["train: R50 CARAFE-FPN, ours", "8.00", "940", "59%", "0.80"] in rows
    assert ["TPS grid", "ours", "0.414", "98.70", "2"] in rows
    assert ["inputs of one item", "ours", "0.95", "4.50", "-"] in rows
    assert "200 GFLOP/s" in text


def test_another_json_is_refused(tmp_path):
    write_json(tmp_path / "other.json", {"rows": []})
    with pytest.raises(UserError, match=r"other\.json is not a report"):
        benchmark_tables([tmp_path / "other.json"])
