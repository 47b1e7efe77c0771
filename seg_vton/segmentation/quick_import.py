"""Imports mmdet's data sets without what one of its forks has them load and say for a company's data."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from types import ModuleType
from typing import Any

# Its steps for lane detection import imgaug, which brings numba, scikit-image and half of scipy: a quarter of a start.
_LATE = (
    *("imgaug", "imgaug.augmenters", "imgaug.augmentables"),
    *("imgaug.augmentables.lines", "imgaug.augmentables.segmaps"),
)


class LateModule(ModuleType):
    """Stands in for a module until one of its names is called; each name is then the module's own."""

    def __getattr__(self, name: str) -> Any:
        """A function that imports the module and calls what has the name there."""
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return lambda *args, **kwargs: getattr(import_module(self.__name__), name)(*args, **kwargs)


@contextmanager
def quick_import() -> Iterator[None]:
    """Where `mmdet.datasets` is imported; afterwards whoever imports imgaug gets the real one."""
    late = {name: LateModule(name) for name in _LATE if "imgaug" not in sys.modules}
    for name, module in late.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(late[parent], child, module)
    sys.modules.update(late)
    try:
        with redirect_stdout(io.StringIO()):  # it prints for each process which of its data sets it can do without
            yield
    finally:
        for name in late:
            del sys.modules[name]
