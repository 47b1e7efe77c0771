"""seg-vton: clothing segmentation and virtual try-on on mmengine and mmdet.

After `import seg_vton` mmengine and mmdet find everything that configs name, and mmcv's compiled operators where it has
none. Configs say `custom_imports = dict(imports=['seg_vton'])`. The import itself is quick: what extends a library is
imported when that library is, so a tool that prints its help, or draws paper dolls, waits for none of them.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__version__ = "0.1.0"

# The try-on half needs no place here: mmengine imports it by the locations of seg_vton.registry.
_EXTENSIONS = {
    "mmengine": ("seg_vton.engine",),
    "mmcv": ("seg_vton.ops",),  # before mmdet.models, which look for mmcv's operators once
    "mmdet": ("seg_vton.segmentation", "seg_vton.parsing.evaluation"),
}


class _ExtensionFinder(MetaPathFinder):
    """Finds a library as Python would, and has its extensions imported right after it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that Python's other finders have for a library that is extended here; None for all else."""
        if name not in _EXTENSIONS:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_extend(module: ModuleType) -> None:
                execute(module)
                _extend(name)

            spec.loader.exec_module = execute_and_extend
        return spec


def _extend(library: str) -> None:
    for extension in _EXTENSIONS[library]:
        import_module(extension)


sys.meta_path.insert(0, _ExtensionFinder())
for _library in _EXTENSIONS:
    if _library in sys.modules:
        _extend(_library)
