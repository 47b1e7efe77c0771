from seg_vton.analysis.tryon_data_benchmark import OURS, PUBLISHED, run_data_benchmark


def test_rows_have_times_and_the_ratio_to_the_published_form():
    report = run_data_benchmark(rounds=3, items=2)
    assert report["size"] == [256, 192]
    published, ours = report["rows"]
    assert (published["form"], ours["form"]) == (PUBLISHED, OURS)
    assert published["speedup"]["median"] == 1
    assert all(0 < row["min"] <= row["median"] <= row["max"] for row in report["rows"])
    ratios = [theirs / own for theirs, own in zip(published["seconds"], ours["seconds"], strict=True)]
    assert ours["speedup"] == {"median": sorted(ratios)[1], "min": min(ratios), "max": max(ratios)}
