"""The README's commands name scripts, options, configs and make targets that exist."""

from __future__ import annotations

import argparse
import json
import re
import runpy
import shlex
from datetime import datetime
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


class Parsed(BaseException):
    """Ends a script where it has described its options."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.options = {option for action in parser._actions for option in action.option_strings}


@cache
def options_of(script: str) -> set[str]:
    """The options of a script, which runs in this process as far as it would read them: imports take seconds."""

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        raise Parsed(parser)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.syspath_prepend(ROOT / Path(script).parent)
        with pytest.raises(Parsed) as parsed:
            runpy.run_path(str(ROOT / script), run_name="__main__")
    return parsed.value.options


def test_readme_has_commands():
    assert len(words_of_tools()) > 10


@pytest.mark.parametrize("words", words_of_tools(), ids=" ".join)
def test_command_names_what_exists(words):
    script, *rest = words
    assert (ROOT / script).is_file()
    for option in (word for word in rest if word.startswith("--")):
        assert option in options_of(script), f"{script} has no {option}"
    for path in re.findall(r"configs/[\w./-]+\.py", " ".join(rest)):
        assert (ROOT / path).is_file()


def test_an_option_that_is_not_there_would_be_noticed():
    options = options_of("tools/train.py")
    assert {"--help", "--resume", "--cfg-options"} <= options
    assert not {"--resum", "--cfg", "--no-such-option"} & options


def test_the_demos_minutes_are_those_of_its_timings():
    lines = (ROOT / "docs/results/demo/timings.jsonl").read_text(encoding="utf-8").splitlines()
    notes = [json.loads(line) for line in lines]
    assert [note["code"] for note in notes] == [0] * len(notes)
    begin, end = (datetime.fromisoformat(notes[index]["started"]) for index in (0, -1))
    minutes = ((end - begin).total_seconds() + notes[-1]["seconds"]) / 60
    said = re.search(r"On two cores that takes about (\d+) minutes", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert int(said[1]) == round(minutes)


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
