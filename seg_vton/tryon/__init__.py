"""Virtual try-on: CP-VTON's GMM and TOM with auxiliary human-segmentation decoders, on mmengine alone.

Importing the package registers everything that configs name.
"""

from seg_vton.tryon import datasets, half, metrics, models, visualization

__all__ = ["datasets", "half", "metrics", "models", "visualization"]
