import pytest

from seg_vton.analysis.reliability import write_reliability
from seg_vton.errors import UserError
from seg_vton.files import write_json

RECORD = {
    "schema": 2,
    "part": "Killed",
    "name": "killed-gmm",
    "promise": "A killed training goes on.",
    "how": "SIGKILL at seeded moments",
    "form": "full",
    "tried": 20,
    "lost": 0,
    "figures": {"peak_gib": 1.5, "rates": [1, 2]},
    "date": "2026-01-02",
    "machine": {"cpu": "A", "cores": 2},
}


def test_the_page_has_promise_trial_and_figures_of_every_record(tmp_path):
    write_json(tmp_path / "records" / "a.json", RECORD)
    write_json(
        tmp_path / "records" / "0.json",
        {**RECORD, "part": "Alone", "name": "alone", "promise": "It says so.", "tried": 1000, "lost": 1, "figures": {}},
    )
    write_reliability(tmp_path / "records", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    figures = "peak gib 1.5, rates 1 2"
    assert ["killed-gmm", "SIGKILL at seeded moments", "20", "0", figures, "full", "2026-01-02"] in rows
    assert ["alone", "SIGKILL at seeded moments", "1,000", "1", "-", "full", "2026-01-02"] in rows
    assert "\n## Killed\n\n**A killed training goes on.**\n\n| record" in page
    assert "\n## Alone\n\n**It says so.**\n\n| record" in page
    assert page.index("## Killed") < page.index("## Alone")
    assert "1,020 trials, counted below; the promise was broken in 1." in page
    assert page.endswith("Machines: A, 2 cores.\n")
    write_reliability(tmp_path / "records", tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == page
    (tmp_path / "page.md").write_text("mine")
    with pytest.raises(UserError, match=r"page\.md exists already and is no page of tools/analysis/reliability\.py"):
        write_reliability(tmp_path / "records", tmp_path / "page.md")


def test_other_files_are_refused_and_an_empty_folder_too(tmp_path):
    with pytest.raises(UserError, match="has no records"):
        write_reliability(tmp_path, tmp_path / "page.md")
    write_json(tmp_path / "a.json", {"schema": 1})
    with pytest.raises(UserError, match=r"a\.json is no record of the fault suite"):
        write_reliability(tmp_path, tmp_path / "page.md")
