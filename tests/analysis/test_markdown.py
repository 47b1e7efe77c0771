import pytest

from seg_vton.analysis.markdown import replace_between_markers, table
from seg_vton.errors import UserError

START, END = "<!-- table:ccp -->", "<!-- /table:ccp -->"


def test_a_table_is_padded_and_aligned():
    text = table(("neck", "AP"), [("FPN", ".602"), ("a|b", "-")], left=("neck",))
    assert text.splitlines() == [
        "| neck |   AP |",
        "| ---- | ---: |",
        "| FPN  | .602 |",
        r"| a\|b |    - |",
    ]


def test_only_what_stands_between_the_markers_changes(tmp_path):
    path = tmp_path / "README.md"
    before, after = "# Título\r\n<!-- table:other -->x<!-- /table:other -->\n", "\r\nend without a line break"
    path.write_bytes(f"{before}{START}old\nold{END}{after}".encode())
    for _ in range(2):
        replace_between_markers(path, "ccp", "| a |\n")
        assert path.read_bytes().decode() == f"{before}{START}\n| a |\n{END}{after}"
    assert [entry.name for entry in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    "text", ["", START, END, f"{END}{START}", f"{START}{END}{START}{END}", "<!-- table:x --><!-- /table:x -->"]
)
def test_bad_markers_are_named_and_the_file_stays(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(UserError, match=r"README\.md needs the lines <!-- table:ccp --> and <!-- /table:ccp --> once"):
        replace_between_markers(path, "ccp", "new")
    assert path.read_text() == text


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no\.md does not exist.*table:ccp"):
        replace_between_markers(tmp_path / "no.md", "ccp", "new")
