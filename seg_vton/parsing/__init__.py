"""The wire: instances -> one label map -> the regions that try-on needs, and how good such label maps are."""

from seg_vton.parsing.instances import Parsing
from seg_vton.parsing.label_map import Regions, merge_instances, regions

__all__ = ["Parsing", "Regions", "merge_instances", "regions"]
