"""Try-on data: layouts on disk, poses, the cloth-agnostic representation and the data set that joins them."""

from seg_vton.tryon.datasets.dataset import TryOnDataset

__all__ = ["TryOnDataset"]
