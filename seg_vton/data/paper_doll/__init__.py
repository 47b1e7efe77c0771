"""The paper doll: dressed figures drawn from a seed, with everything known about them."""

from seg_vton.data.paper_doll.doll import DEFAULT_SIZE, Doll, draw_doll
from seg_vton.data.paper_doll.write import Plan, write_paper_dolls

__all__ = ["DEFAULT_SIZE", "Doll", "Plan", "draw_doll", "write_paper_dolls"]
