"""One stateful predictor for each half, for code and for the tools."""

from seg_vton.parsing.instances import Parsing
from seg_vton.parsing.predictor import ClothingParser
from seg_vton.tryon.predictor import TryOn, TryOnResult

__all__ = ["ClothingParser", "Parsing", "TryOn", "TryOnResult"]
