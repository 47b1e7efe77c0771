"""Operators: CARAFE, and a stand-in for mmcv's compiled operators where mmcv has none.

Import this package before mmdet's models: they look for mmcv's operators once, when they are imported.
"""

import mmcv  # noqa: F401  # first: it imports this package, none of whose modules may be half done then

from . import mmcv_ext

mmcv_ext.install()  # before carafe_pack, which imports mmcv.ops

from .carafe_function import carafe  # noqa: E402
from .carafe_pack import CARAFEPack  # noqa: E402

__all__ = ["CARAFEPack", "carafe"]
