"""The two stages of CP-VTON and their parts, one file each."""

from seg_vton.tryon.models.aux_head import AuxSegHead
from seg_vton.tryon.models.base import TryOnDataPreprocessor
from seg_vton.tryon.models.gmm import GMM
from seg_vton.tryon.models.losses import GridIntervalLoss, L1Loss
from seg_vton.tryon.models.perceptual import PerceptualLoss
from seg_vton.tryon.models.tom import TOM
from seg_vton.tryon.models.tps import TPSGrid

__all__ = [
    "GMM",
    "TOM",
    "AuxSegHead",
    "GridIntervalLoss",
    "L1Loss",
    "PerceptualLoss",
    "TPSGrid",
    "TryOnDataPreprocessor",
]
