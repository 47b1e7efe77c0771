"""The README's commands name scripts, options, configs and make targets that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def bash_lines(document: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / document).read_text(), flags=re.S)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def words_of_tools() -> list[list[str]]:
    words = [shlex.split(line) for line in bash_lines("README.md") if "tools/" in line]
    return [line[next(i for i, word in enumerate(line) if word.startswith("tools/")) :] for line in words]


@cache
def help_text(script: str) -> str:
    command = [sys.executable, script, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_readme_has_commands():
    assert len(words_of_tools()) > 10


@pytest.mark.parametrize("words", words_of_tools(), ids=" ".join)
def test_command_names_what_exists(words):
    script, *rest = words
    assert (ROOT / script).is_file()
    for option in (word for word in rest if word.startswith("--")):
        assert option in help_text(script), f"{script} has no {option}"
    for path in re.findall(r"configs/[\w./-]+\.py", " ".join(rest)):
        assert (ROOT / path).is_file()


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for line in bash_lines("README.md"):
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", makefile, flags=re.M), line


def test_table_markers_are_paired():
    text = (ROOT / "README.md").read_text()
    opened = re.findall(r"<!-- table:([\w-]+) -->", text)
    assert opened
    assert opened == re.findall(r"<!-- /table:([\w-]+) -->", text)


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text()):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
