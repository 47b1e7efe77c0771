"""Commands of the README and of docs/ name scripts, flags and configs that exist; links lead to files."""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data/README.md"]
PAGES += [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("configs/*/README.md"))]
LINES = [
    line.split("  #")[0].strip()
    for page in PAGES
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]


class Parsed(BaseException):
    """Ends a script where it has described its flags."""


@cache
def flags_of(script: str) -> set[str]:
    """The flags of a script, which runs in this process up to the point where it reads them: imports take seconds."""

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        raise Parsed({flag for action in parser._actions for flag in action.option_strings})

    with pytest.MonkeyPatch.context() as patch:
        for method in ("parse_args", "parse_intermixed_args"):
            patch.setattr(argparse.ArgumentParser, method, stop)
        patch.syspath_prepend(ROOT / Path(script).parent)
        with pytest.raises(Parsed) as parsed:
            runpy.run_path(str(ROOT / script), run_name="__main__")
    return parsed.value.args[0]


def written_by_the_pages() -> set[str]:
    """Configs that a page writes itself: `cat > FILE <<'END'`."""
    return {line.split()[2] for line in LINES if line.startswith("cat > ")}


def tool_words(line: str) -> list[str]:
    """The words of a command from its tool on, which tools/timed.py may start."""
    words = shlex.split(line)
    tools = [index for index, word in enumerate(words) if re.fullmatch(r"tools/[\w/]+\.py", word)]
    return words[tools[words[tools[0]] == "tools/timed.py"] :]


@cache
def steps_of(target: str) -> list[list[str]]:
    """The commands that make runs for a target, from their tool on; nothing is run."""
    options = ["CCP=downloads/clothing-co-parsing", "POSES=poses", "PROCESSES=2", "AMP="]
    make = ["make", "--dry-run", "--always-make", target, *options]
    printed = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [tool_words(line) for line in printed.replace("\\\n", " ").splitlines() if " tools/" in line]


def check_command(line: str) -> None:
    """Its tool, its flags and its configs exist."""
    script, *rest = tool_words(line)
    assert {word for word in rest if word.startswith("--")} <= flags_of(script)
    configs = set(re.findall(r"configs/[\w./-]+\.py", line)) - written_by_the_pages()
    assert not [path for path in configs if not (ROOT / path).is_file()]


@pytest.mark.parametrize("line", dict.fromkeys(line for line in LINES if " tools/" in line))
def test_a_command_names_what_exists(line):
    check_command(line)


@pytest.mark.parametrize("target", ["demo", "photos"])
def test_the_steps_of_make_name_what_exists(target):
    """And a training ends with the checkpoint that a later step needs."""
    steps = steps_of(target)
    for index, step in enumerate(steps):
        check_command(shlex.join(step))
        if step[0] == "tools/train.py":
            row = (ROOT / step[1]).read_text(encoding="utf-8")
            # The row's own length, unless the command names one.
            length = re.search(r"\bmax_(epoch|iter)s ?= ?(\d+)", f"{' '.join(step)} {row}")
            end = f"{step[step.index('--work-dir') + 1]}/{length[1]}_{length[2]}.pth"
            assert any(end in shlex.join(later) for later in steps[index + 1 :])
    assert sum(step[0] == "tools/train.py" for step in steps) == 3


def test_the_steps_of_make_photos_are_those_of_the_page():
    page = (ROOT / "docs/own_photos.md").read_text(encoding="utf-8").partition("## Each step")[2]
    block = re.search(r"```bash\n(.*?)```", page, flags=re.DOTALL)[1]
    written = [tool_words(line) for line in block.splitlines() if " tools/" in line]
    assert written == [step for step in steps_of("photos") if step[0] != "tools/check_env.py"]


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {line.split()[1] for line in LINES if line.startswith("make ")}
    assert targets <= set(re.findall(r"^([\w-]+):", makefile, flags=re.MULTILINE))


def test_make_web_shows_the_model_in_the_package_unless_one_is_named_and_passes_the_pose():
    for given, expected in (
        ([], []),
        (["MODELS=mine", "POSE=none"], ["--models", "mine", "--pose", "none"]),
        (["POSE=README.md"], ["--pose-models", "README.md"]),  # a file that is there
    ):
        make = ["make", "--dry-run", "web", *given]
        printed = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        (line,) = [line for line in printed.splitlines() if "tools/web.py" in line]
        assert tool_words(line)[1:] == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_files_of_the_demo_are_those_that_make_writes():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(DEMO)", "work_dirs/demo")
    named = {path for line in LINES for path in re.findall(r"work_dirs/demo/\S+\.pth", line)}
    assert named and all(path in makefile for path in named)
