"""docs/papers.md, reference by reference, against the code and the configs that it points to."""

import ast
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config

import seg_vton  # noqa: F401  registers operators before anything of mmdet is imported

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
CONFIG = re.compile(r"(configs/\S+\.py)(?:: ([\w.-]+))?(?: = (.+))?")
CODE = re.compile(r"(seg_vton(?:\.\w+)+)(?:\((\w+)\))?(?: = (.+))?")
TEST = re.compile(r"(tests/\S+\.py)(?:: (\w+))?")
REFERENCES = list(dict.fromkeys(re.findall(r"`((?:configs/|seg_vton\.|tests/)[^`]*)`", PAGE)))


@cache
def content(path):
    return Config.fromfile(ROOT / path, import_custom_modules=False).to_dict()


def plain(value):
    """Lists for tuples, as `(256, 192)` and `[256, 192]` are the same setting."""
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def field(path, name):
    value = content(path)
    for key in name.split("."):
        value = value[int(key) if isinstance(value, list | tuple) else key]
    return value


def named(path, argument):
    value = pkgutil.resolve_name(path)
    return value if argument is None else inspect.signature(value).parameters[argument]


def resolve(reference):
    """What a reference points to, and the value that it states, if any; raises where there is nothing."""
    if match := CONFIG.fullmatch(reference):
        path, name, stated = match.groups()
        return content(path) if name is None else field(path, name), stated
    if match := CODE.fullmatch(reference):
        path, argument, stated = match.groups()
        return named(path, argument), stated
    path, name = TEST.fullmatch(reference).groups()
    source = (ROOT / path).read_text(encoding="utf-8")
    return source if name is None else re.search(rf"^def {name}\(", source, re.MULTILINE)[0], None


def check(reference):
    found, stated = resolve(reference)
    assert stated is None or plain(found) == plain(ast.literal_eval(stated)), f"it is {found!r}"


def tables():
    """Header cells and rows of each table of the page."""
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        header, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        yield header, rows


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_holds(reference):
    check(reference)


def test_every_statement_has_its_source_and_its_place():
    placed = [(header, row) for header, rows in tables() for row in rows if header[-1] == "here"]
    assert len(placed) > 80
    for header, row in placed:
        assert len(row) == len(header), row
        assert any(reference in row[-1] for reference in REFERENCES), row
    for header, rows in tables():
        if "where" in header:
            assert all(row[header.index("where")] for row in rows), header


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ("configs/_base_/models/gmm.py: model.grid_sizes = 5", KeyError),
        ("configs/_base_/models/gmm.py: model.grid_size = 6", AssertionError),
        ("configs/_base_/schedules/sgd_2e.py: param_scheduler.1.end", IndexError),
        ("configs/_base_/models/gmn.py", FileNotFoundError),
        ("configs/_base_/models/gmm.py model.grid_size", AttributeError),
        ("seg_vton.tryon.models.tom.TON", AttributeError),
        ("seg_vton.tryon.models.tom.TOM(mask_targets)", KeyError),
        ("seg_vton.tryon.datasets.images.MASK_THRESHOLD = 200", AssertionError),
        ("tests/test_papers.py: test_nothing", TypeError),
    ],
)
def test_a_wrong_reference_is_noticed(wrong, fault):
    with pytest.raises(fault):
        check(wrong)
