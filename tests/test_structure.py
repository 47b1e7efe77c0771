"""The house: which room of the package may import which, and that no circle closes."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seg_vton"
# From the top down; imports run down these lines, never up, and never from one room of a line to another.
RANKS = (
    {"analysis", "web"},
    {"apis", "data"},
    {"segmentation", "tryon"},
    {"parsing"},
    {"pose", "pictures", "engine"},
    {"labels", "coco", "ops"},
    {"registry", "progress", "machine", "processes"},
    {"files"},
    {"errors"},
)
RANK = {room: len(RANKS) - height for height, rooms in enumerate(RANKS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


@cache
def imports(module):
    """The package's modules that a module imports, wherever in the file the import stands."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    found = {name for name in found if name in MODULES and name not in ("seg_vton", module)}
    # `from seg_vton.a import b` is of the module b where there is one; the room's own file then only lists names.
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)}


def room(module):
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"seg_vton"}))
def test_imports_run_down_the_ranks(module):
    wrong = [m for m in imports(module) if room(m) != room(module) and RANK[room(m)] >= RANK[room(module)]]
    assert not wrong, f"{module} imports {', '.join(wrong)}: move what both need to a room further down"


def test_there_is_no_circle():
    graph = {module: imports(module) for module in MODULES if MODULES[module].name != "__init__.py"}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
