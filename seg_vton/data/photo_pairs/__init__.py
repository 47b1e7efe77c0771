"""Try-on training on photos without in-shop images: the worn garment is laid out by a warp that is thus known."""

from seg_vton.data.photo_pairs.person import Settings
from seg_vton.data.photo_pairs.sources import find_labeled
from seg_vton.data.photo_pairs.splits import SplitRule
from seg_vton.data.photo_pairs.write import Outcome, Plan, write_photo_pairs

__all__ = ["Outcome", "Plan", "Settings", "SplitRule", "find_labeled", "write_photo_pairs"]
