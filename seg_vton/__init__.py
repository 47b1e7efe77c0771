"""seg-vton: clothing segmentation and virtual try-on on mmengine and mmdet.

Importing the package supplies mmcv's compiled operators where they are missing and registers everything the configs
name. Configs say `custom_imports = dict(imports=['seg_vton'])`.
"""

from seg_vton import ops  # isort: skip  # before anything that imports mmdet
from seg_vton import engine, parsing, segmentation, tryon

__all__ = ["engine", "ops", "parsing", "segmentation", "tryon"]
__version__ = "0.1.0"
